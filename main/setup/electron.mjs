/** The Electron that the sources run in. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './tools.mjs';

/** The Electron binary, fetched by its own package at first use; null where it cannot be had. */
export function electronBinary(node) {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  const name = process.platform === 'win32' ? 'electron.exe' : 'electron';
  if (override) return existsSync(join(override, name)) ? join(override, name) : null;
  const find = 'process.stdout.write(require("electron"))';
  const answer = spawnSync(node, ['-e', find], { cwd: root, encoding: 'utf8', timeout: 300_000 });
  return answer.status === 0 && existsSync(answer.stdout) ? answer.stdout : null;
}

export function hasDisplay() {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/** What Electron is started with: the app, and words for it. Chromium refuses its sandbox to root, which a container often is. */
export function electronWords(extra) {
  return [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '.', ...extra];
}

export { root };
