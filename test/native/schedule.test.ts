import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, EngineOptions, GenerateEvent, GenerateRequest, Native } from '../../native/index.ts';
import { ask as askAnything, generateAll, openNative, randomIds, statsWhen } from './native.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
// A context so long that a generation to its end takes many seconds: it surely still runs when a test looks.
const longContext = 1 << 17;
const vocabularySize = 97;
let native: Native;
let plan: string;
let engines: Engine[] = [];

async function load(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await native.loadEngine({ plan, device: 'cpu', numThreads: 1, ...options });
  engines.push(engine);
  return engine;
}
beforeAll(async () => {
  native = await openNative();
  plan = folder.write('long.plan', planBytes(tinyLlama({ contextTokens: longContext })));
}, 600_000);
afterEach(async () => {
  for (const engine of engines) await engine.close();
  engines = [];
});
afterAll(() => folder.remove());

/** Without drafts, a generation surely still runs when a test looks. */
const ask: typeof askAnything = (ids, maxTokens, rest) => askAnything(ids, maxTokens, { speculation: 'off', ...rest });
const prompt = (numTokens: number, seed: number) => randomIds(numTokens, vocabularySize, seed);
/** Starts a generation and gives its loop once it has put out its first ids. */
async function begin(engine: Engine, request: GenerateRequest): Promise<AsyncIterator<GenerateEvent>> {
  const loop = engine.generate(request)[Symbol.asyncIterator]();
  for (;;) {
    const event = await loop.next();
    if (event.done || event.value.type === 'tokens') return loop;
  }
}
const allFree = (stats: Awaited<ReturnType<Engine['stats']>>) =>
  stats.kvPagesFree + stats.kvPagesCached === stats.kvPagesTotal && stats.numRunning + stats.numWaiting === 0;

describe('cancelling', () => {
  test('leaving the loop cancels the generation, and its kv pages are free', async () => {
    const engine = await load({ kvTokens: longContext });
    let numEvents = 0;
    for await (const event of engine.generate(ask(prompt(100, 1), 100_000))) {
      if (event.type === 'tokens') numEvents += 1;
      if (numEvents === 3) break;
    }
    const stats = await engine.stats();
    expect(allFree(stats)).toBe(true);
    expect(stats.outputTokens).toBeLessThan(100_000);
  });

  test('leaving while a long prompt is computed abandons the step', async () => {
    const engine = await load({ kvTokens: longContext, stepTokens: 8192 });
    const loop = engine.generate(ask(prompt(120_000, 2), 10))[Symbol.asyncIterator]();
    expect((await loop.next()).value?.type).toBe('started');
    const waiting = loop.next();
    await loop.return?.();
    expect(await waiting).toEqual({ value: undefined, done: true });
    const stats = await engine.stats();
    expect(allFree(stats)).toBe(true);
    expect(stats.outputTokens).toBe(0);
  });

  test('a cancelled generation leaves the others as they are', async () => {
    const engine = await load({ kvTokens: 16_384 });
    const alone = await generateAll(engine, ask(prompt(90, 3), 200));
    const loop = await begin(engine, ask(prompt(50, 4), 10_000));
    const other = generateAll(engine, ask(prompt(90, 3), 200));
    await loop.return?.();
    expect((await other).ids).toEqual(alone.ids);
  });

  test('a generation cancelled while it waits never runs', async () => {
    const engine = await load({ kvTokens: 10_240 });
    const running = await begin(engine, ask(prompt(64, 5), 10_000));
    const waiting = engine.generate(ask(prompt(64, 6), 5000))[Symbol.asyncIterator]();
    const first = waiting.next();
    await statsWhen(engine, (stats) => stats.numWaiting === 1);
    await waiting.return?.();
    expect((await first).done).toBe(true);
    expect(await engine.stats()).toMatchObject({ numRunning: 1, numWaiting: 0, promptTokens: 64 });
    await running.return?.();
  });

  test('what a cancelled generation computed is reused', async () => {
    const engine = await load({ kvTokens: 16_384 });
    await (await begin(engine, ask(prompt(200, 7), 10_000))).return?.();
    expect((await generateAll(engine, ask(prompt(200, 7), 1))).started.numCachedTokens).toBe(192);
  });
});

describe('kv pages', () => {
  test('when they are short a generation waits and does not fail', async () => {
    const engine = await load({ kvTokens: 320 });
    const prompts = Array.from({ length: 12 }, (_, i) => prompt(70 + 10 * i, 20 + i));
    const together = await Promise.all(prompts.map((ids) => generateAll(engine, ask(ids, 60))));
    for (const [i, ids] of prompts.entries()) {
      expect(together[i]!.ids).toEqual((await generateAll(await load(), ask(ids, 60))).ids);
    }
    expect(allFree(await engine.stats())).toBe(true);
  });

  test('of a prefix are shared while the one that computed them still runs', async () => {
    const engine = await load({ kvTokens: 32_768 });
    const loop = await begin(engine, ask(prompt(256, 40), 10_000));
    const before = await engine.stats();
    const second = await generateAll(engine, ask([...prompt(256, 40), ...prompt(20, 41)], 3));
    expect(second.started.numCachedTokens).toBe(256);
    expect((await engine.stats()).cachedTokens - before.cachedTokens).toBe(256);
    await loop.return?.();
  });

  test('of old prefixes make way for new ones, least recently used first', async () => {
    const engine = await load({ kvTokens: 640 }); // ten pages; each of these leaves three full ones
    const three = (seed: number) => generateAll(engine, ask(prompt(192, seed), 1));
    await three(50);
    await three(51);
    await three(52);
    expect((await three(50)).started.numCachedTokens).toBe(128); // used again: 51 is the oldest now
    await generateAll(engine, ask(prompt(320, 53), 1)); // the free page, the unused end of 50, and 51
    expect((await three(51)).started.numCachedTokens).toBe(0);
    expect((await three(50)).started.numCachedTokens).toBe(128);
  });

  test('a prompt that all of them together cannot hold is refused', async () => {
    const engine = await load({ kvTokens: 128 });
    await expect(generateAll(engine, ask(prompt(128, 60), 1))).rejects.toMatchObject({ code: 'invalid-input' });
    const { ids, finished } = await generateAll(engine, ask(prompt(120, 61), 100));
    expect([ids.length, finished.reason]).toEqual([8, 'length']);
  });

  test('are counted: kvTokens is rounded up to whole pages', async () => {
    const engine = await load({ kvTokens: 130 });
    expect(await engine.stats()).toMatchObject({ kvPagesTotal: 3, kvPagesFree: 3, kvPagesCached: 0 });
    expect(engine.info.kvBytes).toBe(3 * 64 * 2 * 2 * 2 * 16 * 4); // tokens, layers, k and v, heads, size, f32
  });
});

describe('priorities', () => {
  test('one of higher priority takes the pages of a lower one, which goes on later with the same ids', async () => {
    const small = { kvTokens: 2048 };
    const background = ask(prompt(100, 70), 1800, { priority: 0 });
    const undisturbed = await generateAll(await load(small), background);
    const engine = await load(small);
    const disturbed = generateAll(engine, background);
    await statsWhen(engine, (stats) => stats.outputTokens > 10);
    const person = await generateAll(engine, ask(prompt(300, 71), 50, { priority: 10 }));
    expect(person.ids).toHaveLength(50);
    expect((await engine.stats()).outputTokens).toBeLessThan(1850);
    expect((await disturbed).ids).toEqual(undisturbed.ids);
  });

  test('the highest of those that wait goes first', async () => {
    const engine = await load({ kvTokens: 1024 });
    const running = await begin(engine, ask(prompt(64, 80), 960, { priority: 10 }));
    const order: number[] = [];
    const waiting = [1, 5, 3].map(async (priority) => {
      await generateAll(engine, ask(prompt(600, 80 + priority), 400, { priority }));
      order.push(priority);
    });
    await statsWhen(engine, (stats) => stats.numWaiting === 3);
    await running.return?.();
    await Promise.all(waiting);
    expect(order).toEqual([5, 3, 1]);
  });
});
