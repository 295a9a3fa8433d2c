// Builds what runs: the addon (`out/native/quoth.node`), `out/main` and `out/preload` (Node and Electron) and
// `out/renderer` (the window). Each is built only when its sources changed: a stamp beside it holds their hash. Plain
// JavaScript, for it may be started by an older Node.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildAddon } from './addon.mjs';
import { cudaLibraryName, placeCuda } from './cuda.mjs';
import { hashOfFiles, nodeBinary, root } from './tools.mjs';

/** What Vite builds, with which configuration, from which folders. */
const bundles = [
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

const isBundled = (path) => !/\.(md|cc|h|cu|cuh)$/.test(path);

/** Does the work unless what it makes is there and its stamp says that it was made from the same sources. */
async function makeOnce(name, made, stamp, work) {
  const stampFile = join(root, 'out', `${name}.stamp`);
  if (existsSync(made) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return false;
  rmSync(stampFile, { force: true });
  await work();
  mkdirSync(join(root, 'out'), { recursive: true });
  writeFileSync(stampFile, stamp);
  return true;
}

/**
 * Builds the addon if its sources have no build yet, and puts it where the bundles and the packed app look for it, with the CUDA
 * kernels beside it where they can be had.
 */
async function placeAddon(say, forAllGpus) {
  const addon = await buildAddon({ log: say });
  const kernels = placeCuda(dirname(addon), { say, forAll: forAllGpus });
  const folder = join(root, 'out', 'native');
  const place = join(folder, 'quoth.node');
  const stamp = `${addon}\n${kernels === null ? 'no kernels for GPUs' : kernels.source}`;
  return makeOnce('addon', place, stamp, () => {
    mkdirSync(folder, { recursive: true });
    // Not over the old ones: a running Quoth has them mapped.
    const copy = (from, to) => {
      copyFileSync(from, `${to}.${process.pid}`);
      renameSync(`${to}.${process.pid}`, to);
    };
    copy(addon, place);
    if (kernels !== null) copy(kernels.path, join(folder, cudaLibraryName));
    else rmSync(join(folder, cudaLibraryName), { force: true });
  });
}

function bundle(config) {
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const result = spawnSync(nodeBinary(), [vite, 'build', '--config', config, '--logLevel', 'warn'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, NODE_ENV: 'production' },
  });
  if (result.status !== 0) throw new Error(`Building with ${config} failed:\n${result.stdout}${result.stderr}`);
}

/**
 * Builds what is not up to date.
 * @param {{ only?: string[], say?: (line: string) => void, forAllGpus?: boolean }} [options] names of builds ("addon", "main", "preload",
 *   "renderer"); all if absent. forAllGpus: with kernels for every GPU, as packing wants
 * @returns {Promise<string[]>} the names of what was built
 */
export async function build({ only, say = () => undefined, forAllGpus = false } = {}) {
  const built = [];
  const isWanted = (name) => !only || only.includes(name);
  if (isWanted('addon') && (await placeAddon(say, forAllGpus))) built.push('addon');
  for (const { name, config, sources } of bundles) {
    if (!isWanted(name)) continue;
    const stamp = hashOfFiles([...sources, 'package-lock.json'], isBundled);
    const isNew = await makeOnce(name, join(root, 'out', name), stamp, () => {
      say(`Building ${name} …`);
      bundle(config);
    });
    if (isNew) built.push(name);
  }
  return built;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    const forAllGpus = process.argv.includes('--all-gpus');
    const built = await build({ say: (line) => process.stdout.write(`${line}\n`), forAllGpus });
    process.stdout.write(built.length === 0 ? 'Everything is built already.\n' : 'Built.\n');
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
