import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, EngineOptions, GenerateEvent, GenerateRequest, Native } from '../../native/index.ts';
import { greedy } from '../../native/index.ts';
import { ask, generateAll, openNative, randomIds, statsWhen } from './native.ts';
import { planBytes, randomNumbers, temporaryFolder } from './plan-writer.ts';
import { tinyLlama } from './tiny-models.ts';

// Who gets kv pages and rows, who makes way, and that nothing runs out half-way.

const folder = temporaryFolder();
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
  plan = folder.write('admission.plan', planBytes(tinyLlama({ contextTokens: longContext })));
}, 600_000);
afterEach(async () => {
  for (const engine of engines) await engine.close();
  engines = [];
});
afterAll(() => folder.remove());

const prompt = (numTokens: number, seed: number) => randomIds(numTokens, vocabularySize, seed);
const person = { priority: 10 };
/** Without drafts: what must still run when a test looks takes its time. */
const slow = { speculation: 'off' } as const;

/** Starts a generation; `ids` fill while it runs. */
function start(engine: Engine, request: GenerateRequest) {
  const loop: AsyncIterator<GenerateEvent> = engine.generate(request)[Symbol.asyncIterator]();
  const ids: number[] = [];
  const ended = (async () => {
    for (let next = await loop.next(); !next.done; next = await loop.next())
      if (next.value.type === 'tokens') ids.push(...next.value.ids);
  })();
  return { ids, ended, leave: () => loop.return?.() };
}

describe('a person before background work', () => {
  test('does not wait for a long prompt that is being read', async () => {
    const alone = await generateAll(await load(), ask(prompt(200, 1), 30));
    const engine = await load({ kvTokens: longContext, stepTokens: 1024 });
    const background = start(engine, ask(prompt(60_000, 2), 10));
    await statsWhen(engine, (stats) => stats.numRunning === 1);
    const answer = await generateAll(engine, ask(prompt(200, 1), 30, person));
    expect(answer.ids).toEqual(alone.ids);
    expect(background.ids).toEqual([]);
    expect(await engine.stats()).toMatchObject({ numRunning: 1, outputTokens: 30 });
    await background.leave();
  });

  test('gets a place when background work has them all, and that work goes on with the same ids', async () => {
    const engine = await load({ stepTokens: 4, kvTokens: longContext }); // four rows, so four sequences at once
    const requests = Array.from({ length: 6 }, (_, i) => ask(prompt(30 + i, 10 + i), 20_000, slow));
    const background = requests.map((request) => start(engine, request));
    await statsWhen(engine, (stats) => stats.numRunning === 4 && stats.numWaiting === 2);
    await generateAll(engine, ask(prompt(20, 20), 20, person));
    const { numFinished, numRunning, numWaiting, outputTokens } = await engine.stats();
    expect([numFinished, numRunning + numWaiting]).toEqual([1, 6]);
    await statsWhen(engine, (stats) => stats.outputTokens > outputTokens + 400);
    for (const one of background) await one.leave();
    for (const [i, { ids }] of background.slice(0, 4).entries()) {
      expect(ids.length).toBeGreaterThan(20);
      const request = { ...requests[i]!, maxTokens: ids.length };
      expect((await generateAll(await load({ kvTokens: longContext }), request)).ids).toEqual(ids);
    }
  });

  test('takes the pages of as many as it needs, of the last that came', async () => {
    const engine = await load({ kvTokens: longContext }); // a quarter for each of four
    const background = [1, 2, 3, 4].map((seed) => start(engine, ask(prompt(100, 30 + seed), 32_668, slow)));
    await statsWhen(engine, (stats) => stats.numRunning === 4);
    const first = start(engine, ask(prompt(380, 40), 54_000, { ...person, ...slow })); // needs two of the quarters
    await statsWhen(engine, (stats) => stats.numWaiting === 2 && stats.numRunning === 3);
    const grows = async () => {
      const { outputTokens } = await engine.stats();
      await statsWhen(engine, (stats) => stats.outputTokens > outputTokens + 300);
      return background.map(({ ids }) => ids.length);
    };
    const [before, after] = [await grows(), await grows()];
    expect(after.map((count, i) => count > before[i]!)).toEqual([true, true, false, false]);
    for (const one of [first, ...background]) await one.leave();
    const stats = await engine.stats();
    expect(stats.kvPagesFree + stats.kvPagesCached).toBe(2048);
  });

  test('does not take pages from another person', async () => {
    const engine = await load({ kvTokens: longContext });
    const first = start(engine, ask(prompt(64, 50), 131_000, { ...person, ...slow }));
    await statsWhen(engine, (stats) => stats.outputTokens > 0);
    const second = start(engine, ask(prompt(64, 51), 300, person));
    await statsWhen(engine, (stats) => stats.numWaiting === 1);
    const third = start(engine, ask(prompt(64, 52), 300, { priority: 10.5 })); // a little more than a person
    await third.ended;
    expect([second.ids.length, third.ids.length]).toEqual([0, 300]);
    await first.leave();
    await second.ended;
    expect(second.ids).toHaveLength(300);
  });

  test('that would not fit even then leaves background work alone', async () => {
    const engine = await load({ kvTokens: longContext });
    const first = start(engine, ask(prompt(64, 60), 80_000, { ...person, ...slow }));
    const background = start(engine, ask(prompt(20, 61), 40_000, slow));
    await statsWhen(engine, (stats) => stats.numRunning === 2);
    const second = start(engine, ask(prompt(64, 62), 60_000, { ...person, ...slow })); // more than the background's pages
    const { outputTokens } = await statsWhen(engine, (stats) => stats.numWaiting === 1);
    const { numRunning } = await statsWhen(engine, (stats) => stats.outputTokens > outputTokens + 300);
    expect(numRunning).toBe(2);
    await background.leave();
    await first.leave();
    await statsWhen(engine, (stats) => stats.numRunning === 1);
    await second.leave();
  });
});

describe('a storm of requests over few pages', () => {
  test.each([1, 2, 3])('gives everybody what they get alone, and every page back (%i)', async (seed) => {
    const random = randomNumbers(seed);
    const below = (most: number) => Math.floor(((random() + 1) / 2) * most);
    const shared = [prompt(200, 70), prompt(130, 71), Array.from({ length: 150 }, (_, i) => i % 5)];
    const requests = Array.from({ length: 48 }, (_, i): GenerateRequest => {
      const start = shared[below(3)]!.slice(0, 1 + below(200));
      return ask([...start, ...prompt(below(60), 100 * seed + i)], 1 + below(120), {
        priority: [0, 0, 5, 10][below(4)]!,
        speculation: (['auto', 'always', 'off'] as const)[below(3)]!,
        sampling: below(2) === 0 ? greedy : { ...greedy, temperature: 0.8, topP: 0.9, presencePenalty: 0.2, seed: i },
        stopIds: below(3) === 0 ? [below(vocabularySize)] : [],
      });
    }).filter(({ ids }) => ids.length > 0);
    const alone = await load({ kvTokens: 4096 });
    const expected: number[][] = [];
    for (const request of requests) {
      const { ids } = await generateAll(alone, { ...request, speculation: 'off' });
      expected.push(ids);
    }
    const engine = await load({ kvTokens: 448, stepTokens: 40 }); // seven pages: one or two at a time
    const running = requests.map((request) => start(engine, request));
    const left = new Set<number>();
    for (let i = 0; i < running.length; i += 5) {
      left.add(i);
      await statsWhen(engine, (stats) => stats.numSteps > 20 * i || stats.numRunning === 0);
      await running[i]!.leave();
    }
    const scores = engine.score(Int32Array.from(shared[0]!));
    for (const [i, { ids, ended }] of running.entries()) {
      await ended;
      // The context of this engine may end an answer sooner than that of the large one.
      const most = Math.min(expected[i]!.length, 448 - requests[i]!.ids.length);
      if (left.has(i)) expect(expected[i]!.slice(0, ids.length), `request ${i}, left`).toEqual(ids);
      else expect(ids, `request ${i}`).toEqual(expected[i]!.slice(0, most));
    }
    expect(await scores).toEqual(await alone.score(Int32Array.from(shared[0]!)));
    expect(await engine.stats()).toMatchObject({ numRunning: 0, numWaiting: 0 });
    const { kvPagesFree, kvPagesCached } = await engine.stats();
    expect(kvPagesFree + kvPagesCached).toBe(7);
  });
});
