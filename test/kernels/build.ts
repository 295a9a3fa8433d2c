// Builds the kernels' test executables outside the repository, once per content of their sources.
import { execFile } from 'node:child_process';
import { access, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, hashOfFiles, root } from '../../main/setup/tools.mjs';

const run = promisify(execFile);
const sources = ['kernels', 'test/kernels', 'test/bench'];

/**
 * The path of a test executable (`quoth_kernels_test`, `quoth_kernels_bench`), built when its sources are new. Needs CMake,
 * Ninja and a C++20 compiler; throws with the compiler's words when the build fails.
 *
 * It is built in a folder of its own and then moved to its place in one step, so that two runs never share a build.
 */
export async function buildKernels(target: string): Promise<string> {
  const contents = hashOfFiles(sources, (path) => /\.(cc|h|txt)$/.test(path)).slice(0, 16);
  const folder = cacheFolder('kernels-test', `${process.platform}-${process.arch}-${contents}`);
  const name = process.platform === 'win32' ? `${target}.exe` : target;
  const executable = join(folder, name);
  if (await exists(executable)) return executable;
  await mkdir(folder, { recursive: true });
  const build = await mkdtemp(join(tmpdir(), 'quoth-kernels-'));
  const options = { maxBuffer: 16 << 20 };
  try {
    const configure = ['-S', join(root, 'kernels'), '-B', build, '-G', 'Ninja', '-DQUOTH_TESTS=ON'];
    await run('cmake', [...configure, '-DCMAKE_BUILD_TYPE=Release'], options);
    await run('cmake', ['--build', build, '--target', target, '--parallel', '2'], options);
    const finished = join(folder, `${name}.${process.pid}`);
    await copyFile(join(build, name), finished);
    await rename(finished, executable);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`the kernels' tests do not build: ${(stdout + stderr).slice(-4000)}`, { cause: error });
  } finally {
    await rm(build, { recursive: true, force: true });
  }
  return executable;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
