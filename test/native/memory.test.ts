import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineOptions, Native } from '../../native/index.ts';
import { ask, generateAll, openNative, randomIds } from './native.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyBert, tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
let native: Native;
let options: EngineOptions;
beforeAll(async () => {
  native = await openNative();
  options = { plan: folder.write('memory.plan', planBytes(tinyLlama())), device: 'cpu', numThreads: 1 };
}, 600_000);
afterAll(() => folder.remove());

describe('planning memory', () => {
  test('says what is needed, as the loaded engine then says it', async () => {
    const memory = await native.planMemory({ ...options, kvTokens: 640 });
    const engine = await native.loadEngine({ ...options, kvTokens: 640 });
    const { weightBytes, activationBytes, kvBytes, kvTokens } = engine.info;
    await engine.close();
    expect(memory).toMatchObject({ device: 'cpu', fits: true, kvTokens: 640, wantedKvTokens: 640 });
    expect(memory).toMatchObject({ weightBytes, activationBytes, kvBytes, kvTokens });
    expect(memory.neededBytes).toBe(weightBytes + activationBytes + kvBytes);
    expect(memory.freeBytes).toBeGreaterThan(0);
    expect(memory.freeBytes).toBeLessThan(memory.totalBytes);
    expect(memory.sentence).toMatch(/ for 640 tokens of context \+ .* working memory; .* are free\.$/);
  });

  test('takes the kv pages that fit, and the engine works with them', async () => {
    const whole = await native.planMemory({ ...options, kvTokens: 640 });
    const pageBytes = whole.kvBytes / 10;
    const memoryBytes = whole.neededBytes - 3 * pageBytes - 1; // room for six pages
    const short = { ...options, kvTokens: 640, minKvTokens: 128, memoryBytes };
    const memory = await native.planMemory(short);
    expect(memory).toMatchObject({ fits: true, kvTokens: 384, wantedKvTokens: 640, freeBytes: memoryBytes });
    expect(memory.sentence).toMatch(/ for 384 tokens of context .*; .* are free, too few for 640 tokens\.$/);
    const engine = await native.loadEngine(short);
    expect(engine.info.kvTokens).toBe(384);
    expect(await engine.stats()).toMatchObject({ kvPagesTotal: 6 });
    expect((await generateAll(engine, ask(randomIds(380, 97, 1), 100))).ids).toHaveLength(4);
    await engine.close();
  });

  test('what does not fit is said with its numbers, and loading it fails with them', async () => {
    const whole = await native.planMemory({ ...options, kvTokens: 640 });
    for (const [more, memoryBytes] of [
      [{}, whole.neededBytes - 1], // exactly 640 were asked for
      [{ minKvTokens: 320 }, whole.neededBytes - whole.kvBytes / 2 - 1],
      [{ minKvTokens: 64 }, whole.weightBytes], // nothing to compute with
      [{ minKvTokens: 64 }, 1],
    ] as const) {
      const short = { ...options, kvTokens: 640, ...more, memoryBytes };
      const memory = await native.planMemory(short);
      expect(memory.fits).toBe(false);
      expect(memory.sentence).toMatch(/ tokens of context \+ .* = .*, and .* are free\.$/);
      await expect(native.loadEngine(short)).rejects.toMatchObject({ code: 'out-of-memory', message: memory.sentence });
    }
  });

  test('with exactly enough it is loaded', async () => {
    const { neededBytes } = await native.planMemory({ ...options, kvTokens: 640 });
    const engine = await native.loadEngine({ ...options, kvTokens: 640, memoryBytes: neededBytes });
    expect(engine.info.kvTokens).toBe(640);
    await engine.close();
  });

  test('a kv cache of bytes takes a byte and an eighth of a number of 16, and the engine works with it', async () => {
    const halves = await native.planMemory({ ...options, kvTokens: 640, kvType: 'f16' });
    const whole = await native.planMemory({ ...options, kvTokens: 640 });
    expect([halves.kvType, whole.kvType]).toEqual(['f16', 'f32']);
    expect(halves.kvBytes).toBe(whole.kvBytes / 2);
    const ids = Int32Array.from(randomIds(200, 97, 3));
    const logitsOf = async (kvType: 'f32' | 'i8' | 'f8') => {
      const engine = await native.loadEngine({ ...options, kvTokens: 640, kvType });
      expect(engine.info.kvType).toBe(kvType);
      const { kvBytes } = engine.info;
      const logits = await engine.logits(ids);
      await engine.close();
      return { kvBytes, logits };
    };
    const exact = await logitsOf('f32');
    const size = Math.hypot(...exact.logits);
    for (const [kvType, most] of [
      ['i8', 0.01],
      ['f8', 0.06],
    ] as const) {
      const found = await logitsOf(kvType);
      // Heads of 16: 16 bytes and a scale of 2 for each token, where 16 halves are 32.
      expect(found.kvBytes).toBe((halves.kvBytes * 18) / 32);
      const error = Math.hypot(...found.logits.map((x, i) => x - (exact.logits[i] ?? Number.NaN))) / size;
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(most);
    }
  });

  test('an unknown kind of kv cache is refused', async () => {
    const wrong = { ...options, kvType: 'q4' } as unknown as EngineOptions;
    await expect(native.planMemory(wrong)).rejects.toMatchObject({ code: 'invalid-input' });
  });

  test('an embedder has no kv cache', async () => {
    const plan = folder.write('bert.plan', planBytes(tinyBert()));
    expect(await native.planMemory({ ...options, plan })).toMatchObject({ fits: true, kvBytes: 0, kvTokens: 0 });
  });

  test('fails as a load does', async () => {
    await expect(native.planMemory({ ...options, plan: join(folder.path, 'none') })).rejects.toMatchObject({
      code: 'io',
    });
    for (const wrong of [{ minKvTokens: -1 }, { kvTokens: 64, minKvTokens: 65 }, { memoryBytes: -1 }])
      await expect(native.planMemory({ ...options, ...wrong })).rejects.toMatchObject({ code: 'invalid-input' });
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Memory of this process that is not shared with a file, without JavaScript's garbage; undefined where the system does not say. */
function ownBytes(): number | undefined {
  collectGarbage();
  try {
    const found = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return found ? Number(found[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}

describe.skipIf(ownBytes() === undefined)('two hundred loads', () => {
  const numLoads = 200;
  const tolerance = 16 * 2 ** 20;

  async function growth(once: () => Promise<void>): Promise<number> {
    for (let i = 0; i < 100; i++) await once(); // the allocator's own pools for each thread, the JIT
    const before = ownBytes()!;
    for (let i = 0; i < numLoads; i++) await once();
    return ownBytes()! - before;
  }

  test('with an answer each leave no memory behind', async () => {
    const grown = await growth(async () => {
      const engine = await native.loadEngine({ ...options, kvTokens: 4096 });
      await generateAll(engine, ask(randomIds(70, 97, 2), 4));
      await engine.close();
    });
    expect(grown).toBeLessThan(tolerance);
  });

  test('that fail leave no memory behind', async () => {
    const damaged = folder.write('damaged.plan', planBytes(tinyLlama()).subarray(0, 9000));
    const grown = await growth(async () => {
      await native.loadEngine({ ...options, memoryBytes: 1 }).catch(() => {});
      await native.loadEngine({ ...options, plan: damaged }).catch(() => {});
    });
    expect(grown).toBeLessThan(tolerance);
  });
});
