import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, GenerateEvent, Native } from '../../native/index.ts';
import { greedy, NativeError, nativeErrorCodes } from '../../native/index.ts';
import { loadNative } from '../../native/load.ts';
import { ask, codeOf, generateAll, openNative, randomIds } from './native.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyBert, tinyLlama } from './tiny-models.ts';

// method × state: every method answers or fails with a code, whatever the engine does at the time.

const folder = temporaryFolder();
const longContext = 1 << 17;
let native: Native;
let chatPlan: string;
let embedderPlan: string;
beforeAll(async () => {
  native = await openNative();
  chatPlan = folder.write('chat.plan', planBytes(tinyLlama({ contextTokens: longContext })));
  embedderPlan = folder.write('embedder.plan', planBytes(tinyBert()));
}, 600_000);
afterAll(() => folder.remove());

const loadChat = () => native.loadEngine({ plan: chatPlan, device: 'cpu', numThreads: 1, kvTokens: 2 * longContext });
const ids = Int32Array.from(randomIds(80, 97, 1));
const endless = ask([...ids], 120_000, { speculation: 'off' });

const methods: Record<string, (engine: Engine) => Promise<unknown>> = {
  generate: (engine) => generateAll(engine, ask([...ids], 3)),
  score: (engine) => engine.score(ids),
  logits: (engine) => engine.logits(ids),
  embed: (engine) => engine.embed([ids]),
  stats: (engine) => engine.stats(),
  close: (engine) => engine.close(),
};

/** Brings a new engine into a state; answers with what must be done afterwards. */
const states: Record<string, (engine: Engine) => Promise<() => Promise<unknown>>> = {
  idle: async () => async () => {},
  generating: async (engine) => {
    const loop = engine.generate(endless)[Symbol.asyncIterator]();
    await loop.next();
    return async () => loop.return?.();
  },
  scoring: async (engine) => {
    const scores = codeOf(engine.score(Int32Array.from(randomIds(8_000, 97, 2))));
    return () => scores;
  },
  cancelled: async (engine) => {
    for await (const _ of engine.generate(endless)) break;
    return async () => {};
  },
  'being closed': async (engine) => {
    const closed = engine.close();
    return () => closed;
  },
  closed: async (engine) => {
    await engine.close();
    return async () => {};
  },
};

const matrix = Object.keys(methods).flatMap((method) => Object.keys(states).map((state) => [method, state] as const));

describe('every method answers or fails with a code', () => {
  test.each(matrix)('%s while %s', async (method, state) => {
    const engine = await loadChat();
    const after = await states[state]!(engine);
    const code = await codeOf(methods[method]!(engine));
    if (method === 'close') expect(code).toBe('answered');
    else if (method === 'embed') expect(code).toBe('unsupported');
    else if (state === 'closed') expect(code).toBe('closed');
    else if (state === 'being closed') expect(['answered', 'closed']).toContain(code);
    else expect(code).toBe('answered');
    // What ran before was answered too: nobody waits for ever.
    if (state === 'scoring' && method !== 'close') await engine.close();
    await after();
    await engine.close();
  });

  test.each(['generate', 'score', 'logits'])('%s of an embedder is unsupported', async (method) => {
    const engine = await native.loadEngine({ plan: embedderPlan, device: 'cpu' });
    expect(await codeOf(methods[method]!(engine))).toBe('unsupported');
    await engine.close();
  });

  test('closing ends with `closed` what runs and what waits', async () => {
    const engine = await loadChat();
    const loop = engine.generate(endless)[Symbol.asyncIterator]();
    await loop.next();
    const pulls = (async () => {
      while (!(await loop.next()).done);
    })();
    const score = engine.score(ids.slice(0, 2));
    const waits = [codeOf(pulls), codeOf(score), codeOf(engine.close()), codeOf(engine.close())];
    const [pulled, scored, ...closed] = await Promise.all(waits);
    expect(pulled).toBe('closed');
    expect(['answered', 'closed']).toContain(scored);
    expect(closed).toEqual(['answered', 'answered']);
    expect((await loop.next()).done).toBe(true);
  });

  test('an embedding that is under way when the engine closes is answered', async () => {
    const engine = await native.loadEngine({ plan: embedderPlan, device: 'cpu' });
    const sequences = Array.from({ length: 4000 }, (_, i) => Int32Array.from(randomIds(48, 61, i)));
    const vectors = codeOf(engine.embed(sequences));
    await engine.close();
    expect(['answered', 'closed']).toContain(await vectors);
    expect(await codeOf(engine.embed(sequences.slice(0, 1)))).toBe('closed');
  });
});

describe('a loop', () => {
  test('can be left before it begins, twice, and after its end', async () => {
    const engine = await loadChat();
    const unused = engine.generate(endless)[Symbol.asyncIterator]();
    expect(await unused.return?.()).toEqual({ value: undefined, done: true });
    expect((await unused.next()).done).toBe(true);
    const loop = engine.generate(ask([...ids], 2))[Symbol.asyncIterator]();
    while (!(await loop.next()).done);
    expect((await loop.return?.())?.done).toBe(true);
    expect((await loop.return?.())?.done).toBe(true);
    expect((await engine.stats()).numRunning).toBe(0);
    await engine.close();
  });

  test('answers calls of `next` that do not wait for each other in order', async () => {
    const engine = await loadChat();
    const loop = engine.generate(ask([...ids], 500))[Symbol.asyncIterator]();
    const results = await Promise.all(Array.from({ length: 503 }, () => loop.next()));
    const events = results.filter((result) => !result.done).map((result) => result.value as GenerateEvent);
    const numIds = events.reduce((sum, event) => sum + (event.type === 'tokens' ? event.ids.length : 0), 0);
    expect([events[0]?.type, numIds, events.at(-1)?.type]).toEqual(['started', 500, 'finished']);
    await engine.close();
  });
});

describe('arguments', () => {
  test.each<[string, object]>([
    ['no ids', { ids: new Int32Array(0) }],
    ['ids of another kind', { ids: [1, 2] }],
    ['a negative id', { ids: Int32Array.of(-1) }],
    ['an id beyond the vocabulary', { ids: Int32Array.of(97) }],
    ['no tokens to generate', { maxTokens: 0 }],
    ['half a token', { maxTokens: 1.5 }],
    ['stopIds of another kind', { stopIds: 'stop' }],
    ['a priority that is no number', { priority: Number.NaN }],
    ['no sampling', { sampling: undefined }],
    ['a negative temperature', { sampling: { ...greedy, temperature: -1 } }],
    ['an infinite temperature', { sampling: { ...greedy, temperature: Number.POSITIVE_INFINITY } }],
    ['top-p of 0', { sampling: { ...greedy, topP: 0 } }],
    ['top-k of half', { sampling: { ...greedy, topK: 0.5 } }],
    ['a penalty of 0', { sampling: { ...greedy, repetitionPenalty: 0 } }],
    ['a seed beyond 2^53', { sampling: { ...greedy, seed: 2 ** 60 } }],
    ['a prompt that fills the context', { ids: new Int32Array(longContext) }],
  ])('%s are invalid-input', async (_, change) => {
    const engine = await loadChat();
    expect(await codeOf(generateAll(engine, { ...ask([...ids], 3), ...change }))).toBe('invalid-input');
    expect(await codeOf(generateAll(engine, ask([...ids], 3)))).toBe('answered');
    await engine.close();
  });

  test.each<[string, object]>([
    ['stepTokens', { stepTokens: 1e9 }],
    ['kvTokens', { kvTokens: 1e15 }],
    ['numThreads', { numThreads: 1000 }],
    ['device', { device: 'tpu' }],
    ['plan', { plan: 7 }],
  ])('%s out of range are invalid-input', async (_, change) => {
    const options = { plan: chatPlan, ...change } as { plan: string };
    expect(await codeOf(native.loadEngine(options))).toBe('invalid-input');
  });

  test('more ids than the context holds are not scored; one id is', async () => {
    const engine = await loadChat();
    expect(await codeOf(engine.score(new Int32Array(longContext + 1)))).toBe('invalid-input');
    expect(await codeOf(engine.score(new Int32Array(0)))).toBe('invalid-input');
    expect([...(await engine.score(Int32Array.of(5)))]).toEqual([Number.NaN]);
    await engine.close();
  });
});

describe('the door', () => {
  test('says which device is used and why', async () => {
    const report = await native.describe();
    expect(report).toMatchObject({
      device: expect.stringMatching(/^(cpu|cuda)$/),
      reason: expect.stringMatching(/\.$/),
    });
    expect(report.numThreads).toBeGreaterThan(0);
    expect(report.deviceName).toContain(report.instructions);
    expect(['faiss', 'exact']).toContain(report.vectorIndex);
  });

  test('asked for a GPU where none is, says why not', async () => {
    if ((await native.describe()).device === 'cuda') return;
    await expect(native.loadEngine({ plan: chatPlan, device: 'cuda' })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('CUDA kernels'),
    });
  });

  test('an addon that is not there is an io error', () => {
    expect(() => loadNative('/nowhere/quoth.node')).toThrow(NativeError);
    expect(nativeErrorCodes).toContain('io');
  });
});
