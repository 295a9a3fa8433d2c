import { describe, expect, it } from 'vitest';
import { engineReport } from '../../../app/contract/types.ts';
import { describeEngine } from '../../../app/models/describe-engine.ts';
import type { Offer } from '../../../app/models/offer.ts';
import { type Engine, type EngineStats, NativeError } from '../../../native/index.ts';
import { createSmallNative } from '../../fakes/small-native.ts';
import { createScene } from '../outside.ts';

const offer = { name: 'Tiny', role: 'chat' } as Offer;

async function engineWith(change: Partial<EngineStats> | Error): Promise<Engine> {
  const engine = await createSmallNative().loadEngine({ plan: 'a.plan' });
  const stats = await engine.stats();
  return {
    ...engine,
    stats: async () => {
      if (change instanceof Error) throw change;
      return { ...stats, ...change };
    },
  };
}
const itself = (engine: Engine): Engine => engine;

describe('what a loaded engine says to the window', () => {
  it('passes the contract, with the cost and the speed of a token', async () => {
    const engine = await engineWith({ decodeTokens: 20, decodeBytes: 4000, decodeMs: 500, draftedTokens: 9 });
    const report = await describeEngine(itself, engine, offer);
    expect(engineReport.parse(report)).toEqual(report);
    expect(report).toMatchObject({ model: 'Tiny', bytesPerToken: 200, bytesPerSecond: 8000, draftedTokens: 9 });
  });

  it('has no cost of a token before the first', async () => {
    const report = await describeEngine(itself, await engineWith({}), offer);
    expect(report).toMatchObject({ bytesPerToken: null, bytesPerSecond: null });
  });

  it('is nothing when nothing is loaded, or when it ended while it was asked', async () => {
    expect(await describeEngine(itself, null, offer)).toBe(null);
    const dead = await engineWith(new NativeError('engine-died', 'It ended.'));
    expect(await describeEngine(itself, dead, offer)).toBe(null);
  });

  it('is an empty list over the contract while no model is installed', async () => {
    const scene = await createScene({});
    try {
      const { client } = await scene.open();
      expect(await client.describeEngines({})).toEqual({ engines: [] });
    } finally {
      await scene.remove();
    }
  });
});
