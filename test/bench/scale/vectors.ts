/**
 * Vectors for measuring a large index: those of real passages, and as many more as are wanted, made out of them.
 *
 *     QUOTH_MODELS=<folder with the default embedder> node test/bench/scale/vectors.ts <number> <folder>
 *
 * Real: windows of three sentences, one sentence further each time, of WikiText-2 and the open question sets in English, by the
 * default embedder. Made: a passage mixed with one of its 32 nearest (0.5 to 1 of the first), and noise of a tenth of its
 * length: a library has many passages about one thing, and they lie close together. Questions: those of SQuAD and NQ.
 *
 * Writes `vectors.f16` [number, 384] and `questions.f32` [n, 384].
 */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { namedSet, qaFolder } from '../../eval/collections.ts';
import { openVectors } from '../../eval/vectors.ts';
import { openNative } from '../../native/native.ts';

const dimension = 384;
const numNeighbours = 32;
const mostReal = 24_000;
const noiseLength = 0.1;

/** Real passages in a fixed order. */
export function realPassages(): string[] {
  const quality = path.resolve(qaFolder, '../quality');
  const files = ['wikitext-2/valid.txt.gz', 'wikitext-2-raw/wiki.test.raw.gz'];
  const texts = files.map((file) => gunzipSync(fs.readFileSync(path.join(quality, file))).toString('utf8'));
  for (const name of ['squad', 'nq', 'xquad-en']) texts.push(...namedSet(name).passages.map(({ text }) => text));
  const windows = new Set<string>();
  for (const text of texts)
    for (const paragraph of text.split('\n').filter((line) => line.length > 80)) {
      const sentences = paragraph.trim().split(/(?<=[.!?]["”)]?) +(?=["“(]?\p{Lu})/u);
      const last = Math.max(1, sentences.length - 2);
      for (let first = 0; first < last; first++)
        windows.add(
          sentences
            .slice(first, first + 3)
            .join(' ')
            .slice(0, 700),
        );
    }
  return [...windows];
}

/** Numbers from 0 to 1, the same each time. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function main(numVectors: number, folder: string): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  const vectors = await openVectors();
  const all = realPassages();
  const stride = Math.max(1, all.length / mostReal);
  const real = Array.from({ length: Math.min(mostReal, all.length) }, (_, i) => all[Math.floor(i * stride)]!);
  console.error(`${all.length} windows, ${real.length} of them used`);
  const rows = await vectors.of(real, 'passage');
  const questions = ['squad', 'nq'].flatMap((name) => namedSet(name).queries.map(({ text }) => text));
  const asked = await vectors.of(questions, 'query');
  await vectors.close();
  fs.writeFileSync(path.join(folder, 'questions.f32'), Buffer.concat(asked.map((row) => new Uint8Array(row.buffer))));

  const index = await (await openNative()).openVectorIndex({ dimension });
  for (let first = 0; first < rows.length; first += 1000) {
    const some = rows.slice(first, first + 1000);
    const block = new Float32Array(some.length * dimension);
    some.forEach((row, i) => {
      block.set(row, i * dimension);
    });
    await index.add(
      Float64Array.from(some, (_, i) => first + i + 1),
      block,
    );
  }
  const neighbours: Float64Array[] = [];
  for (const row of rows) neighbours.push((await index.search(row, numNeighbours + 1)).ids.slice(1));
  await index.close();
  console.error('neighbours known');

  const random = createRandom(1);
  const file = fs.openSync(path.join(folder, 'vectors.f16'), 'w');
  const made = new Float32Array(dimension);
  const batch = new Float16Array(10_000 * dimension);
  for (let first = 0; first < numVectors; first += 10_000) {
    const count = Math.min(10_000, numVectors - first);
    for (let i = 0; i < count; i++) {
      const at = first + i;
      if (at < rows.length) made.set(rows[at]!);
      else {
        const base = Math.floor(random() * rows.length);
        const near = neighbours[base]!;
        const other = rows[(near[Math.floor(random() * near.length)] ?? 1) - 1]!;
        const share = 0.5 + 0.5 * random();
        const row = rows[base]!;
        // A sum of four is near enough to normal; its deviation is 0.577.
        const noise = noiseLength / Math.sqrt(dimension) / 0.577;
        let squares = 0;
        for (let j = 0; j < dimension; j++) {
          const value =
            share * row[j]! + (1 - share) * other[j]! + noise * (random() + random() + random() + random() - 2);
          made[j] = value;
          squares += value * value;
        }
        const length = Math.sqrt(squares);
        for (let j = 0; j < dimension; j++) made[j]! /= length;
      }
      batch.set(made, i * dimension);
    }
    fs.writeSync(file, new Uint8Array(batch.buffer, 0, count * dimension * 2));
  }
  fs.closeSync(file);
  console.error(`${numVectors} vectors written`);
}

if (import.meta.main) {
  const [numVectors, folder] = process.argv.slice(2);
  if (!numVectors || !folder) throw new Error('how many vectors, and into which folder?');
  await main(Number(numVectors), folder);
}
