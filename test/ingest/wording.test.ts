import { describe, expect, it } from 'vitest';
import { wordingOf } from '../../ingest/wording.ts';

const best = (question: string, texts: string[]): number => {
  const sums = wordingOf(question, texts).map(({ whole, stretch, pairs }) => whole + stretch + pairs);
  return sums.indexOf(Math.max(...sums));
};

describe("a passage's wording", () => {
  it('counts more where the words stand in one sentence than where they stand far apart', () => {
    const [near, far] = wordingOf('What is the diameter of the pump shaft?', [
      'The shaft of the pump has a diameter of 12 mm. Oil it. Paint it. Leave it.',
      'The pump is blue. Oil it. Paint it. The shaft is long. Leave it. Cut it. Any diameter will do.',
    ]);
    expect(near!.whole).toBe(1);
    expect(far!.whole).toBe(1);
    expect(near!.stretch).toBe(1);
    expect(far!.stretch).toBeLessThan(0.7);
  });

  it('knows words by their stems, with or without accents and capitals', () => {
    expect(wordingOf('rotating pumps', ['PUMP ROTATES'])).toEqual([{ whole: 1, stretch: 1, pairs: 0 }]);
    expect(wordingOf('Müller café', ['muller CAFE'])[0]).toEqual({ whole: 1, stretch: 1, pairs: 1 });
  });

  it('finds part numbers and names side by side', () => {
    expect(best('torque of bolt XJ-4471', ['bolt 4471 of XJ, torque 3 Nm', 'torque of bolt XJ-4471: 3 Nm'])).toBe(1);
    expect(best('who is Maria Rossi', ['Maria Bianchi met Carlo Rossi', 'He met Maria Rossi'])).toBe(1);
  });

  it('works without spaces, by pairs of characters', () => {
    expect(best('战国无双的开发公司', ['公司的开发。', '由光荣开发的战国无双。', '国战双无'])).toBe(1);
    expect(best('奈良の大仏の高さ', ['高さ約15メートルの「奈良の大仏」', '奈良は古い'])).toBe(0);
  });

  it('gives every number between 0 and 1, whatever it is given', () => {
    for (const question of ['', '?', 'the', '\ud800', 'a b c '.repeat(2_000), '𠮷野家'])
      for (const { whole, stretch, pairs } of wordingOf(question, ['', 'the', '\udfff x', '𠮷野家 a b']))
        for (const one of [whole, stretch, pairs]) {
          expect(one).toBeGreaterThanOrEqual(0);
          expect(one).toBeLessThanOrEqual(1 + 1e-9);
        }
  });
});
