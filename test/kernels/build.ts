// Builds the kernels' test executables outside the repository, once per content of their sources.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const sourceFolders = ['kernels', 'kernels/cpu', 'test/kernels', 'test/bench'];
const isSource = /\.(cc|h|txt)$/;

/** SHA-256 over names and contents of all C++ sources and build files, in a fixed order. */
async function sourcesHash(): Promise<string> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  for (const folder of sourceFolders) {
    const names = (await readdir(join(root, folder))).filter((name) => isSource.test(name)).sort();
    for (const name of names) hash.update(`\0${folder}/${name}\0`).update(await readFile(join(root, folder, name)));
  }
  return hash.digest('hex');
}

function cacheFolder(): string {
  const base =
    process.platform === 'win32'
      ? (process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'))
      : (process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'));
  return join(base, 'quoth', 'kernels-test');
}

/**
 * The path of a test executable (`quoth_kernels_test`, `quoth_kernels_bench`), built when its sources are new. Needs CMake,
 * Ninja and a C++20 compiler; throws with the compiler's words when the build fails.
 */
export async function buildKernels(target: string): Promise<string> {
  const folder = join(cacheFolder(), (await sourcesHash()).slice(0, 16));
  await mkdir(folder, { recursive: true });
  const options = { maxBuffer: 16 << 20 };
  try {
    const configure = ['-S', join(root, 'kernels'), '-B', folder, '-G', 'Ninja', '-DQUOTH_TESTS=ON'];
    await run('cmake', [...configure, '-DCMAKE_BUILD_TYPE=Release'], options);
    await run('cmake', ['--build', folder, '--target', target, '--parallel', '2'], options);
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout).slice(-4000) : '';
    throw new Error(`the kernels' tests do not build: ${output}`, { cause: error });
  }
  return join(folder, process.platform === 'win32' ? `${target}.exe` : target);
}
