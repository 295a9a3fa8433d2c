import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { QuothError } from '../../../app/contract/errors.ts';
import { serveLoopback } from '../../loopback/serve.ts';
import type { Command } from '../command.ts';
import { wholeNumber } from '../command.ts';

/** `out/renderer`, seen from this file in the sources and from the bundle in `out/main`. */
function rendererFolder(): string {
  const here = fileURLToPath(import.meta.url);
  const folder = path.dirname(here);
  return here.endsWith('.ts') ? path.resolve(folder, '../../../out/renderer') : path.resolve(folder, '../renderer');
}

export const command: Command = {
  usage: 'serve [--port N]',
  summary: 'Serves Quoth to a browser on this computer and prints the address to open.',
  options: ['port'],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ values, output, openCore, signal }) {
    const port = wholeNumber(values, 'port', { default: 0, min: 0, max: 65_535 });
    const folder = rendererFolder();
    if (!existsSync(path.join(folder, 'index.html')))
      throw new QuothError('not-found', 'The window is not built yet; please run "npm run build" first.');
    const core = await openCore({ resume: true });
    const shell = await serveLoopback(core, { port, rendererFolder: folder });
    await output.say(
      { type: 'serving', address: shell.address },
      `Quoth is open at ${shell.address}\nWhoever has this address can read your library. Ctrl-C ends it.`,
    );
    if (!signal.aborted) await once(signal, 'abort');
    await shell.close();
    return 0;
  },
};
