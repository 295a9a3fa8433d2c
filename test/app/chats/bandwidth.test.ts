import { describe, expect, it } from 'vitest';
import { countBandwidth } from '../../../app/chats/bandwidth.ts';
import type { Engine, EngineStats } from '../../../native/index.ts';

/** An engine that has decoded so much at each time it is asked. */
function engineOf(memoryBytesPerSecond: number, stats: (Partial<EngineStats> | Error)[]): Engine {
  const info = { memoryBytesPerSecond };
  const next = async () => {
    const one = stats.shift();
    if (one instanceof Error) throw one;
    return one;
  };
  return { info, stats: next } as unknown as Engine;
}

describe('the share of the memory’s bandwidth', () => {
  it('is that of the steps since the answer was begun', async () => {
    const share = countBandwidth(
      engineOf(1e12, [
        { decodeMs: 1000, decodeBytes: 9e11 },
        { decodeMs: 1500, decodeBytes: 12e11 },
      ]),
    );
    expect(await share()).toBeCloseTo(0.6);
  });

  it.each([
    ['the device does not say what it could give', engineOf(0, [])],
    [
      'nothing was generated',
      engineOf(1e12, [
        { decodeMs: 5, decodeBytes: 5 },
        { decodeMs: 5, decodeBytes: 5 },
      ]),
    ],
    ['the engine does not answer', engineOf(1e12, [new Error('gone'), new Error('gone')])],
  ])('is unknown where %s', async (_why, engine) => expect(await countBandwidth(engine)()).toBe(null));
});
