import { describe, expect, it } from 'vitest';
import { createMemoryPorts } from '../../app/contract/port.ts';
import { createRemoteNative } from '../../main/engine/remote-native.ts';
import { serveNative } from '../../main/engine/serve-native.ts';
import type { Engine, GenerateEvent } from '../../native/index.ts';
import { createSmallNative, prompts, request } from '../fakes/small-native.ts';

async function connect() {
  const native = createSmallNative();
  const [here, there] = createMemoryPorts();
  serveNative(async () => native, there);
  const remote = createRemoteNative(here);
  return { native, remote, there, engine: await remote.loadEngine({ plan: 'a.plan' }) };
}

async function collect(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const collected: GenerateEvent[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}

/** Resolves when nothing runs any more; fails by the test's own time limit. */
async function idle(engine: Engine): Promise<void> {
  while ((await engine.stats()).numRunning > 0);
}

describe('an engine behind a port', () => {
  it('gives what the engine gives, typed arrays as typed arrays', async () => {
    const { remote, engine } = await connect();
    expect((await remote.describe()).deviceName).toBe('small');
    expect(engine.info.vocabularySize).toBe(10);
    expect(await engine.score(Int32Array.of(4, 5))).toEqual(Float32Array.of(Number.NaN, -5));
    expect(await engine.logits(Int32Array.of(4, 5))).toEqual(new Float32Array(20));
    expect(await engine.embed([Int32Array.of(1), Int32Array.of(1, 2)])).toEqual(Float32Array.of(1, 2));
    expect(await engine.rerank([Int32Array.of(1, 2, 3), Int32Array.of(1)], Int32Array.of(2, 0))).toEqual(
      Float32Array.of(1, 1),
    );
    expect(await remote.builder.toFloat32(Uint8Array.of(1, 2), 'f32', 1, 2)).toEqual(Float32Array.of(1, 2));
    const packed = await remote.builder.pack({
      bytes: Uint8Array.of(1, 2),
      from: 'f32',
      to: 'q8',
      numRows: 1,
      numColumns: 2,
    });
    expect(packed).toEqual(Uint8Array.of(2, 1));
  });

  it('streams in order to the end', async () => {
    const { engine } = await connect();
    const events = await collect(engine.generate(request(prompts.counts, 20)));
    expect(events[0]).toEqual({ type: 'started', numPromptTokens: 3, numCachedTokens: 0 });
    expect(events.slice(1).map((event) => event.type === 'tokens' && event.ids[0])).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });

  it('stops when the loop is left', async () => {
    const { engine, native } = await connect();
    for await (const event of engine.generate(request(prompts.counts))) if (event.type === 'tokens') break;
    await idle(engine);
    expect(native.numRunning).toBe(0);
  });

  it('stops while no event comes: the waiting loop ends', async () => {
    const { engine, native } = await connect();
    const events = engine.generate(request(prompts.staysSilent))[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject({ type: 'started' });
    const waiting = events.next();
    await events.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await idle(engine);
    expect(native.numRunning).toBe(0);
  });

  it('fails with the engine’s own codes and words', async () => {
    const { remote, engine } = await connect();
    await expect(remote.loadEngine({ plan: 'broken.plan' })).rejects.toMatchObject({
      name: 'NativeError',
      code: 'invalid-plan',
      message: 'The plan file "broken.plan" is damaged.',
    });
    await expect(collect(engine.generate(request(prompts.fails)))).rejects.toMatchObject({ code: 'out-of-memory' });
    await engine.close();
    await expect(engine.stats()).rejects.toMatchObject({ code: 'closed' });
    await expect(collect(engine.generate(request(prompts.counts)))).rejects.toMatchObject({ code: 'closed' });
  });

  it('knows the size of its vector index without asking', async () => {
    const { remote } = await connect();
    const index = await remote.openVectorIndex({ dimension: 2 });
    await index.add(Float64Array.of(1, 2, 3), new Float32Array(6));
    expect(index.size).toBe(3);
    await index.remove(Float64Array.of(2));
    expect(index.size).toBe(2);
    expect((await index.search(new Float32Array(2), 5)).ids).toEqual(Float64Array.of(1, 3));
    expect(await index.serialize()).toEqual(Uint8Array.of(1, 3));
  });

  it('fails with `engine-died` when the port ends, open calls and later ones', async () => {
    const { engine, remote, there } = await connect();
    const events = engine.generate(request(prompts.staysSilent))[Symbol.asyncIterator]();
    await events.next();
    const waiting = events.next();
    there.close();
    await expect(waiting).rejects.toMatchObject({ code: 'engine-died' });
    await expect(engine.stats()).rejects.toMatchObject({ code: 'engine-died' });
    await expect(remote.describe()).rejects.toMatchObject({ code: 'engine-died' });
  });
});
