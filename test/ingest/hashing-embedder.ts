import { createHash } from 'node:crypto';

/**
 * A small embedder whose vectors mean something: each word adds a fixed pseudo-random direction, so that texts with words in
 * common are near. The same text gives the same vector, always.
 */
export function embedByHash(text: string, dimension = 64): Float32Array {
  const sums = new Float64Array(dimension);
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}]+/gu)) {
    const bytes = createHash('shake256', { outputLength: dimension }).update(word).digest();
    for (let j = 0; j < dimension; j++) sums[j]! += bytes[j]! - 127.5;
  }
  const length = Math.hypot(...sums) || 1;
  return Float32Array.from(sums, (sum) => sum / length);
}

export function embedAllByHash(texts: string[], dimension = 64): Float32Array {
  const vectors = new Float32Array(texts.length * dimension);
  texts.forEach((text, i) => {
    vectors.set(embedByHash(text, dimension), i * dimension);
  });
  return vectors;
}
