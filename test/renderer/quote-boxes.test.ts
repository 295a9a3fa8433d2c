import { expect, test } from 'vitest';
import type { ScannedWord } from '../../app/contract/types.ts';
import { boxesOnScan, drawnBoxes } from '../../renderer/reader/quote-boxes.ts';

const words: ScannedWord[] = ['The', 'eastern', 'lock', 'needs', 're-', 'pair', 'at', 'once'].map((text, at) => ({
  text,
  box: [100 * (at % 5), 50 + 30 * Math.floor(at / 5), 100 * (at % 5) + 90, 62 + 30 * Math.floor(at / 5)],
}));

test('a quote on a scanned page is marked line by line, over its own words alone', () => {
  const quote = { words: 'lock needs repair at', passageText: null };
  expect(boxesOnScan(quote, words, 2)).toEqual([
    { left: 399, top: 99, width: 582, height: 26 },
    { left: -1, top: 159, width: 382, height: 26 },
  ]);
});

test('a quote that the scan does not hold is not marked', () => {
  expect(boxesOnScan({ words: 'western lock', passageText: null }, words, 2)).toEqual([]);
  expect(boxesOnScan({ words: 'eastern lock', passageText: null }, [], 2)).toEqual([]);
});

test('the cells of a table are marked where the page says they stand', () => {
  expect(drawnBoxes([[10, 20, 40, 30]], 2)).toEqual([{ left: 19, top: 39, width: 62, height: 22 }]);
});
