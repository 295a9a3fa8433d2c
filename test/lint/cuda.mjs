/**
 * The CUDA kernels compiled for every GPU they are for, where nvcc is: it needs no GPU. Done once per content of their
 * sources; the library is kept in the cache, where the GPU tests look for it.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder, hashOfFiles, root } from '../../main/setup/tools.mjs';

const sources = ['kernels/cuda', 'kernels/ops.h', 'kernels/tensor.h', 'kernels/error.h'];

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

/**
 * Compiles the kernels, if these sources were not compiled before. Any warning is an error, and so is a kernel that
 * spills more than some registers.
 * @param {string} [architectures] of CMake's CUDA_ARCHITECTURES; all that the kernels are for when it is left out
 * @returns {{ library: string, complaint?: undefined } | { library?: undefined, complaint: string }}
 */
export function compileCuda(architectures) {
  const contents = hashOfFiles(sources, (path) => /\.(cu|h|txt)$/.test(path)).slice(0, 16);
  const folder = cacheFolder(
    'kernels-cuda',
    `${process.platform}-${process.arch}-${architectures ?? 'all'}-${contents}`,
  );
  const name = process.platform === 'win32' ? 'quoth_kernels_cuda.dll' : 'libquoth_kernels_cuda.so';
  const library = join(folder, name);
  if (existsSync(library)) return { library };
  const build = mkdtempSync(join(tmpdir(), 'quoth-cuda-'));
  const run = (commandArguments) => spawnSync('cmake', commandArguments, { encoding: 'utf8', maxBuffer: 1 << 26 });
  try {
    const chosen = architectures === undefined ? [] : [`-DCMAKE_CUDA_ARCHITECTURES=${architectures}`];
    const configured = run(['-S', join(root, 'kernels/cuda'), '-B', build, '-G', 'Ninja', ...chosen]);
    if (configured.status !== 0) return { complaint: `${configured.stdout}${configured.stderr}`.slice(-4000) };
    const built = run(['--build', build, '--parallel', '2']);
    if (built.status !== 0) return { complaint: withoutReport(built.stdout).slice(-4000) };
    const spills = spillsOf(built.stdout);
    if (spills.length > 0) return { complaint: spills.join('\n') };
    mkdirSync(folder, { recursive: true });
    const finished = `${library}.${process.pid}`;
    copyFileSync(join(build, name), finished);
    renameSync(finished, library);
    return { library };
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

/** What is left of a build's output without ptxas' report of each kernel. */
function withoutReport(output) {
  const isReport = /^(ptxas info|nvlink info|\s+\d+ bytes stack frame)/;
  return output
    .split('\n')
    .filter((line) => !isReport.test(line))
    .join('\n');
}

/** Kernels whose registers go to memory, from ptxas' report: a few words are its taste, more is a mistake. */
export function spillsOf(report) {
  const kMostBytes = 64;
  const spills = [];
  let kernel = '';
  for (const line of report.split('\n')) {
    kernel = /Compiling entry function '(\S+)' for '(\S+)'/.exec(line)?.slice(1).join(' for ') ?? kernel;
    const bytes = Number(/(\d+) bytes spill loads/.exec(line)?.[1] ?? 0);
    if (bytes > kMostBytes) spills.push(`${kernel} spills: ${bytes} bytes are read back from memory`);
  }
  return spills;
}
