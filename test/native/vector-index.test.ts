import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hasFaiss, openAddon } from './open-addon.ts';

const dimension = 37; // no multiple of a vector register

/** Unit vectors [count, dimension] of float16 values, the same for the same seed. */
function randomVectors(count: number, width: number, seed: number): Float32Array {
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const vectors = Float32Array.from({ length: count * width }, random);
  for (let i = 0; i < count; i++) {
    const row = vectors.subarray(i * width, (i + 1) * width);
    const length = Math.hypot(...row);
    row.forEach((value, j) => {
      row[j] = Math.f16round(value / length);
    });
  }
  return vectors;
}

function idsFrom(first: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => first + i);
}

/** What a search must find, by the definition. */
function nearest(ids: Float64Array, vectors: Float32Array, query: Float32Array, limit: number) {
  const scored = Array.from(ids, (id, i) => {
    const row = vectors.subarray(i * query.length, (i + 1) * query.length);
    return { id, score: row.reduce((sum, value, j) => sum + value * query[j]!, 0) };
  });
  return scored.sort((a, b) => b.score - a.score).slice(0, limit);
}

for (const kind of ['faiss', 'exact'] as const)
  describe.skipIf(kind === 'faiss' && !hasFaiss)(`vector index, ${kind}`, () => {
    const open = (bytes?: Uint8Array) => openAddon().openVectorIndex({ dimension, kind, ...(bytes ? { bytes } : {}) });

    test('it finds the nearest, best first, with their inner products', async () => {
      const index = await open();
      const vectors = randomVectors(500, dimension, 1);
      await index.add(idsFrom(1000, 500), vectors);
      expect(index.size).toBe(500);
      for (let i = 0; i < 20; i++) {
        const query = randomVectors(1, dimension, 100 + i);
        const found = await index.search(query, 10);
        const wanted = nearest(idsFrom(1000, 500), vectors, query, 10);
        expect(Array.from(found.ids)).toEqual(wanted.map(({ id }) => id));
        found.scores.forEach((score, k) => {
          expect(score).toBeCloseTo(wanted[k]!.score, 5);
        });
      }
      await index.close();
    });

    test('an empty index finds nothing, and a small one all it has', async () => {
      const index = await open();
      expect((await index.search(randomVectors(1, dimension, 1), 5)).ids).toHaveLength(0);
      await index.add(idsFrom(1, 3), randomVectors(3, dimension, 2));
      const found = await index.search(randomVectors(1, dimension, 1), 50);
      expect(Array.from(found.ids).sort()).toEqual([1, 2, 3]);
      expect((await index.search(randomVectors(1, dimension, 1), 0)).ids).toHaveLength(0);
      await index.close();
    });

    test('an id that comes again is replaced, also within one call, the last staying', async () => {
      const index = await open();
      const [a, b, c] = [1, 2, 3].map((seed) => randomVectors(1, dimension, seed)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      await index.add(idsFrom(7, 1), a);
      await index.add(Float64Array.of(7, 8, 7), Float32Array.of(...b, ...b, ...c));
      expect(index.size).toBe(2);
      const found = await index.search(c, 1);
      expect(found.ids[0]).toBe(7);
      expect(found.scores[0]).toBeCloseTo(1, 2);
      await index.close();
    });

    test('removed ids are not found, and removing what is not there is no error', async () => {
      const index = await open();
      const vectors = randomVectors(100, dimension, 4);
      await index.add(idsFrom(1, 100), vectors);
      await index.remove(Float64Array.of(1, 50, 100, 5000));
      await index.remove(new Float64Array(0));
      expect(index.size).toBe(97);
      const kept = Array.from(idsFrom(1, 100)).filter((id) => ![1, 50, 100].includes(id));
      const found = await index.search(vectors.subarray(0, dimension), 100);
      expect(Array.from(found.ids).sort((x, y) => x - y)).toEqual(kept);
      await index.close();
    });

    test('within ranges of ids only these are found, the nearest of them', async () => {
      const index = await open();
      const vectors = randomVectors(400, dimension, 21);
      await index.add(idsFrom(1, 400), vectors);
      await index.remove(Float64Array.of(3, 200)); // other rows take their places
      const ranges = Float64Array.of(1, 9, 50, 50, 190, 260, 399, 2 ** 53 - 1);
      const inside = (id: number) => id <= 9 || id === 50 || (id >= 190 && id <= 260) || id >= 399;
      const kept = idsFrom(1, 400).filter((id) => id !== 3 && id !== 200 && inside(id));
      const rows = Float32Array.from(
        [...kept].flatMap((id) => [...vectors.subarray((id - 1) * dimension, id * dimension)]),
      );
      for (let i = 0; i < 10; i++) {
        const query = randomVectors(1, dimension, 300 + i);
        const wanted = nearest(kept, rows, query, 12).map(({ id }) => id);
        expect(Array.from((await index.search(query, 12, ranges)).ids)).toEqual(wanted);
      }
      const query = randomVectors(1, dimension, 5);
      expect((await index.search(query, 1000, ranges)).ids).toHaveLength(kept.length);
      expect((await index.search(query, 10, new Float64Array(0))).ids).toHaveLength(0);
      expect((await index.search(query, 10, Float64Array.of(1000, 2000))).ids).toHaveLength(0);
      for (const wrong of [[1], [5, 4], [1, 5, 5, 9], [7, 9, 1, 2], [0, 4], [1.5, 2], [Number.NaN, 3]])
        await expect(index.search(query, 1, Float64Array.from(wrong))).rejects.toMatchObject({ code: 'invalid-input' });
      await index.close();
    });

    test('grown from few to very many, it finds what an exact search finds, and loses nothing on the way', async () => {
      const width = 64;
      const index = await openAddon().openVectorIndex({ dimension: width, kind });
      const count = 30_000;
      const vectors = randomVectors(count, width, 31);
      const searches: Promise<unknown>[] = [];
      for (let first = 0; first < count; first += 2500) {
        const adding = index.add(idsFrom(first + 1, 2500), vectors.subarray(first * width, (first + 2500) * width));
        // A search that is asked while rows move from one kind of index to the other.
        const known = vectors.subarray(0, width);
        if (first > 0) searches.push(index.search(known, 1).then(({ ids }) => expect(ids[0]).toBe(1)));
        await adding;
      }
      await Promise.all(searches);
      expect(index.size).toBe(count);
      expect(await index.ids()).toEqual(idsFrom(1, count));
      let numRight = 0;
      for (let i = 0; i < 20; i++) {
        const query = randomVectors(1, width, 400 + i);
        const wanted = new Set(nearest(idsFrom(1, count), vectors, query, 10).map(({ id }) => id));
        const found = await index.search(query, 10);
        numRight += found.ids.filter((id) => wanted.has(id)).length;
        const [scope, narrow] = [Float64Array.of(1, 25_000), Float64Array.of(1, 10, 29_000, 29_100)];
        const inScope = nearest(idsFrom(1, 25_000), vectors, query, 10).map(({ id }) => id);
        expect(Array.from((await index.search(query, 10, scope)).ids)).toEqual(inScope);
        expect((await index.search(query, 200, narrow)).ids).toHaveLength(111);
      }
      expect(numRight / 200).toBeGreaterThanOrEqual(0.99);
      await index.remove(idsFrom(1, 29_000));
      await index.add(idsFrom(7, 1), vectors.subarray(6 * width, 7 * width));
      expect((await index.search(vectors.subarray(6 * width, 7 * width), 1)).ids[0]).toBe(7);
      expect(await index.ids()).toEqual(Float64Array.of(7, ...idsFrom(29_001, 1000)));
      await index.close();
    });

    test('saved into a file it opens as the same index, and no other file is taken for it', async () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quoth 山田 '));
      onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
      const index = await open();
      await index.add(idsFrom(5, 300), randomVectors(300, dimension, 41));
      const file = path.join(folder, 'an index');
      const saved = await index.save(file);
      const bytes = await index.serialize();
      expect(new Uint8Array(fs.readFileSync(file))).toEqual(bytes);
      expect(saved).toEqual({
        numVectors: 300,
        lastId: 304,
        sha256: Buffer.from(bytes.subarray(32, 64)).toString('hex'),
      });
      const openSaved = (sha256: string, place = file) =>
        openAddon().openVectorIndex({ dimension, kind, saved: { file: place, sha256 } });
      const reopened = await openSaved(saved.sha256);
      const query = randomVectors(1, dimension, 42);
      expect(await reopened.search(query, 20)).toEqual(await index.search(query, 20));
      await index.remove(idsFrom(5, 1));
      const after = await index.save(path.join(folder, 'another'));
      expect(after.sha256).not.toBe(saved.sha256);
      await expect(openSaved(saved.sha256, path.join(folder, 'another'))).rejects.toMatchObject({
        code: 'invalid-input',
      });
      await expect(openSaved(saved.sha256, path.join(folder, 'none'))).rejects.toMatchObject({ code: 'io' });
      await expect(openSaved(saved.sha256, folder)).rejects.toMatchObject({ code: 'io' });
      fs.truncateSync(file, bytes.length - 1);
      await expect(openSaved(saved.sha256)).rejects.toMatchObject({ code: 'invalid-input' });
      await expect(index.save(path.join(folder, 'no such folder', 'index'))).rejects.toMatchObject({ code: 'io' });
      const empty = await (await open()).save(file);
      expect(empty).toMatchObject({ numVectors: 0, lastId: 0 });
    });

    test('its bytes open as the same index, and do not depend on what came before', async () => {
      const index = await open();
      const vectors = randomVectors(300, dimension, 5);
      await index.add(idsFrom(1, 300), vectors);
      const bytes = await index.serialize();
      const reopened = await open(bytes);
      const query = randomVectors(1, dimension, 6);
      expect(await reopened.search(query, 20)).toEqual(await index.search(query, 20));

      const other = await open();
      await other.add(idsFrom(1, 350), randomVectors(350, dimension, 99));
      await other.remove(idsFrom(1, 350));
      for (let first = 250; first >= 0; first -= 50)
        await other.add(idsFrom(first + 1, 50), vectors.subarray(first * dimension, (first + 50) * dimension));
      expect(
        createHash('sha256')
          .update(await other.serialize())
          .digest('hex'),
      ).toBe(createHash('sha256').update(bytes).digest('hex'));
      const swapped = await openAddon().openVectorIndex({
        dimension,
        bytes,
        kind: kind === 'exact' && hasFaiss ? 'faiss' : 'exact',
      });
      expect(Array.from((await swapped.search(query, 20)).ids)).toEqual(
        Array.from((await index.search(query, 20)).ids),
      );
    });

    test('the checksum in its bytes is the SHA-256 of all the others', async () => {
      for (const count of [0, 1, 2, 3, 9]) {
        const index = await open();
        if (count > 0) await index.add(idsFrom(1, count), randomVectors(count, dimension, 7));
        const bytes = await index.serialize();
        const digest = createHash('sha256').update(bytes.subarray(0, 32)).update(bytes.subarray(64)).digest();
        expect(Buffer.from(bytes.subarray(32, 64))).toEqual(digest);
        expect((await open(bytes)).size).toBe(count);
      }
    });

    test('bytes with any one byte changed, and bytes of any other length, are refused', async () => {
      const index = await open();
      await index.add(idsFrom(1, 3), randomVectors(3, dimension, 8));
      const bytes = await index.serialize();
      const refused = expect.objectContaining({ code: 'invalid-input' });
      for (let i = 0; i < bytes.length; i++) {
        const changed = bytes.slice();
        changed[i]! ^= 1 << (i % 8);
        await expect(open(changed)).rejects.toEqual(refused);
      }
      for (let length = 0; length < bytes.length; length++)
        await expect(open(bytes.slice(0, length))).rejects.toEqual(refused);
      await expect(open(Uint8Array.of(...bytes, 0))).rejects.toEqual(refused);
      await expect(openAddon().openVectorIndex({ dimension: dimension + 1, bytes, kind })).rejects.toEqual(refused);
    });

    test('a header that promises more than there is, with a right checksum, is refused', async () => {
      const index = await open();
      const bytes = await index.serialize();
      for (const count of [1n, 2n ** 32n, 2n ** 61n, 2n ** 64n - 1n]) {
        const forged = bytes.slice();
        new DataView(forged.buffer).setBigUint64(24, count, true);
        const digest = createHash('sha256').update(forged.subarray(0, 32)).update(forged.subarray(64)).digest();
        forged.set(digest, 32);
        await expect(open(forged)).rejects.toEqual(expect.objectContaining({ code: 'invalid-input' }));
      }
    });

    test('arguments out of range fail with invalid-input and change nothing', async () => {
      const index = await open();
      await index.add(idsFrom(1, 2), randomVectors(2, dimension, 9));
      const row = randomVectors(1, dimension, 10);
      const refused = expect.objectContaining({ code: 'invalid-input' });
      for (const id of [0, -1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
        await expect(index.add(Float64Array.of(id), row)).rejects.toEqual(refused);
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
        const broken = row.slice();
        broken[3] = value;
        await expect(index.add(Float64Array.of(1), broken)).rejects.toEqual(refused);
      }
      await expect(index.add(Float64Array.of(1, 2), row)).rejects.toEqual(refused);
      await expect(index.search(row.subarray(1), 3)).rejects.toEqual(refused);
      await expect(
        index.search(
          row.map(() => Number.NaN),
          3,
        ),
      ).rejects.toEqual(refused);
      await expect(index.search(row, -1)).rejects.toEqual(refused);
      for (const wrong of [0, -1, 1.5, 1e9])
        await expect(openAddon().openVectorIndex({ dimension: wrong, kind })).rejects.toEqual(refused);
      expect(index.size).toBe(2);
      await index.close();
    });

    test('after close every method fails with closed, and closing again is no error', async () => {
      const index = await open();
      await index.add(idsFrom(1, 1), randomVectors(1, dimension, 11));
      const searching = index.search(randomVectors(1, dimension, 11), 1);
      await index.close();
      await index.close();
      expect((await searching).ids[0]).toBe(1);
      const closed = expect.objectContaining({ code: 'closed' });
      await expect(index.search(randomVectors(1, dimension, 1), 1)).rejects.toEqual(closed);
      await expect(index.add(idsFrom(1, 1), randomVectors(1, dimension, 1))).rejects.toEqual(closed);
      await expect(index.remove(idsFrom(1, 1))).rejects.toEqual(closed);
      await expect(index.serialize()).rejects.toEqual(closed);
      await expect(index.ids()).rejects.toEqual(closed);
      await expect(index.save('never')).rejects.toEqual(closed);
    });

    test('searches beside additions and removals find what was there all the time, whole', async () => {
      const index = await open();
      const steady = randomVectors(200, dimension, 12);
      await index.add(idsFrom(1, 200), steady);
      const work: Promise<unknown>[] = [];
      for (let round = 0; round < 40; round++) {
        const ids = idsFrom(1000 + round * 50, 50);
        work.push(index.add(ids, randomVectors(50, dimension, 50 + round)));
        if (round % 2 === 1) work.push(index.remove(ids));
        if (round % 10 === 0) work.push(index.serialize());
        for (let k = 0; k < 5; k++) {
          const place = (round * 5 + k) % 200;
          const query = steady.subarray(place * dimension, (place + 1) * dimension);
          work.push(
            index.search(query, 3).then(({ ids: found, scores }) => {
              expect(found[0]).toBe(place + 1);
              expect(scores[0]).toBeCloseTo(1, 2);
            }),
          );
        }
      }
      await Promise.all(work);
      await index.close();
    });

    test('every float16 keeps its value, through addition, bytes and search', async () => {
      const halves = Array.from(new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer)).filter(
        Number.isFinite,
      );
      const index = await openAddon().openVectorIndex({ dimension: 1, kind });
      await index.add(idsFrom(1, halves.length), Float32Array.from(halves));
      const bytes = await index.serialize();
      const stored = new Float16Array(bytes.slice(64 + 8 * halves.length).buffer);
      expect(Array.from(stored)).toEqual(halves);
      const found = await index.search(Float32Array.of(1), halves.length);
      const byId = new Map(Array.from(found.ids, (id, k) => [id, found.scores[k]]));
      halves.forEach((half, i) => {
        if (byId.get(i + 1) !== half && half !== 0) throw new Error(`${half} became ${byId.get(i + 1)}`);
      });
      // Between two halves, the nearest; ties to even: as the language itself rounds.
      const between = Float32Array.from(
        halves.filter((half) => Math.abs(half) < 60000),
        (half, i) => Math.fround(half * (1 + ((i % 7) - 3) * 0.0002) + ((i % 5) - 2) * 2 ** -25.5),
      );
      await index.remove(idsFrom(1, halves.length));
      await index.add(idsFrom(1, between.length), between);
      const rounded = new Float16Array((await index.serialize()).slice(64 + 8 * between.length).buffer);
      expect(Array.from(rounded)).toEqual(Array.from(between, (value) => Math.f16round(value)));
      await index.close();
    });
  });
