import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine, Native } from '../../native/index.ts';
import { ask, generateAll, openNative, randomIds } from './native.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyBert, tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
const vocabularySize = 97;
let native: Native;
const engines: Engine[] = [];
beforeAll(async () => {
  native = await openNative();
  const plan = folder.write('metrics.plan', planBytes(tinyLlama()));
  for (let i = 0; i < 3; i++)
    engines.push(await native.loadEngine({ plan, device: 'cpu', numThreads: 1, kvTokens: 2048 }));
}, 600_000);
afterAll(async () => {
  for (const engine of engines) await engine.close();
  folder.remove();
});
const prompt = (numTokens: number, seed: number) => randomIds(numTokens, vocabularySize, seed);

test('a new engine has counted nothing', async () => {
  const none = { mean: 0, p50: 0, p95: 0 };
  expect(await engines[0]!.stats()).toMatchObject({
    numFinished: 0,
    draftedTokens: 0,
    ttftMs: none,
    tokenMs: none,
    latencyMs: none,
    busyMs: 0,
    decodeTokens: 0,
    decodeBytes: 0,
  });
});

test('the times are those that the requests were told', async () => {
  const engine = engines[0]!;
  const told = [];
  for (let i = 0; i < 21; i++) told.push((await generateAll(engine, ask(prompt(20 + i, i), 5))).finished);
  const stats = await engine.stats();
  const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
  const check = (spread: { mean: number; p50: number; p95: number }, values: number[]) => {
    const inOrder = sorted(values);
    expect(spread.mean).toBeCloseTo(values.reduce((a, b) => a + b, 0) / values.length, 6);
    expect(spread.p50).toBeCloseTo(inOrder[10]!, 6);
    expect(spread.p95).toBeCloseTo(inOrder[19]!, 6);
  };
  expect(stats.numFinished).toBe(21);
  check(
    stats.ttftMs,
    told.map(({ ttftMs }) => ttftMs),
  );
  check(
    stats.tokenMs,
    told.map(({ decodeMs }) => decodeMs / 4),
  );
  check(
    stats.latencyMs,
    told.map(({ ttftMs, decodeMs }) => ttftMs + decodeMs),
  );
  expect(stats.busyMs).toBeGreaterThanOrEqual(stats.decodeMs);
});

test('bytes are the weights and the kv rows of each step that only generates', async () => {
  const engine = engines[1]!;
  await generateAll(engine, ask(prompt(30, 40), 1));
  const { decodeBytes: ofPrompt } = await engine.stats();
  expect(ofPrompt).toBe(0); // its only step was the prompt
  await generateAll(engine, ask(prompt(30, 41), 11, { speculation: 'off' }));
  const stats = await engine.stats();
  expect(stats.decodeTokens).toBe(10);
  const kvRowBytes = 2 * 2 * 2 * 16 * 4; // layers, k and v, heads, size, f32
  const rows = Array.from({ length: 10 }, (_, i) => 31 + i).reduce((a, b) => a + b);
  const weightBytes = (stats.decodeBytes - kvRowBytes * rows) / 10;
  // All weights but the table of the embedding, the norms and the frequencies.
  const linears = [...tinyLlama().tensors.entries()].filter(([name]) => /^(qkv|out|gate_up|down|head)/.test(name));
  expect(weightBytes).toBe(linears.reduce((sum, [, { entry }]) => sum + entry.sizeBytes, 0));
});

test('a cancelled generation is not among those that finished', async () => {
  const engine = engines[2]!;
  // Cancelled at once: who waits for the first token may find that a model so small has come to its end meanwhile.
  const events = engine.generate(ask(prompt(10, 50), 620, { speculation: 'off' }))[Symbol.asyncIterator]();
  const first = events.next();
  await events.return?.();
  await first.catch(() => {});
  expect(await engine.stats()).toMatchObject({ numFinished: 0, ttftMs: { mean: 0 } });
});

test('embeddings count as work', async () => {
  const plan = folder.write('bert.plan', planBytes(tinyBert()));
  const engine = await native.loadEngine({ plan, device: 'cpu', numThreads: 1 });
  engines.push(engine);
  await engine.embed([Int32Array.of(1, 2, 3)]);
  const { busyMs, promptTokens } = await engine.stats();
  expect(busyMs).toBeGreaterThan(0);
  expect(promptTokens).toBe(3);
});
