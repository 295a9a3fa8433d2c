/** One question against random unit vectors: the index alone, without the question's embedding. */
import { performance } from 'node:perf_hooks';
import type { Native } from '../../../native/index.ts';
import { median } from './generations.ts';
import { measureReadBandwidth } from './limits.ts';
import type { Measured } from './runs.ts';

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
