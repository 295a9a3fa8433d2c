// Operation × shape × type × instruction set against float64: each line of the C++ executable is a test.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { buildKernels } from './build.ts';

interface Line {
  name: string;
  failure: string | undefined;
}

function parse(output: string): Line[] {
  const lines: Line[] = [];
  for (const line of output.split(/\r?\n/)) {
    const match = /^(not )?ok (.+)$/.exec(line);
    if (match === null) continue;
    const text = match[2] ?? '';
    // A failing line ends in `: why`; names hold no colon.
    const colon = match[1] === undefined ? -1 : text.indexOf(': ');
    lines.push(
      colon < 0
        ? { name: text, failure: match[1] === undefined ? undefined : 'it gave no reason' }
        : { name: text.slice(0, colon), failure: text.slice(colon + 2) },
    );
  }
  return lines;
}

const executable = await buildKernels('quoth_kernels_test');
const ran = spawnSync(executable, { encoding: 'utf8', maxBuffer: 64 << 20, timeout: 300_000 });
const lines = parse(ran.stdout);

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
