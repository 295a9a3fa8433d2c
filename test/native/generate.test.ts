import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, EngineOptions, Native } from '../../native/index.ts';
import { ask, generateAll, openNative, randomIds } from './native.ts';
import { llamaGreedy, llamaLogits, llamaScores } from './oracle.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
const model = tinyLlama();
const vocabularySize = model.shape.vocabularySize;
let native: Native;
let plan: string;
const engines: Engine[] = [];

async function load(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await native.loadEngine({ plan, device: 'cpu', numThreads: 2, ...options });
  engines.push(engine);
  return engine;
}

beforeAll(async () => {
  native = await openNative();
  plan = folder.write('tiny llama.plan', planBytes(model));
}, 600_000);
afterAll(async () => {
  for (const engine of engines) await engine.close();
  folder.remove();
});

describe('what the engine computes', () => {
  // The tolerance is of float32 sums against float64; for q8, q4 and int4, of inputs rounded to 16 bits.
  test.each([
    ['f32', 'f32', 1e-4],
    ['f16', 'f32', 1e-4],
    ['f32', 'f16', 3e-3],
    ['q8', 'f32', 3e-4],
    ['q4', 'f32', 3e-4],
    ['int4_g32', 'f32', 3e-4],
    ['int4_g128', 'f32', 3e-4],
    ['f8', 'f32', 1e-4],
  ] as const)('scores of %s weights and %s kv agree with float64', async (weights, kv, tolerance) => {
    const wide = weights === 'int4_g128' ? { size: 128, numHeads: 8, innerSize: 128 } : {};
    const other = tinyLlama({ weights, kv, ...wide });
    const engine = await load({ plan: folder.write(`${weights} ${kv}.plan`, planBytes(other)) });
    const ids = randomIds(150, vocabularySize, 7);
    const scores = await engine.score(Int32Array.from(ids));
    const expected = llamaScores(other, ids);
    expect(scores).toHaveLength(ids.length);
    expect(scores[0]).toBeNaN();
    for (let i = 1; i < ids.length; i++) expect(Math.abs(scores[i]! - expected[i]!)).toBeLessThan(tolerance);
  });

  test('logits of every row are those of float64, in steps of any length', async () => {
    const ids = randomIds(150, vocabularySize, 8);
    const expected = llamaLogits(model, ids);
    for (const stepTokens of [1, 64, 100]) {
      const engine = await load({ stepTokens });
      const logits = await engine.logits(Int32Array.from(ids));
      expect(logits).toHaveLength(ids.length * vocabularySize);
      logits.forEach((logit, i) => {
        const row = expected[Math.floor(i / vocabularySize)]!;
        if (Math.abs(logit - row[i % vocabularySize]!) > 1e-4)
          expect(logit, `number ${i}`).toBe(row[i % vocabularySize]);
      });
    }
  });

  test('greedy ids are those of float64', async () => {
    const engine = await load();
    const prompt = randomIds(37, vocabularySize, 3);
    const { ids, started, finished } = await generateAll(engine, ask(prompt, 40));
    expect(ids).toEqual(llamaGreedy(model, prompt, 40));
    expect(started).toEqual({ type: 'started', numPromptTokens: 37, numCachedTokens: 0 });
    expect(finished).toMatchObject({ reason: 'length', numOutputTokens: 40 });
    expect(finished.ttftMs).toBeGreaterThan(0);
  });

  test.each([
    ['f32', 0],
    ['f32', 10],
    ['int4_g32', 70],
  ] as const)('all that only some models have, in %s and a window of %i', async (weights, window) => {
    const other = tinyLlama({ weights, window, extras: true });
    const engine = await load({ plan: folder.write(`extras ${weights} ${window}.plan`, planBytes(other)) });
    const ids = randomIds(150, vocabularySize, 8);
    const scores = await engine.score(Int32Array.from(ids));
    llamaScores(other, ids).forEach((expected, i) => {
      if (i > 0) expect(Math.abs(scores[i]! - expected)).toBeLessThan(3e-4);
    });
  });

  test('a window limits what a row sees', async () => {
    const windowed = tinyLlama({ window: 10 });
    const engine = await load({ plan: folder.write('window.plan', planBytes(windowed)) });
    const ids = randomIds(90, vocabularySize, 5);
    const scores = await engine.score(Int32Array.from(ids));
    llamaScores(windowed, ids).forEach((expected, i) => {
      if (i > 0) expect(Math.abs(scores[i]! - expected)).toBeLessThan(1e-4);
    });
  });

  test('a stop id ends the generation and is not yielded', async () => {
    const engine = await load();
    const prompt = randomIds(20, vocabularySize, 4);
    const free = llamaGreedy(model, prompt, 12);
    const stop = free[6]!;
    const { ids, finished } = await generateAll(engine, ask(prompt, 12, { stopIds: [96, stop] }));
    expect(ids).toEqual(free.slice(0, free.indexOf(stop)));
    expect(finished).toMatchObject({ reason: 'stop', numOutputTokens: ids.length });
  });

  test('the context ends a generation that asks for more', async () => {
    const engine = await load();
    const { ids, finished } = await generateAll(engine, ask(randomIds(630, vocabularySize, 8), 1000));
    expect(ids).toHaveLength(10);
    expect(finished.reason).toBe('length');
  });
});

describe('what must not change the result', () => {
  const prompt = randomIds(300, vocabularySize, 11);
  let alone: number[];
  beforeAll(async () => {
    alone = (await generateAll(await load({ stepTokens: 512 }), ask(prompt, 60))).ids;
  });

  test.each([1, 7, 64, 100, 256])('prefill in chunks of %i gives the ids of one chunk', async (stepTokens) => {
    const engine = await load({ stepTokens });
    expect((await generateAll(engine, ask(prompt, 60))).ids).toEqual(alone);
  });

  test.each([1, 2])('%i threads give the same ids', async (numThreads) => {
    expect((await generateAll(await load({ numThreads }), ask(prompt, 60))).ids).toEqual(alone);
  });

  test('a generation gives the same ids alone and among others', async () => {
    const engine = await load({ stepTokens: 96, kvTokens: 8192 });
    const others = Array.from({ length: 9 }, (_, i) => randomIds(20 + 31 * i, vocabularySize, 50 + i));
    const [first, ...rest] = await Promise.all([
      generateAll(engine, ask(prompt, 60)),
      ...others.map((ids) => generateAll(engine, ask(ids, 25))),
    ]);
    expect(first.ids).toEqual(alone);
    for (const [i, ids] of others.entries()) {
      expect(rest[i]!.ids).toEqual((await generateAll(await load(), ask(ids, 25))).ids);
    }
  });

  test('a prefix from the cache gives the ids of a computed one', async () => {
    const engine = await load();
    await generateAll(engine, ask(prompt, 5));
    const again = await generateAll(engine, ask(prompt, 60));
    expect(again.started.numCachedTokens).toBe(256); // four whole kv pages of 300 tokens
    expect(again.ids).toEqual(alone);
    const longer = await generateAll(engine, ask([...prompt, ...alone], 1));
    expect(longer.started.numCachedTokens).toBe(320); // of the 359 rows that the last one computed
  });

  test('another first token shares nothing', async () => {
    const engine = await load();
    await generateAll(engine, ask(prompt, 1));
    const other = await generateAll(engine, ask([(prompt[0]! + 1) % vocabularySize, ...prompt.slice(1)], 1));
    expect(other.started.numCachedTokens).toBe(0);
  });

  test('scores are the same bits in chunks, among others and after others', async () => {
    const engine = await load({ stepTokens: 48 });
    const ids = Int32Array.from(prompt);
    const whole = await (await load({ stepTokens: 512 })).score(ids);
    const [scores] = await Promise.all([engine.score(ids), generateAll(engine, ask(prompt, 30))]);
    expect(scores).toEqual(whole);
    expect(await engine.score(ids)).toEqual(whole);
  });
});

describe('sampling', () => {
  const prompt = randomIds(70, vocabularySize, 21);
  const warm = { temperature: 1.5, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 42 };
  const sample = async (engine: Engine, change: Partial<typeof warm> = {}) =>
    (await generateAll(engine, ask(prompt, 50, { sampling: { ...warm, ...change } }))).ids;

  test('the same seed gives the same ids, alone or not; another seed gives others', async () => {
    const engine = await load({ kvTokens: 4096 });
    const first = await sample(engine);
    const [again, other] = await Promise.all([
      sample(engine),
      sample(engine, { seed: 43 }),
      sample(engine, { seed: 44 }),
    ]);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(await sample(await load({ stepTokens: 16 }))).toEqual(first);
  });

  test('top-k 1, a tiny top-p and min-p 1 are greedy', async () => {
    const engine = await load();
    const { ids: best } = await generateAll(engine, ask(prompt, 50));
    expect(await sample(engine, { topK: 1 })).toEqual(best);
    expect(await sample(engine, { topP: 1e-6 })).toEqual(best);
    expect(await sample(engine, { minP: 1 })).toEqual(best);
    expect(await sample(engine, { temperature: 0 })).toEqual(best);
  });

  test('the frequencies of sampled ids are the probabilities of the model', async () => {
    const engine = await load({ kvTokens: 8192 });
    const counts = new Float64Array(vocabularySize);
    const numSamples = 1500;
    for (let seed = 0; seed < numSamples; seed++) {
      const { ids } = await generateAll(engine, ask(prompt, 1, { sampling: { ...warm, temperature: 1, seed } }));
      counts[ids[0]!]! += 1;
    }
    const scores = await Promise.all(
      Array.from({ length: vocabularySize }, (_, id) => engine.score(Int32Array.from([...prompt, id]))),
    );
    // Chi-squared with at most 96 degrees of freedom; it passes 160 once in 10 000 runs, and the seeds are always the same.
    let chiSquared = 0;
    scores.forEach((score, id) => {
      const expected = Math.exp(score.at(-1)!) * numSamples;
      chiSquared += (counts[id]! - expected) ** 2 / expected;
    });
    expect(chiSquared).toBeLessThan(160);
  });

  test('a repetition penalty weakens the ids of the prompt and of the output', async () => {
    const start = prompt.slice(0, 12);
    const expected = [...start];
    for (let i = 0; i < 20; i++) {
      const logits = llamaLogits(model, expected).at(-1)!;
      for (const id of new Set(expected)) logits[id]! *= logits[id]! > 0 ? 1 / 1.7 : 1.7;
      expected.push(logits.indexOf(Math.max(...logits)));
    }
    const sampling = { ...warm, temperature: 0, repetitionPenalty: 1.7 };
    const { ids } = await generateAll(await load(), ask(start, 20, { sampling }));
    expect(ids).toEqual(expected.slice(start.length));
    expect(ids).not.toEqual(llamaGreedy(model, start, 20));
  });
});
