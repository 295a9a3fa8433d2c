/**
 * The folder that is packed, `out/app`: the built app and the packages that it loads, file by file, and nothing else. Made
 * here and not by the packer's rules, so that what people get is what the lockfile says and can be counted.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root } from '../tools.mjs';
import { makeLicences } from './licences.mjs';
import { packagesNeededBy, runtimeNames } from './packages.mjs';

/** Files that start in Electron; those of the command line and of plain Node stay at home. */
const entries = ['electron.js', 'core-process.js', 'electron-child.js'];

/** In no package is any of this loaded. */
const dead = [
  /\.(map|md|markdown|ts|mts|cts|tsx|flow|gyp|gypi|cc|cpp|c|h|yml|yaml|tgz)$/i,
  /(^|\/)(test|tests|__tests__|example|examples|docs|man|benchmark|benchmarks|\.github|\.bin)\//i,
  /(^|\/)(\.[a-z][\w.]*rc(\.json|\.js)?|\.npmignore|\.editorconfig|changelog|history|authors)(\.\w+)?$/i,
];

/** What is loaded of a few large packages; a package that is not named here is taken whole, but for `dead`. */
function isLoaded(name, file, platform, arch) {
  switch (name) {
    case 'better-sqlite3':
      return (
        !/^(deps|src)\//.test(file) && (!file.startsWith('prebuilds/') || file === `prebuilds/${platform}-${arch}.node`)
      );
    case 'pdfjs-dist':
      return /^(package\.json|LICENSE|build\/pdf(\.worker)?\.min\.mjs|(cmaps|standard_fonts|wasm|iccs)\/.*)$/.test(
        file,
      );
    case 'youtubei.js':
      return !file.startsWith('bundle/');
    case 'docx':
      return /^(package\.json|LICENSE|dist\/index\.mjs)$/.test(file);
    case 'mammoth':
      return !/^(browser\/|bin\/|mammoth\.browser)/.test(file);
    case 'zod':
      return !file.startsWith('src/') && !file.endsWith('.cjs');
    case '@modelcontextprotocol/sdk':
      return !file.startsWith('dist/cjs/');
    case 'tesseract.js-core':
      return !/\.wasm\.js$|^tesseract-core(-simd|-relaxedsimd)?\.(js|wasm)$/.test(file);
    case '@tesseract.js-data/eng':
      return !file.startsWith('4.0.0/');
    case 'onnxruntime-web':
      return /^(package\.json|LICENSE|dist\/(ort\.wasm\.bundle\.min\.mjs|ort-wasm-simd-threaded\.wasm))$/.test(file);
    case 'onnxruntime-common':
    case 'flatbuffers':
    case 'guid-typescript':
    case 'long':
    case 'platform':
    case 'protobufjs':
      return false; // named by onnxruntime-web for its other builds; the one above has in it what it needs
    default:
      return !name.startsWith('@protobufjs/');
  }
}

function* filesOf(folder, inside = '') {
  for (const entry of readdirSync(join(folder, inside), { withFileTypes: true })) {
    const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules') yield* filesOf(folder, path);
    } else yield path;
  }
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** The bundle's files that the entries reach through their imports, and what is no script. */
function reachedFiles(folder) {
  const reached = new Set();
  const visit = (name) => {
    if (reached.has(name)) return;
    reached.add(name);
    const source = readFileSync(join(folder, name), 'utf8');
    for (const [, other] of source.matchAll(/(?:from|import|import\()\s*["'`]\.\/([\w.-]+\.js)["'`]/g)) visit(other);
  };
  for (const entry of entries) visit(entry);
  for (const file of filesOf(folder)) if (!/\.(js|map)$/.test(file)) reached.add(file);
  return [...reached].sort();
}

/** The libraries beside the addon that a user's Linux may not have: OpenBLAS and the compiler's. */
function librariesOf(addon) {
  if (process.platform !== 'linux') return [];
  const { stdout } = spawnSync('ldd', [addon], { encoding: 'utf8' });
  return [...(stdout ?? '').matchAll(/^\s*(lib(?:openblas|gomp|gfortran|quadmath)\S*) => (\/\S+)/gm)].map(
    ([, name, path]) => ({ name, path }),
  );
}

/**
 * Makes `out/app` anew, and `out/app-native`, which goes beside the archive. Everything must be built.
 * @param {{ platform?: string, arch?: string }} [target]
 * @returns {{ folder: string, native: string, packages: { name: string, version: string }[] }}
 */
export function stageApp({ platform = process.platform, arch = process.arch } = {}) {
  const folder = join(root, 'out', 'app');
  const native = join(root, 'out', 'app-native');
  for (const one of [folder, native]) rmSync(one, { recursive: true, force: true });
  for (const file of reachedFiles(join(root, 'out', 'main')))
    copy(join(root, 'out', 'main', file), join(folder, 'out', 'main', file));
  for (const part of ['preload', 'renderer'])
    cpSync(join(root, 'out', part), join(folder, 'out', part), { recursive: true });

  const packages = packagesNeededBy(runtimeNames());
  for (const { path, name } of packages)
    for (const file of filesOf(join(root, path)))
      if (isLoaded(name, file, platform, arch) && !dead.some((pattern) => pattern.test(file)))
        copy(join(root, path, file), join(folder, path, file));

  const { text } = makeLicences();
  writeFileSync(join(folder, 'licences.txt'), text);
  const { name, version, description, license, type, main } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  // No dependencies are named: the packer then looks for none, and takes the folder as it is.
  const facts = { name, productName: 'Quoth', version, description, license, author: 'Quoth', type, main };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(facts, null, 2)}\n`);

  mkdirSync(native, { recursive: true });
  const built = join(root, 'out', 'native');
  for (const file of readdirSync(built))
    if (/\.(node|so|dll|dylib)$/.test(file)) copyFileSync(join(built, file), join(native, file));
  for (const { name: library, path } of librariesOf(join(built, 'quoth.node')))
    copyFileSync(path, join(native, basename(library)));
  return { folder, native, packages };
}

/** How many bytes the files below a folder have. */
export function sizeOfFolder(folder) {
  let sizeBytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) sizeBytes += statSync(join(entry.parentPath, entry.name)).size;
  return sizeBytes;
}
