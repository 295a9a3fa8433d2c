/**
 * The CUDA kernels (`kernels/cuda`) as the library that the engine opens beside the addon. Compiled where nvcc is, once per
 * content of their sources, into a cache outside the repository; never needed: without it the engine uses the processor. Plain
 * JavaScript on Node's own modules, like the rest of the set-up.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder, hashOfFiles, root } from './tools.mjs';

const sources = ['kernels/cuda', 'kernels/ops.h', 'kernels/tensor.h', 'kernels/error.h'];

/** The library's file name: what native/engine/shared_library.cc looks for. */
export const cudaLibraryName = process.platform === 'win32' ? 'quoth_kernels_cuda.dll' : 'libquoth_kernels_cuda.so';

/** Why the kernels cannot be compiled here, as the end of a sentence; null when they can. */
export function whyNoCuda() {
  for (const [command, name] of [
    ['nvcc', 'CUDA’s compiler nvcc'],
    ['cmake', 'CMake'],
    ['ninja', 'Ninja'],
  ]) {
    if (spawnSync(command, ['--version']).status !== 0) return `${name} is not on the PATH`;
  }
  return null;
}

/** What CMake calls the architecture of this machine's first GPU ("89-real"); null where there is none. */
export function gpuArchitecture() {
  const words = ['--query-gpu=compute_cap', '--format=csv,noheader', '-i', '0'];
  const answer = spawnSync('nvidia-smi', words, { encoding: 'utf8' });
  const version = answer.status === 0 ? /^(\d+)\.(\d+)/.exec(answer.stdout) : null;
  if (!version) return null;
  // Of the H100's family only the code for 90a may use all of its instructions.
  const number = `${version[1]}${version[2]}`;
  return `${number === '90' ? '90a' : number}-real`;
}

/** Where the kernels for some architectures are kept; for all that they are for, when none are named. */
export function cudaCacheFolder(architectures) {
  const contents = hashOfFiles(sources, (path) => /\.(cu|cuh|h|txt)$/.test(path)).slice(0, 16);
  const name = `${process.platform}-${process.arch}-${architectures ?? 'all'}-${contents}`;
  return cacheFolder('kernels-cuda', name);
}

/** The compiled kernels, if these sources were compiled before: for all architectures, or else for the named ones. */
export function compiledCuda(architectures) {
  const folders = [
    cudaCacheFolder(undefined),
    ...(architectures === undefined ? [] : [cudaCacheFolder(architectures)]),
  ];
  return folders.map((folder) => join(folder, cudaLibraryName)).find((path) => existsSync(path)) ?? null;
}

/**
 * Compiles the kernels, if these sources were not compiled before. Any warning is an error.
 * @param {string} [architectures] of CMake's CUDA_ARCHITECTURES; all that the kernels are for when it is left out
 * @returns {{ library: string, report: string, complaint?: undefined } | { library?: undefined, complaint: string }}
 *   report: what ptxas says of each kernel
 */
export function compileCuda(architectures) {
  const folder = cudaCacheFolder(architectures);
  const library = join(folder, cudaLibraryName);
  const reportFile = join(folder, 'report.txt');
  if (existsSync(library) && existsSync(reportFile)) return { library, report: readFileSync(reportFile, 'utf8') };
  const build = mkdtempSync(join(tmpdir(), 'quoth-cuda-'));
  const run = (words) => spawnSync('cmake', words, { encoding: 'utf8', maxBuffer: 1 << 26, windowsHide: true });
  try {
    const chosen = architectures === undefined ? [] : [`-DCMAKE_CUDA_ARCHITECTURES=${architectures}`];
    const configured = run(['-S', join(root, 'kernels/cuda'), '-B', build, '-G', 'Ninja', ...chosen]);
    if (configured.status !== 0) return { complaint: `${configured.stdout}${configured.stderr}`.slice(-4000) };
    const built = run(['--build', build, '--parallel', String(availableParallelism())]);
    if (built.status !== 0) return { complaint: withoutReport(built.stdout).slice(-4000) };
    mkdirSync(folder, { recursive: true });
    writeFileSync(reportFile, built.stdout);
    copyInto(join(build, cudaLibraryName), library);
    return { library, report: built.stdout };
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

/** Not over what is there: a running Quoth may have it mapped. */
function copyInto(from, to) {
  const partial = `${to}.${process.pid}`;
  copyFileSync(from, partial);
  renameSync(partial, to);
}

/**
 * Puts the kernels beside an addon. On a machine with a GPU they are those for all GPUs if there is such a build, else they are
 * compiled for this one; with `forAll` they are compiled for all, as packing wants. Without a GPU nothing is done. Never fails:
 * without the kernels the processor does the work.
 * @param {string} folder the addon's
 * @param {{ say?: (line: string) => void, forAll?: boolean }} [options]
 * @returns {{ path: string, source: string } | null} the library there, and what it is a copy of
 */
export function placeCuda(folder, { say = () => undefined, forAll = false } = {}) {
  const place = join(folder, cudaLibraryName);
  const marker = join(folder, 'kernels-cuda.txt');
  const source = existsSync(place) && existsSync(marker) ? readFileSync(marker, 'utf8') : null;
  const architecture = forAll ? undefined : gpuArchitecture();
  const library = architecture === null ? null : (compiledCuda(architecture) ?? compileOrSay(architecture, say));
  if (library !== null && source !== library) {
    copyInto(library, place);
    writeFileSync(marker, library);
  }
  return library === null && source === null ? null : { path: place, source: library ?? source };
}

function compileOrSay(architecture, say) {
  const why = whyNoCuda();
  if (why !== null) {
    say(`The kernels for the GPU cannot be compiled: ${why}. The processor is used instead.`);
    return null;
  }
  say('Compiling the kernels for the GPU. The first time this takes some minutes.');
  const { library, complaint } = compileCuda(architecture);
  if (complaint !== undefined)
    say(`The kernels for the GPU do not compile; the processor is used instead.\n${complaint}`);
  return library ?? null;
}

/** What is left of a build's output without ptxas' report of each kernel. */
function withoutReport(output) {
  const isReport = /^(ptxas info|nvlink info|\s+\d+ bytes stack frame)/;
  return output
    .split('\n')
    .filter((line) => !isReport.test(line))
    .join('\n');
}
