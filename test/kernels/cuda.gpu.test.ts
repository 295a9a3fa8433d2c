// The same cases as kernels.test.ts on the GPU of this machine. Without nvcc or a GPU it says so and skips.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { compileCuda, gpuArchitecture, whyNoCuda } from '../../main/setup/cuda.mjs';
import { buildKernels } from './build.ts';
import { parseLines } from './output.ts';

const skipped = 77; // the executable's exit status where there is no GPU

function run(): { reason: string } | { output: string; status: number | null } {
  const why = whyNoCuda();
  if (why !== null) return { reason: why };
  const architecture = gpuArchitecture();
  if (architecture === null) return { reason: 'there is no NVIDIA GPU' };
  const compiled = compileCuda(architecture);
  if (compiled.library === undefined) throw new Error(compiled.complaint);
  const answer = spawnSync(executable, ['--cuda', compiled.library], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: 300_000,
  });
  return answer.status === skipped
    ? { reason: answer.stdout.trim() }
    : { output: answer.stdout, status: answer.status };
}

const executable = await buildKernels('quoth_kernels_test');
const ran = run();
const reason = 'reason' in ran ? ran.reason : undefined;
const lines = 'output' in ran ? parseLines(ran.output) : [];

describe.skipIf(reason !== undefined)(`the CUDA device${reason === undefined ? '' : ` (${reason})`}`, () => {
  test('the executable runs to its end', () => {
    const numFailed = lines.filter((line) => line.failure !== undefined).length;
    expect('output' in ran && ran.output).toContain(`# ${lines.length - numFailed} passed, ${numFailed} failed`);
    expect(lines.length).toBeGreaterThan(300);
  });

  for (const { name, failure } of lines) test(name, () => expect(failure).toBe(undefined));
});
