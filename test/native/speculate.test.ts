import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, EngineOptions, GenerateRequest, Native, Sampling } from '../../native/index.ts';
import { greedy } from '../../native/index.ts';
import { ask, generateAll, openNative, randomIds } from './native.ts';
import { llamaGreedy } from './oracle.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyLlama } from './tiny-models.ts';

// Drafted tokens may change how fast an answer comes, and nothing else.

const folder = temporaryFolder();
const model = tinyLlama();
const vocabularySize = model.shape.vocabularySize;
let native: Native;
let plan: string;
const engines: Engine[] = [];

async function load(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await native.loadEngine({ plan, device: 'cpu', numThreads: 1, kvTokens: 16_384, ...options });
  engines.push(engine);
  return engine;
}
beforeAll(async () => {
  native = await openNative();
  plan = folder.write('speculate.plan', planBytes(model));
}, 600_000);
afterAll(async () => {
  for (const engine of engines) await engine.close();
  folder.remove();
});

const random = (count: number, seed: number) => randomIds(count, vocabularySize, seed);
const warm: Sampling = { temperature: 0.7, topK: 20, topP: 0.95, minP: 0, repetitionPenalty: 1, seed: 9 };

/** Prompts with much, little and nothing to copy from, around the borders of kv pages. */
const prompts: number[][] = [
  random(1, 1),
  random(2, 2),
  random(63, 3),
  random(64, 4),
  random(65, 5),
  [...random(40, 6), ...random(40, 6)],
  [...random(120, 7), ...random(9, 8), ...random(120, 7)],
  [...random(30, 9), ...random(30, 9), ...random(30, 9), ...random(5, 9)],
  Array.from({ length: 100 }, (_, i) => i % 3),
  Array.from({ length: 70 }, () => 5),
  ...Array.from({ length: 10 }, (_, i) => random(10 + 13 * i, 20 + i)),
];

async function idsOf(engine: Engine, prompt: number[], rest: Partial<GenerateRequest>, maxTokens = 80) {
  return (await generateAll(engine, ask(prompt, maxTokens, rest))).ids;
}

describe('the ids are the same with and without speculation', () => {
  const samplings: [string, Sampling][] = [
    ['greedy', greedy],
    ['a repetition penalty', { ...greedy, repetitionPenalty: 1.3 }],
    ['a temperature', warm],
    ['a temperature and a penalty', { ...warm, temperature: 1.2, repetitionPenalty: 1.1, seed: 77 }],
  ];

  test.each(samplings)('%s, one after the other and all at once', async (_, sampling) => {
    const plain = await load();
    const drafting = await load();
    const together = await load();
    const batch = Promise.all(prompts.map((ids) => idsOf(together, ids, { sampling, speculation: 'always' })));
    for (const [i, ids] of prompts.entries()) {
      const expected = await idsOf(plain, ids, { sampling, speculation: 'off' });
      expect(await idsOf(drafting, ids, { sampling, speculation: 'always' }), `prompt ${i}`).toEqual(expected);
      expect((await batch)[i], `prompt ${i} in the batch`).toEqual(expected);
      expect(await idsOf(drafting, ids, { sampling }), `prompt ${i}, auto, cached`).toEqual(expected);
    }
    expect(await plain.stats()).toMatchObject({ draftedTokens: 0, acceptedTokens: 0 });
    for (const engine of [drafting, together]) {
      const { draftedTokens, acceptedTokens } = await engine.stats();
      expect(draftedTokens).toBeGreaterThan(acceptedTokens); // some are wrong: their rows are computed and dropped
      expect(acceptedTokens).toBeGreaterThan(0);
    }
  });

  test('greedy ids are those of float64', async () => {
    const prompt = [...random(30, 31), ...random(30, 31)];
    const engine = await load();
    expect(await idsOf(engine, prompt, { speculation: 'always' }, 40)).toEqual(llamaGreedy(model, prompt, 40));
    expect((await engine.stats()).draftedTokens).toBeGreaterThan(0);
  });

  test.each([1, 2, 5, 64])('steps of at most %i rows', async (stepTokens) => {
    const prompt = [...random(50, 41), ...random(50, 41)];
    const expected = await idsOf(await load(), prompt, { speculation: 'off' });
    const engine = await load({ stepTokens });
    expect(await idsOf(engine, prompt, { speculation: 'always' })).toEqual(expected);
    if (stepTokens === 1) expect((await engine.stats()).draftedTokens).toBe(0);
  });

  test('while prompts, scorings and other answers share the steps', async () => {
    const prompt = prompts[6]!;
    const expected = await idsOf(await load(), prompt, { speculation: 'off' }, 150);
    const engine = await load({ stepTokens: 48 });
    const [ids] = await Promise.all([
      idsOf(engine, prompt, { speculation: 'always' }, 150),
      engine.score(Int32Array.from(random(400, 50))),
      ...prompts.map((other) => idsOf(engine, other, { speculation: 'always' }, 20)),
    ]);
    expect(ids).toEqual(expected);
  });

  test('a stop id inside a run of right drafts ends the generation there', async () => {
    const prompt = prompts[8]!;
    const free = await idsOf(await load(), prompt, { speculation: 'off' }, 200);
    for (const at of [1, 2, 3, 7, 20, 60]) {
      const stop = free[at]!;
      const { ids, finished } = await generateAll(
        await load(),
        ask(prompt, 200, { stopIds: [stop], speculation: 'always' }),
      );
      expect(ids).toEqual(free.slice(0, free.indexOf(stop)));
      expect(finished).toMatchObject({ reason: 'stop', numOutputTokens: ids.length });
    }
  });

  test.each([1, 2, 3, 8, 9, 33])('an answer of at most %i tokens has no more', async (maxTokens) => {
    const prompt = prompts[9]!;
    const { ids, finished } = await generateAll(await load(), ask(prompt, maxTokens, { speculation: 'always' }));
    expect(ids).toEqual(await idsOf(await load(), prompt, { speculation: 'off' }, maxTokens));
    expect(finished).toMatchObject({ reason: 'length', numOutputTokens: maxTokens });
  });
});

describe('kv pages', () => {
  test('never keep a wrong draft: what is reused after it gives the ids of a new engine', async () => {
    const engine = await load();
    for (const [i, prompt] of prompts.entries()) {
      const answer = await idsOf(engine, prompt, { sampling: warm, speculation: 'always' }, 130);
      const next = [...prompt, ...answer, ...random(7, 60 + i)];
      const again = await generateAll(engine, ask(next, 40, { speculation: 'always' }));
      // All whole pages of the answer that were computed are found again, so that its rows are used here.
      expect(again.started.numCachedTokens).toBe(64 * Math.floor((prompt.length + answer.length - 1) / 64));
      expect(again.ids).toEqual(await idsOf(await load(), next, { speculation: 'off' }, 40));
    }
    expect((await engine.stats()).draftedTokens).toBeGreaterThan((await engine.stats()).acceptedTokens);
  });

  test('drafts take none that was not promised: a generation fills the last one to its end', async () => {
    const engine = await load({ kvTokens: 128 });
    const prompt = Array.from({ length: 60 }, (_, i) => i % 2);
    const ids = await idsOf(engine, prompt, { speculation: 'always' }, 1000);
    expect(ids).toHaveLength(68);
    expect(ids).toEqual(await idsOf(await load({ kvTokens: 128 }), prompt, { speculation: 'off' }, 1000));
    const stats = await engine.stats();
    expect(stats.kvPagesFree + stats.kvPagesCached).toBe(2);
  });

  test('a generation that makes way and goes on later gives the same ids', async () => {
    const background = ask(prompts[7]!, 500, { speculation: 'always' });
    const undisturbed = await generateAll(await load({ kvTokens: 640 }), background);
    const engine = await load({ kvTokens: 640 });
    const loop = engine.generate(background)[Symbol.asyncIterator]();
    const ids: number[] = [];
    const collect = async () => {
      for (let next = await loop.next(); !next.done; next = await loop.next())
        if (next.value.type === 'tokens') ids.push(...next.value.ids);
    };
    const collected = collect();
    await generateAll(engine, ask(random(300, 71), 50, { priority: 10 }));
    await collected;
    expect(ids).toEqual(undisturbed.ids);
  });
});

test('what is not an answer to whether to speculate is refused', async () => {
  const engine = await load();
  const wrong = ask(random(5, 1), 3, { speculation: 'sometimes' as 'auto' });
  await expect(generateAll(engine, wrong)).rejects.toMatchObject({ code: 'invalid-input' });
});
