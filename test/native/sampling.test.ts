import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, EngineOptions, Native, Sampling, TokenLogProbabilities } from '../../native/index.ts';
import { greedy } from '../../native/index.ts';
import { ask, codeOf, generateAll, openNative, randomIds } from './native.ts';
import { llamaLogits } from './oracle.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyLlama } from './tiny-models.ts';

// Bias, penalties and log-probabilities, against the same rules applied to the logits of float64.

const folder = temporaryFolder();
const model = tinyLlama();
const vocabularySize = model.shape.vocabularySize;
let native: Native;
let plan: string;
const engines: Engine[] = [];

async function load(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await native.loadEngine({ plan, device: 'cpu', numThreads: 1, kvTokens: 8192, ...options });
  engines.push(engine);
  return engine;
}
beforeAll(async () => {
  native = await openNative();
  plan = folder.write('sampling.plan', planBytes(model));
}, 600_000);
afterAll(async () => {
  for (const engine of engines) await engine.close();
  folder.remove();
});

const prompt = randomIds(12, vocabularySize, 21);
const warm: Sampling = { temperature: 0.9, topK: 40, topP: 0.95, minP: 0.01, repetitionPenalty: 1.05, seed: 5 };

/** Greedy generation as a textbook has it. */
function expectedIds(sampling: Partial<Sampling>, numTokens: number): number[] {
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias = [] } = sampling;
  const ids = [...prompt];
  for (let i = 0; i < numTokens; i++) {
    const logits = llamaLogits(model, ids).at(-1)!;
    for (const [id, bias] of logitBias) logits[id]! += bias;
    for (const id of new Set(ids)) logits[id]! *= logits[id]! > 0 ? 1 / repetitionPenalty : repetitionPenalty;
    const output = ids.slice(prompt.length);
    for (const id of output) logits[id]! -= frequencyPenalty;
    for (const id of new Set(output)) logits[id]! -= presencePenalty;
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  return ids.slice(prompt.length);
}

describe('bias and penalties', () => {
  const rules: [string, Partial<Sampling>][] = [
    ['a presence penalty', { presencePenalty: 0.8 }],
    ['a frequency penalty', { frequencyPenalty: 0.4 }],
    ['a presence reward', { presencePenalty: -0.5 }],
    [
      'a bias',
      {
        logitBias: [
          [3, 2],
          [60, -1000],
          [61, 1.5],
        ],
      },
    ],
    ['all of them', { repetitionPenalty: 1.2, presencePenalty: 0.3, frequencyPenalty: 0.2, logitBias: [[7, 1]] }],
  ];

  test.each(rules)('%s chooses as float64 does, with drafts and without', async (_, rule) => {
    const expected = expectedIds(rule, 24);
    const plain = expectedIds({}, 24);
    expect(expected).not.toEqual(plain);
    const sampling = { ...greedy, ...rule };
    const engine = await load();
    for (const speculation of ['off', 'always'] as const)
      expect((await generateAll(engine, ask(prompt, 24, { sampling, speculation }))).ids).toEqual(expected);
  });

  test('penalties of output do not see the prompt', async () => {
    const engine = await load();
    const first = async (sampling: Sampling) => (await generateAll(engine, ask(prompt, 1, { sampling }))).ids;
    expect(await first({ ...greedy, presencePenalty: 100, frequencyPenalty: 100 })).toEqual(await first(greedy));
  });

  test('an id of bias -1000 never comes, one of 1000 always', async () => {
    const engine = await load();
    const free = (await generateAll(engine, ask(prompt, 30, { sampling: warm }))).ids;
    const banned = [...new Set(free)].map((id): [number, number] => [id, -1000]);
    const { ids } = await generateAll(engine, ask(prompt, 30, { sampling: { ...warm, logitBias: banned } }));
    expect(ids.filter((id) => free.includes(id))).toEqual([]);
    const forced = { ...warm, logitBias: [[50, 1000]] as [number, number][] };
    expect((await generateAll(engine, ask(prompt, 5, { sampling: forced }))).ids).toEqual([50, 50, 50, 50, 50]);
  });

  test('a seed gives the same ids alone, in a batch, in small steps and with drafts', async () => {
    const sampling: Sampling = { ...warm, presencePenalty: 0.4, frequencyPenalty: 0.3, logitBias: [[9, 1]], seed: 12 };
    const expected = (await generateAll(await load(), ask(prompt, 60, { sampling, speculation: 'off' }))).ids;
    const engine = await load({ stepTokens: 32 });
    const [ids] = await Promise.all([
      generateAll(engine, ask(prompt, 60, { sampling, speculation: 'always' })),
      ...[1, 2, 3].map((seed) => generateAll(engine, ask(prompt, 40, { sampling: { ...sampling, seed } }))),
    ]);
    expect(ids.ids).toEqual(expected);
  });

  test.each<[string, Partial<Sampling>]>([
    ['presencePenalty', { presencePenalty: 101 }],
    ['frequencyPenalty', { frequencyPenalty: Number.NaN }],
    ['an id beyond the vocabulary', { logitBias: [[97, 1]] }],
    ['a bias beyond its range', { logitBias: [[1, 1001]] }],
    [
      'an id twice',
      {
        logitBias: [
          [1, 1],
          [1, 2],
        ],
      },
    ],
    ['a bias that is no pair', { logitBias: [3 as unknown as [number, number]] }],
    ['a bias that is no list', { logitBias: {} as [number, number][] }],
  ])('%s is refused', async (_, wrong) => {
    const sampling = { ...greedy, ...wrong };
    expect(await codeOf(generateAll(await load(), ask(prompt, 2, { sampling })))).toBe('invalid-input');
  });
});

describe('log-probabilities', () => {
  async function withScores(engine: Engine, count: number, rest: Parameters<typeof ask>[2] = {}) {
    const ids: number[] = [];
    const scores: TokenLogProbabilities[] = [];
    for await (const event of engine.generate(ask(prompt, 40, { logProbabilities: count, ...rest }))) {
      if (event.type !== 'tokens') continue;
      ids.push(...event.ids);
      expect(event.logProbabilities).toHaveLength(event.ids.length);
      scores.push(...event.logProbabilities!);
    }
    return { ids, scores };
  }

  test.each(['off', 'always'] as const)('are those that score gives, with speculation %s', async (speculation) => {
    const engine = await load();
    const sampling = { ...warm, presencePenalty: 0.5 };
    const { ids, scores } = await withScores(engine, 3, { sampling, speculation });
    const expected = await engine.score(Int32Array.from([...prompt, ...ids]));
    expect(scores.map(({ logProbability }) => logProbability)).toEqual([...expected.slice(prompt.length)]);
  });

  test('the top ones are the likeliest, in order, and hold the greedy choice first', async () => {
    const engine = await load();
    const { ids, scores } = await withScores(engine, 20);
    const logits = await engine.logits(Int32Array.from([...prompt, ...ids]));
    scores.forEach(({ logProbability, top }, i) => {
      const row = [...logits.subarray((prompt.length + i - 1) * vocabularySize).subarray(0, vocabularySize)];
      const order = row.map((logit, id) => ({ logit, id })).sort((a, b) => b.logit - a.logit || a.id - b.id);
      expect(top.map(({ id }) => id)).toEqual(order.slice(0, 20).map(({ id }) => id));
      expect(top[0]).toEqual({ id: ids[i], logProbability });
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - order[0]!.logit), 0));
      top.forEach((one, place) => {
        expect(one.logProbability).toBeCloseTo(order[place]!.logit - order[0]!.logit - total, 5);
      });
    });
  });

  test('none are given when none are asked for, and only the chosen one for 0', async () => {
    const engine = await load();
    for await (const event of engine.generate(ask(prompt, 3)))
      if (event.type === 'tokens') expect(event.logProbabilities).toBe(undefined);
    expect((await withScores(engine, 0)).scores.every(({ top }) => top.length === 0)).toBe(true);
  });

  test('they change no id; more than 20 are refused', async () => {
    const engine = await load();
    const { ids } = await generateAll(engine, ask(prompt, 40, { sampling: warm }));
    expect((await withScores(engine, 5, { sampling: warm })).ids).toEqual(ids);
    expect(await codeOf(withScores(engine, 21))).toBe('invalid-input');
  });
});
