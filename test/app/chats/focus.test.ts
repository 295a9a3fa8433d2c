import { describe, expect, it } from 'vitest';
import { focusOn } from '../../../app/chats/focus.ts';
import { passageOf } from './fixtures.ts';

const countWords = (text: string): number => text.split(/\s+/).filter(Boolean).length;
const filler = (about: string): string => Array.from({ length: 12 }, (_, n) => `The ${about} has part ${n}.`).join(' ');
const bridge = passageOf(
  1,
  `${filler('river')} The Golden Gate Bridge was planned for years. It opened in May 1937. Many came. ${filler('harbour')}`,
);
const tower = passageOf(2, filler('tower'));

describe('what a model is shown of the passages', () => {
  it('is all of them, untouched, where they fit', () => {
    expect(focusOn('When?', [bridge, tower], 5, 1000, countWords)).toEqual([bridge, tower]);
    expect(focusOn('When?', [bridge, tower], 1, 1000, countWords)).toEqual([bridge]);
  });

  it('is the sentence about the question with its neighbours, where they do not', () => {
    const [first, ...rest] = focusOn('When did the Golden Gate Bridge open?', [bridge], 5, 30, countWords);
    expect(rest).toEqual([]);
    expect(first!.text).toContain('The Golden Gate Bridge was planned for years. It opened in May 1937.');
    expect(countWords(first!.text)).toBeLessThanOrEqual(35); // the marks of gaps count as words here
    expect(first).toEqual({ ...bridge, text: first!.text });
    for (const piece of first!.text.split(' … ')) expect(bridge.text).toContain(piece);
  });

  it('is nothing where not even one sentence fits', () => {
    expect(focusOn('When did the bridge open?', [bridge, tower], 5, 2, countWords)).toEqual([]);
    expect(focusOn('When?', [], 5, 100, countWords)).toEqual([]);
  });

  it('is of no more passages than asked for', () => {
    const many = Array.from({ length: 9 }, (_, n) =>
      passageOf(n + 1, `The bridge number ${n} opened. ${filler('arch')}`),
    );
    expect(focusOn('When did the bridge open?', many, 3, 200, countWords).length).toBeLessThanOrEqual(3);
  });
});
