// Operation × shape × type × instruction set against float64: each line of the C++ executable is a test.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { buildKernels } from './build.ts';
import { parseLines } from './output.ts';

const executable = await buildKernels('quoth_kernels_test');
const ran = spawnSync(executable, { encoding: 'utf8', maxBuffer: 64 << 20, timeout: 300_000 });
const lines = parseLines(ran.stdout);

describe('the CPU device', () => {
  test('the executable runs to its end and counts what it printed', () => {
    expect(ran.signal).toBe(null);
    const numFailed = lines.filter((line) => line.failure !== undefined).length;
    expect(ran.stdout).toContain(`# ${lines.length - numFailed} passed, ${numFailed} failed`);
    expect(ran.status).toBe(numFailed === 0 ? 0 : 1);
    expect(lines.length).toBeGreaterThan(400);
  });

  test.each(lines)('$name', ({ failure }) => {
    expect(failure).toBe(undefined);
  });
});
