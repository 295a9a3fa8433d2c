#!/usr/bin/env node
/**
 * `npm start`: sets up what is missing and opens the window; in a browser where there is no display or no Electron.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runScript, setUp } from './setup.mjs';
import { root, run, say } from './tools.mjs';

/** The Electron binary, fetched by its own package at first use; null where it cannot be had. */
function electronBinary(node) {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  const name = process.platform === 'win32' ? 'electron.exe' : 'electron';
  if (override) return existsSync(join(override, name)) ? join(override, name) : null;
  const find = 'process.stdout.write(require("electron"))';
  const answer = spawnSync(node, ['-e', find], { cwd: root, encoding: 'utf8', timeout: 300_000 });
  return answer.status === 0 && existsSync(answer.stdout) ? answer.stdout : null;
}

function hasDisplay() {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

await runScript(async () => {
  const node = await setUp({ models: true });
  const extra = process.argv.slice(2);
  if (!hasDisplay()) {
    say('There is no display here, so Quoth serves a browser on this computer.');
  } else {
    const electron = electronBinary(node);
    if (electron) {
      // Chromium refuses its sandbox to root; nobody should browse as root, but a container often is.
      const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
      return run(electron, [...sandbox, '.', ...extra]);
    }
    say('Electron could not be fetched, so Quoth serves a browser on this computer.');
  }
  return run(node, ['main/cli/quoth.mjs', 'serve', ...extra]);
});
