#!/usr/bin/env node
/**
 * `npm start`: sets up what is missing and opens the window; in a browser where there is no display or no Electron.
 */
import { electronBinary, electronWords, hasDisplay } from './electron.mjs';
import { runScript, setUp } from './setup.mjs';
import { run, say } from './tools.mjs';

await runScript(async () => {
  const node = await setUp({ models: true });
  const extra = process.argv.slice(2);
  if (!hasDisplay()) {
    say('There is no display here, so Quoth serves a browser on this computer.');
  } else {
    const electron = electronBinary(node);
    if (electron) return run(electron, electronWords(extra));
    say('Electron could not be fetched, so Quoth serves a browser on this computer.');
  }
  return run(node, ['main/cli/quoth.mjs', 'serve', ...extra]);
});
