// Builds the addon `quoth.node` from native/ and kernels/, once for each state of their sources, into a cache outside the
// repository, so that a checkout stays clean and a second one does not build again. Plain Node; runs before anything else:
//   node main/setup/addon.mjs
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cacheFolder } from './tools.mjs';

const sourceFolders = ['native', 'kernels'];
const sourceNames = /(\.(cc|h|cu|cuh|cmake|def)|CMakeLists\.txt)$/;
const debianPackages = ['cmake', 'ninja-build', 'g++', 'libfaiss-dev', 'libopenblas-dev'];

/** Where built addons are kept: outside the repository, per user. */
export function addonCacheFolder() {
  return cacheFolder('addon');
}

/**
 * Builds the addon unless it is there already.
 *
 * @param {{ root?: string, log?: (line: string) => void }} [options] root: the repository; log: what goes on, line by line.
 * @returns {Promise<string>} the absolute path of `quoth.node`
 * @throws {Error} with one sentence and the command that helps, when a tool is missing; with the compiler's words, when it
 *   refuses.
 */
export async function buildAddon({ root = repositoryRoot(), log = () => {} } = {}) {
  const nodeModules = findNodeModules(root);
  // Nothing is installed, and no network asked, while what is there is enough.
  const before = hasTools(await findTools()) ? await placeOf(root, nodeModules) : undefined;
  if (before && existsSync(before)) return before;
  await installTools(log);
  refuseWithoutTools(await findTools());
  const addon = await placeOf(root, nodeModules);
  if (existsSync(addon)) return addon;
  const folder = dirname(addon);
  return inBuildFolder(root, log, async (build) => {
    if (existsSync(addon)) return addon; // another process was first
    log('Building the engine. The first time this takes some minutes.');
    const built = await build('quoth_addon', 'quoth.node');
    mkdirSync(folder, { recursive: true });
    const partial = join(folder, `quoth.node.${process.pid}`);
    copyFileSync(built, partial);
    renameSync(partial, addon);
    return addon;
  });
}

/**
 * Builds an executable of native/CMakeLists.txt that only tests need, with what the addon's build compiled already.
 *
 * @param {string} target
 * @param {{ root?: string, log?: (line: string) => void }} [options]
 * @returns {Promise<string>} its absolute path
 * @throws {Error} as `buildAddon`
 */
export async function buildTestProgram(target, { root = repositoryRoot(), log = () => {} } = {}) {
  refuseWithoutTools(await findTools());
  const name = process.platform === 'win32' ? `${target}.exe` : target;
  return inBuildFolder(root, log, (build) => build(target, name));
}

/**
 * Configures the build folder and calls `work` while no other process builds there; `build` builds a target and answers with
 * the path of its file.
 *
 * @template T
 * @param {string} root
 * @param {(line: string) => void} log
 * @param {(build: (target: string, name: string) => Promise<string>) => Promise<T>} work
 */
async function inBuildFolder(root, log, work) {
  const nodeModules = findNodeModules(root);
  const tools = await findTools();
  // One build folder per checkout and compiler: after a change only what it touches is compiled again.
  const checkout = createHash('sha256').update(resolve(root)).update(toolNames(tools)).digest('hex').slice(0, 16);
  const buildFolder = join(addonCacheFolder(), `build-${checkout}`);
  mkdirSync(buildFolder, { recursive: true });
  const unlock = await lock(join(buildFolder, 'lock'), log);
  try {
    // A generator cannot be changed in a configured folder: ninja may come later.
    const out = join(buildFolder, tools.ninja ? 'ninja' : 'default');
    const configure = ['-S', join(root, 'native'), '-B', out, '-DCMAKE_BUILD_TYPE=Release'];
    configure.push(`-DQUOTH_NODE_MODULES=${nodeModules.split(sep).join('/')}`);
    if (tools.ninja) configure.push('-G', 'Ninja');
    return await work(async (target, name) => {
      await run('cmake', configure, log);
      const parallel = String(availableParallelism());
      await run('cmake', ['--build', out, '--target', target, '--config', 'Release', '--parallel', parallel], log);
      const built = [join(out, name), join(out, 'Release', name)].find((path) => existsSync(path));
      if (!built) throw new Error(`The build ended, but ${name} is not in ${out}.`);
      return built;
    });
  } finally {
    unlock();
  }
}

/** Where the addon of these sources, this compiler and this system belongs. */
async function placeOf(root, nodeModules) {
  const tools = await findTools();
  const key = createHash('sha256');
  key.update(JSON.stringify([process.platform, process.arch, toolNames(tools), hasFaiss()]));
  for (const file of listSources(root)) {
    key.update(`\0${relative(root, file).split(sep).join('/')}\0`);
    key.update(readFileSync(file));
  }
  key.update(readFileSync(join(nodeModules, 'node-addon-api', 'package.json')));
  key.update(readFileSync(join(nodeModules, 'node-api-headers', 'package.json')));
  return join(addonCacheFolder(), key.digest('hex').slice(0, 24), 'quoth.node');
}

function repositoryRoot() {
  return resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
}

/** The node_modules that Node itself would take packages from. */
function findNodeModules(root) {
  try {
    const require = createRequire(join(root, 'package.json'));
    require.resolve('node-api-headers/package.json');
    return dirname(dirname(require.resolve('node-addon-api/package.json')));
  } catch (cause) {
    throw new Error('The packages node-addon-api and node-api-headers are missing. Run: npm install', { cause });
  }
}

function* listSources(root) {
  for (const folder of sourceFolders) {
    const files = readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, String(name)));
    for (const file of files.sort()) {
      if (sourceNames.test(file) && statSync(file).isFile()) yield file;
    }
  }
}

/** The first line of each tool's version; undefined for one that is not there. */
async function findTools() {
  return {
    cmake: await versionOf('cmake'),
    compiler: process.platform === 'win32' ? 'Visual Studio' : await compilerVersion(),
    ninja: process.platform !== 'win32' && (await versionOf('ninja')) !== undefined,
  };
}

const hasTools = (tools) => tools.cmake !== undefined && tools.compiler !== undefined;
const toolNames = (tools) => `${tools.compiler}, ${tools.cmake}`;

function refuseWithoutTools(tools) {
  if (hasTools(tools)) return;
  const both = !tools.cmake && !tools.compiler;
  const missing = both ? 'CMake and a C++ compiler are' : tools.cmake ? 'A C++ compiler is' : 'CMake is';
  throw new Error(`${missing} needed to build the engine. ${installHint()}`);
}

async function compilerVersion() {
  for (const name of [process.env.CXX, 'c++', 'g++', 'clang++']) {
    const version = name && (await versionOf(name));
    if (version) return version;
  }
  return undefined;
}

function hasFaiss() {
  return ['/usr/include', '/usr/local/include', '/opt/homebrew/include'].some((folder) =>
    existsSync(join(folder, 'faiss', 'IndexFlat.h')),
  );
}

function installHint() {
  switch (process.platform) {
    case 'win32':
      return 'Run: winget install Kitware.CMake Microsoft.VisualStudio.2022.BuildTools --override "--add Microsoft.VisualStudio.Workload.VCTools"';
    case 'darwin':
      return 'Run: xcode-select --install && brew install cmake ninja';
    default:
      return existsSync('/usr/bin/apt-get')
        ? `Run: sudo apt-get install -y ${debianPackages.join(' ')}`
        : 'Install cmake, ninja and g++ with the package manager of your system.';
  }
}

/** On Debian and as root, what is missing is installed; elsewhere that is the user's to decide. */
async function installTools(log) {
  const canInstall = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get') && existsSync('/etc/debian_version');
  if (!canInstall) return;
  if (hasTools(await findTools()) && hasFaiss()) return;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '--no-install-recommends', ...debianPackages];
  log(`Installing what the build needs: apt-get ${install.join(' ')}`);
  try {
    await run('apt-get', ['update'], () => {}, environment);
    await run('apt-get', install, () => {}, environment);
  } catch (error) {
    // Without FAISS the engine still builds, with a search of its own; without the tools `refuseWithoutTools` says what to do.
    log(`They could not be installed: ${error.message.split('\n')[0]}`);
  }
}

/** The first line of `name --version`; undefined when it cannot be run. */
async function versionOf(name) {
  try {
    const lines = [];
    await run(name, ['--version'], (line) => lines.push(line));
    return lines[0];
  } catch {
    return undefined;
  }
}

function run(command, args, log, environment = process.env) {
  return new Promise((settle, fail) => {
    const lines = [];
    let rest = '';
    const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    const take = (text) => {
      const parts = (rest + text).split(/\r?\n/);
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        log(line);
      }
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (cause) => fail(new Error(`${command} cannot be run: ${cause.message}`, { cause })));
    child.on('close', (code) => {
      take('\n');
      if (code === 0) settle();
      else fail(new Error(`${command} ${args[0]} failed (${code}):\n${lines.slice(-40).join('\n')}`));
    });
  });
}

/** Waits until no other living process holds the lock file. */
async function lock(path, log) {
  for (let waits = 0; ; waits += 1) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (waits === 0) log('Another process builds the engine: waiting for it.');
    if (waits > 0 && !isAlive(path)) rmSync(path, { force: true });
    await delay(200);
  }
}

function isAlive(path) {
  try {
    const holder = Number(readFileSync(path, 'utf8'));
    if (!Number.isInteger(holder) || holder <= 0) return false;
    process.kill(holder, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  buildAddon({ log: (line) => process.stderr.write(`${line}\n`) }).then(
    (path) => process.stdout.write(`${path}\n`),
    (error) => {
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
    },
  );
}
