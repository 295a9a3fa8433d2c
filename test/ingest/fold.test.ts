import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createFolding, leastLikeness } from '../../ingest/fold.ts';
import { namedSet, qaFolder } from '../eval/collections.ts';

/** Into which of the texts before it the last one is folded. */
function foldedInto(...texts: string[]) {
  const folding = createFolding();
  return texts.map((text) => folding.take(text)).at(-1) ?? null;
}

const clause =
  'The Tenant shall pay the rent to the Landlord in advance on the first day of each month. If the rent is not paid ' +
  'within seven days after it is due, interest of 5 percent for each year is added to what is owed, and Mr Miller may ' +
  'end the lease with a written notice of thirty days. The deposit is given back when the rooms were handed over in ' +
  'good order, less what their repair has cost.';

describe('passages that say the same', () => {
  test.each([
    ['the same words', clause],
    ['other spaces, lines and capitals', clause.toUpperCase().replaceAll(' ', '\n  ')],
    ['a comma less and a dash more', clause.replace(' due,', ' due –').replace('month.', 'month;')],
    ['hyphens of line ends', clause.replace('interest', 'inter-\nest').replace('written', 'writ-\nten')],
    ['a mended slip', clause.replace('repair', 'mending')],
    ['three words in other words', clause.replace('given back', 'returned').replace('rooms', 'premises')],
    ['a line more at its end', `${clause} Copy for the files of the house.`],
  ])('are one with %s', (_what, text) => {
    const folded = foldedInto('Something else that stands before it.', clause, text);
    expect(folded?.into).toBe(1);
    expect(folded?.likeness).toBeGreaterThanOrEqual(leastLikeness);
  });

  test.each([
    ['another number', clause.replace('5 percent', '6 percent')],
    ['another name', clause.replace('Miller', 'Muller')],
    ['a "not" more', clause.replace('may end', 'may not end')],
    ['a "not" less', clause.replace('is not paid', 'is paid')],
    ['half of it alone', clause.slice(0, clause.length / 2)],
    ['many other words', clause.replaceAll('rent', 'fee').replaceAll('the', 'any').replaceAll('of', 'in')],
  ])('are two with %s', (_what, text) => {
    expect(foldedInto(clause, text)).toBeNull();
  });

  test('are told apart in scripts without spaces, too', () => {
    const japanese =
      '吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた事だけは記憶している。';
    expect(foldedInto(japanese, japanese.replace('泣いていた', '鳴いていた'))?.into).toBe(0);
    expect(foldedInto(japanese, japanese.replace('している。', 'していない。'))).toBeNull();
    const chinese =
      '北京大学创办于1898年，初名京师大学堂，是中国近代第一所国立综合性大学，也是当时中国最高教育行政机关。';
    expect(foldedInto(chinese, chinese.replace('，是', '；是'))?.into).toBe(0);
    expect(foldedInto(chinese, chinese.replace('1898', '1989'))).toBeNull();
  });

  test('texts without a word are one only if they are the same sign for sign', () => {
    expect(foldedInto('— * —', '— * —')?.likeness).toBe(1);
    expect(foldedInto('— * —', '…')).toBeNull();
    expect(foldedInto('', 'a')).toBeNull();
  });
});

describe.skipIf(!fs.existsSync(qaFolder))('of real passages', () => {
  const random = (seed: number) => () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };

  test('no two different ones are folded', () => {
    for (const name of ['squad', 'nq', 'jaquad', 'cmrc', 'xquad-de', 'xquad-ru', 'xquad-ar']) {
      const folding = createFolding();
      const texts = namedSet(name).passages.map(({ text }) => text);
      const folded = texts.flatMap((text, i) => {
        const into = folding.take(text);
        return into ? [[text, texts[into.into], i]] : [];
      });
      // NQ holds one page of Wikipedia in several states.
      expect(folded.length, JSON.stringify(folded.slice(0, 3))).toBeLessThanOrEqual(name === 'nq' ? 8 : 0);
    }
  });

  test('copies with a common word in fifty replaced are folded, and those with a number changed never', () => {
    const next = random(7);
    const texts = namedSet('squad')
      .passages.map(({ text }) => text)
      .filter((text) => text.length > 400);
    const folding = createFolding();
    for (const text of texts) folding.take(text);
    let numFolded = 0;
    let numNumbers = 0;
    texts.forEach((text, place) => {
      // Words in lower case that are followed by another one: no name, no number, no negation.
      const edited = text.replace(/(?<= )(with|from|into|about|after|which|their|these|were)(?= [a-z])/g, (word) =>
        next() < 0.3 ? 'beside' : word,
      );
      const folded = folding.take(edited);
      if (folded) numFolded += 1;
      if (folded) expect(folded.into).toBe(place);
      const number = /(?<= )[1-9]\d*(?=[ .,])/.exec(text)?.[0];
      if (number === undefined) return;
      numNumbers += 1;
      expect(createFoldingOf(text).take(text.replace(number, `${number}7`))).toBeNull();
    });
    expect(numNumbers).toBeGreaterThan(200);
    expect(numFolded / texts.length).toBeGreaterThan(0.95);
  });
});

function createFoldingOf(text: string) {
  const folding = createFolding();
  folding.take(text);
  return folding;
}
