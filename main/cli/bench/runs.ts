/** What each benchmark does, and what the machine could do at best. */
import { performance } from 'node:perf_hooks';
import type { PlanHeader } from '../../../engines/plan/format.ts';
import { type DeviceReport, type Engine, greedy, type Native } from '../../../native/index.ts';
import { kvBytesPerToken, measureReadBandwidth, peakMacsPerSecond, tokenWork } from './limits.ts';

export type Measured = { shape: object; median: number; unit: string; limit: number | null; limitFrom: string };
export type Sizes = { numPrompt: number; numTokens: number };
export type EngineBench = (engine: Engine, header: PlanHeader, report: DeviceReport, sizes: Sizes) => Promise<Measured>;

const numRepeats = 3;
/** Sequences that `serve` runs at once. */
const numSequences = 8;

export function median(values: number[]): number {
  const sorted = [...values].sort((first, second) => first - second);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

async function repeat(measure: (round: number) => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round < numRepeats; round += 1) values.push(await measure(round));
  return median(values);
}

/** Ids that look like nothing in particular and differ from round to round, so that no cached prefix fits. */
function someIds(length: number, vocabularySize: number, round: number): Int32Array {
  let state = 12_345 + 7_919 * round;
  return Int32Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return 3 + (state % Math.max(1, vocabularySize - 3));
  });
}

async function generate(engine: Engine, ids: Int32Array, maxTokens: number) {
  // Ids that mean nothing make a model repeat itself, and drafts would then measure that: "bench quote" is for them.
  const request = { ids, maxTokens, stopIds: [], sampling: greedy, priority: 10, speculation: 'off' as const };
  for await (const event of engine.generate(request)) if (event.type === 'finished') return event;
  throw new Error('The generation ended without its last event.');
}

export const decode: EngineBench = async (engine, header, report, { numPrompt, numTokens }) => {
  const rate = await repeat(async (round) => {
    const ids = someIds(numPrompt, header.vocabularySize, round);
    const { numOutputTokens, decodeMs } = await generate(engine, ids, numTokens);
    return (1000 * (numOutputTokens - 1)) / decodeMs;
  });
  const bytes = tokenWork(header).weightBytes + kvBytesPerToken(header) * (numPrompt + numTokens / 2);
  return {
    shape: { prompt: numPrompt, tokens: numTokens },
    median: rate,
    unit: 'tokens/s',
    limit: (await measureReadBandwidth(report.numThreads)) / bytes,
    limitFrom: 'measured bandwidth of reading memory, over the weights and the KV of a token',
  };
};

export const prefill: EngineBench = async (engine, header, report, { numPrompt }) => {
  const rate = await repeat(async (round) => {
    const { ttftMs } = await generate(engine, someIds(numPrompt, header.vocabularySize, round), 1);
    return (1000 * numPrompt) / ttftMs;
  });
  return {
    shape: { prompt: numPrompt },
    median: rate,
    unit: 'tokens/s',
    limit: peakMacsPerSecond(report) / tokenWork(header).macs,
    limitFrom: 'peak of int8 arithmetic at the stated clock, over the weights’ multiplications',
  };
};

export const serve: EngineBench = async (engine, header, report, { numPrompt, numTokens }) => {
  const rate = await repeat(async (round) => {
    const startMs = performance.now();
    const sequences = Array.from({ length: numSequences }, (_, index) =>
      generate(engine, someIds(numPrompt, header.vocabularySize, round * numSequences + index), numTokens),
    );
    const finished = await Promise.all(sequences);
    const numOutput = finished.reduce((sum, { numOutputTokens }) => sum + numOutputTokens, 0);
    return (1000 * numOutput) / (performance.now() - startMs);
  });
  const { weightBytes, macs } = tokenWork(header);
  const bytes = weightBytes / numSequences + kvBytesPerToken(header) * (numPrompt + numTokens / 2);
  const byMemory = (await measureReadBandwidth(report.numThreads)) / bytes;
  const byArithmetic = peakMacsPerSecond(report) / (macs * (1 + numPrompt / numTokens));
  return {
    shape: { sequences: numSequences, prompt: numPrompt, tokens: numTokens },
    median: rate,
    unit: 'tokens/s',
    limit: Math.min(byMemory, byArithmetic),
    limitFrom: byMemory < byArithmetic ? 'measured bandwidth of reading memory' : 'peak of int8 arithmetic',
  };
};

export const embed: EngineBench = async (engine, header, report, { numPrompt }) => {
  const numTexts = 32;
  const numIds = Math.min(numPrompt, header.contextTokens);
  const rate = await repeat(async (round) => {
    const texts = Array.from({ length: numTexts }, (_, index) =>
      someIds(numIds, header.vocabularySize, round * numTexts + index),
    );
    const startMs = performance.now();
    await engine.embed(texts);
    return (1000 * numTexts) / (performance.now() - startMs);
  });
  return {
    shape: { texts: numTexts, tokens: numIds },
    median: rate,
    unit: 'texts/s',
    limit: peakMacsPerSecond(report) / (tokenWork(header).macs * numIds),
    limitFrom: 'peak of int8 arithmetic at the stated clock, over the weights’ multiplications',
  };
};

/** One question against random unit vectors: the index alone, without the question's embedding. */
export async function search(native: Native, numVectors: number, dimension: number): Promise<Measured> {
  const report = await native.describe();
  const index = await native.openVectorIndex({ dimension });
  const batch = 10_000;
  for (let first = 0; first < numVectors; first += batch) {
    const count = Math.min(batch, numVectors - first);
    const ids = Float64Array.from({ length: count }, (_, place) => first + place + 1);
    await index.add(ids, unitVectors(count, dimension));
  }
  const times: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    const query = unitVectors(1, dimension);
    const startMs = performance.now();
    await index.search(query, 10);
    times.push(performance.now() - startMs);
  }
  await index.close();
  const bandwidth = await measureReadBandwidth(report.numThreads);
  return {
    shape: { vectors: numVectors, dimension, k: 10, index: report.vectorIndex },
    median: median(times),
    unit: 'ms',
    // float16, as the store holds them: whoever keeps more bytes per vector reads more than it must.
    limit: (1000 * numVectors * dimension * 2) / bandwidth,
    limitFrom: 'measured bandwidth of reading memory, over the vectors as float16',
  };
}

function unitVectors(count: number, dimension: number): Float32Array {
  const vectors = Float32Array.from({ length: count * dimension }, () => Math.random() - 0.5);
  for (let row = 0; row < count; row += 1) {
    const vector = vectors.subarray(row * dimension, (row + 1) * dimension);
    const length = Math.hypot(...vector);
    for (let column = 0; column < dimension; column += 1) vector[column]! /= length;
  }
  return vectors;
}
