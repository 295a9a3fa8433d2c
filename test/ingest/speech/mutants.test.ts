/** Damaged recordings: decoding ends, with sound or with a reason, soon and in bounded memory. */
import { describe, expect, test } from 'vitest';
import { bytesOf, recordings, samplesOf, wavOf } from './recordings.ts';

// QUOTH_LONG=1: 400 mutants of each kind instead of 24.
const numMutants = process.env.QUOTH_LONG === '1' ? 400 : 24;
/** Of eleven seconds, a mutant that says it is at another rate may become some minutes; more would be made up. */
const mostSamples = 16_000 * 1200;

function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Bytes changed, above all in the head, where the lengths stand; stretches cut out, doubled, or the end cut off. */
function mutantOf(good: Uint8Array, random: (below: number) => number): Uint8Array {
  const bytes = good.slice();
  const kind = random(5);
  const place = (): number => (random(3) === 0 ? random(bytes.length) : random(Math.min(1500, bytes.length)));
  if (kind <= 1) for (let change = 0; change <= random(12); change++) bytes[place()] = random(256);
  if (kind === 2) for (let change = 0; change < 4; change++) bytes.fill([0, 255][random(2)]!, place(), place() + 8);
  if (kind === 3) return bytes.slice(0, random(bytes.length));
  if (kind === 4) {
    const [from, length] = [place(), random(2000)];
    return new Uint8Array(
      Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + (random(2) ? length : -length))]),
    );
  }
  // Tables of MP4 may stand at the end.
  if (random(4) === 0) for (let change = 0; change < 6; change++) bytes[bytes.length - 1 - random(1000)] = random(256);
  return bytes;
}

const good: [string, Uint8Array][] = Object.keys(recordings).map((name) => [name, bytesOf(name)]);
good.push(['jfk.wav', wavOf(await samplesOf(bytesOf('jfk.opus')))]);

describe.each(good)('mutants of %s', (name, bytes) => {
  test('end with sound or with a reason', { timeout: 600_000 }, async () => {
    const random = createRandom(name.length * 7919);
    let numRead = 0;
    for (let mutant = 0; mutant < numMutants; mutant++) {
      const length = await samplesOf(mutantOf(bytes, random)).then(
        (samples) => samples.length,
        (error: unknown) => {
          expect(error).toBeInstanceOf(Error);
          expect((error as Error).message).not.toBe('');
          return 0;
        },
      );
      expect(length).toBeLessThan(mostSamples);
      if (length > 0) numRead += 1;
    }
    // A reader that refuses all of them would be no reader.
    expect(numRead).toBeGreaterThan(numMutants / 6);
  });
});
