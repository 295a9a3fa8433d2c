/** The checks that a GPU is asked for (device.gpu.test.ts), on the processor and a tenth as large: they can pass, and fail. */
import { beforeAll, describe, expect, test } from 'vitest';
import { openNative } from '../native.ts';
import { type Check, type Checked, judge, runChecks } from './checks.ts';
import { families } from './families.ts';

beforeAll(openNative, 600_000);

async function resultsOf(check: Check): Promise<Checked[]> {
  const all: Checked[] = [];
  const place = { native: await openNative(), device: 'cpu' as const, isSmall: true };
  await runChecks([check], place, (checked) => all.push(checked));
  return all;
}

describe('The checks of whole models, on the processor', () => {
  // The reference models have tests of their own; PyTorch is rarely here.
  test.each(['greedy', 'memory', 'story'])('%s: all pass', { timeout: 120_000 }, async (name) => {
    const all = await resultsOf(families[name]!);
    expect(all.length).toBeGreaterThan(0);
    expect(all.filter(({ failure }) => failure !== undefined)).toEqual([]);
  });

  test('what is out of its bounds, and what throws, is a failure', async () => {
    const [tooFar, thrown] = await resultsOf({
      name: 'a bad day',
      async *run() {
        yield judge('a number', '7', false);
        throw new Error('no memory');
      },
    });
    expect(tooFar).toEqual({ name: 'a number', reached: '7', failure: 'out of its bounds' });
    expect(thrown).toMatchObject({ name: 'a bad day', failure: expect.stringContaining('no memory') });
  });
});
