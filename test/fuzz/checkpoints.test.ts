import { expect, test } from 'vitest';
import { withFolder } from '../engines/checkpoints.ts';
import { openNative } from '../native/native.ts';
import { fuzzCheckpoints } from './fuzz-checkpoints.ts';
import { createRandom, mutate } from './mutate.ts';

test('two thousand broken checkpoints are opened or refused with a sentence, soon and in little memory', () =>
  withFolder(async (folder) => {
    const { builder } = await openNative();
    const outcomes = await fuzzCheckpoints({ folder, first: 0, count: 2000, builder });
    expect(outcomes.refused).toBeGreaterThan(1000);
    expect(outcomes.built).toBeGreaterThan(100);
  }));

test('the same case is the same bytes', () => {
  const original = Buffer.from('{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}');
  for (let seed = 0; seed < 50; seed++) {
    expect(mutate(original, createRandom(seed))).toEqual(mutate(original, createRandom(seed)));
  }
});
