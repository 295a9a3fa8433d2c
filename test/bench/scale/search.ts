/**
 * Measures the vector index on the vectors that `vectors.ts` made:
 *
 *     node test/bench/scale/search.ts <folder> [number of vectors] [--random]
 *
 * Adding, a tenth at a time; searches for the ten nearest, with the share of those that an exact search finds; within scopes of
 * 1 % and 10 %; removing and adding again; saving and opening. `--random`: unit vectors without any order instead.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { VectorIndex } from '../../../native/index.ts';
import { openNative } from '../../native/native.ts';
import { createRandom } from './vectors.ts';

const dimension = 384;
const numQuestions = 200;
const depth = 10;

function quantile(times: number[], share: number): string {
  const sorted = [...times].sort((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length * share)]!.toFixed(1)} ms`;
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startMs = performance.now();
  const result = await work();
  return [result, performance.now() - startMs];
}

const residentMegabytes = (): string => `${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MiB resident`;

function randomUnits(count: number, random: () => number): Float32Array {
  const block = new Float32Array(count * dimension);
  for (let row = 0; row < count; row++) {
    let squares = 0;
    for (let j = row * dimension; j < (row + 1) * dimension; j++) {
      block[j] = random() + random() + random() - 1.5;
      squares += block[j]! ** 2;
    }
    for (let j = row * dimension; j < (row + 1) * dimension; j++) block[j]! /= Math.sqrt(squares);
  }
  return block;
}

async function measureSearch(index: VectorIndex, questions: Float32Array[], what: string, within?: Float64Array) {
  const times: number[] = [];
  const processorTimes: number[] = [];
  let numRight = 0;
  let numWanted = 0;
  // So many are asked for that all are compared by their values: the exact answer.
  const all = Math.ceil(index.size / 8) + 1;
  for (const [i, question] of questions.entries()) {
    const before = process.cpuUsage();
    const [found, ms] = await timed(() => index.search(question, depth, within));
    times.push(ms);
    const { user, system } = process.cpuUsage(before);
    processorTimes.push((user + system) / 1000);
    if (i % 4 > 0) continue;
    const exact = new Set((await index.search(question, all, within)).ids.slice(0, depth));
    numWanted += exact.size;
    numRight += found.ids.filter((id) => exact.has(id)).length;
  }
  const recall = (numRight / numWanted).toFixed(4);
  console.log(
    `${what}: median ${quantile(times, 0.5)}, 95 % ${quantile(times, 0.95)}, of all processors ${quantile(processorTimes, 0.5)}, recall@${depth} ${recall}`,
  );
}

async function main(folder: string, numVectors: number, isRandom: boolean): Promise<void> {
  const native = await openNative();
  const random = createRandom(2);
  const file = isRandom ? null : fs.openSync(path.join(folder, 'vectors.f16'), 'r');
  const read = (first: number, count: number): Float32Array => {
    if (file === null) return randomUnits(count, random);
    const bytes = new Uint8Array(count * dimension * 2);
    fs.readSync(file, bytes, 0, bytes.length, first * dimension * 2);
    return new Float32Array(new Float16Array(bytes.buffer));
  };
  const asked = new Float32Array(new Uint8Array(fs.readFileSync(path.join(folder, 'questions.f32'))).buffer);
  const stride = Math.floor(asked.length / dimension / numQuestions);
  const questions = Array.from({ length: numQuestions }, (_, i) =>
    isRandom ? randomUnits(1, random) : asked.slice(i * stride * dimension, (i * stride + 1) * dimension),
  );

  let index = await native.openVectorIndex({ dimension });
  const batch = 1000;
  let ms = 0;
  for (let first = 0; first < numVectors; first += batch) {
    const block = read(first, Math.min(batch, numVectors - first));
    const ids = Float64Array.from({ length: block.length / dimension }, (_, i) => first + i + 1);
    ms += (await timed(() => index.add(ids, block)))[1];
    if ((first + batch) % (numVectors / 10) !== 0) continue;
    console.log(
      `${index.size} vectors: the last ${numVectors / 10} added in ${ms.toFixed(0)} ms, ${residentMegabytes()}`,
    );
    ms = 0;
  }
  await measureSearch(index, questions, 'search');
  const scope = (share: number, numParts: number): Float64Array => {
    const partIds = numVectors / numParts;
    return Float64Array.from({ length: numParts * 2 }, (_, i) => {
      const first = Math.floor(Math.floor(i / 2) * partIds) + 1;
      return i % 2 === 0 ? first : first + Math.floor(partIds * share) - 1;
    });
  };
  await measureSearch(index, questions, 'within 1 %, one range', scope(0.01, 1));
  await measureSearch(index, questions, 'within 1 %, 1,000 ranges', scope(0.01, 1000));
  await measureSearch(index, questions, 'within 10 %, 1,000 ranges', scope(0.1, 1000));
  await measureSearch(index, questions, 'within 90 %, 1,000 ranges', scope(0.9, 1000));

  const some = Float64Array.from({ length: 1000 }, (_, i) => 1 + Math.floor((i * numVectors) / 1000));
  const [, removeMs] = await timed(() => index.remove(some));
  const rows = new Float32Array(some.length * dimension);
  if (file !== null) some.forEach((id, i) => void rows.set(read(id - 1, 1), i * dimension));
  const [, addMs] = await timed(() => index.add(some, rows));
  console.log(`1,000 removed in ${removeMs.toFixed(0)} ms, and added again in ${addMs.toFixed(0)} ms`);

  const saved = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'quoth-scale-')), 'index');
  const [{ sha256 }, saveMs] = await timed(() => index.save(saved));
  await index.close();
  const [opened, openMs] = await timed(() => native.openVectorIndex({ dimension, saved: { file: saved, sha256 } }));
  index = opened;
  console.log(`saved in ${saveMs.toFixed(0)} ms, opened in ${openMs.toFixed(0)} ms, ${residentMegabytes()}`);
  await index.close();
  fs.rmSync(path.dirname(saved), { recursive: true });
}

const [folder, count] = process.argv.slice(2);
if (!folder) throw new Error('where are the vectors?');
await main(folder, Number(count ?? 1_000_000), process.argv.includes('--random'));
