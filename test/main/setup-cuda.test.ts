/** Where the CUDA kernels come from and go to, on machines that other programs stand in for. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cudaCacheFolder, cudaLibraryName, gpuArchitecture, placeCuda } from '../../main/setup/cuda.mjs';

const before = { PATH: process.env.PATH, QUOTH_CACHE: process.env.QUOTH_CACHE };
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quoth setup 山田 '));
  for (const name of ['programs', 'addon']) mkdirSync(join(folder, name));
  process.env.QUOTH_CACHE = join(folder, 'cache');
  process.env.PATH = join(folder, 'programs');
});
afterEach(() => {
  process.env.PATH = before.PATH;
  if (before.QUOTH_CACHE === undefined) delete process.env.QUOTH_CACHE;
  else process.env.QUOTH_CACHE = before.QUOTH_CACHE;
  rmSync(folder, { recursive: true, force: true });
});

/** A machine whose first GPU has this compute capability. */
function haveGpu(capability: string): void {
  const program = join(folder, 'programs', 'nvidia-smi');
  writeFileSync(program, `#!/bin/sh\necho ${capability}\n`);
  chmodSync(program, 0o755);
}

function haveCompiled(architectures: string | undefined, content: string): void {
  mkdirSync(cudaCacheFolder(architectures), { recursive: true });
  writeFileSync(join(cudaCacheFolder(architectures), cudaLibraryName), content);
}

const addon = () => join(folder, 'addon');
const placed = () => readFileSync(join(addon(), cudaLibraryName), 'utf8');

describe.skipIf(process.platform === 'win32')('The CUDA kernels beside the addon', () => {
  test('are not looked for on a machine without a GPU, though they were compiled', () => {
    haveCompiled(undefined, 'for all');
    expect(placeCuda(addon())).toBe(null);
    expect(readdirSync(addon())).toEqual([]);
  });

  test('are those for every GPU, or else for this one; a change of their sources changes them', () => {
    haveGpu('8.9');
    haveCompiled('89-real', 'for this one');
    expect(placeCuda(addon())).toMatchObject({ path: join(addon(), cudaLibraryName) });
    expect(placed()).toBe('for this one');
    haveCompiled(undefined, 'for all');
    placeCuda(addon());
    expect(placed()).toBe('for all');
    expect(placeCuda(addon())?.source).toBe(join(cudaCacheFolder(), cudaLibraryName));
  });

  test('stay away with a sentence where there is a GPU and no compiler', () => {
    haveGpu('12.0');
    const said: string[] = [];
    expect(placeCuda(addon(), { say: (line) => said.push(line) })).toBe(null);
    expect(said).toEqual([
      'The kernels for the GPU cannot be compiled: CUDA’s compiler nvcc is not on the PATH. The processor is used instead.',
    ]);
  });

  test('are compiled for the GPU’s own architecture, of the H100’s family with all its instructions', () => {
    expect(gpuArchitecture()).toBe(null);
    haveGpu('8.6');
    expect(gpuArchitecture()).toBe('86-real');
    haveGpu('9.0');
    expect(gpuArchitecture()).toBe('90a-real');
  });
});
