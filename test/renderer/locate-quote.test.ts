import { describe, expect, it } from 'vitest';
import { locateQuote } from '../../renderer/reader/locate-quote.ts';

/** The words between the two ends of a place, part by part. */
function between(parts: string[], quote: string): string[] | null {
  const place = locateQuote(parts, quote);
  if (!place) return null;
  const { from, to } = place;
  return parts
    .slice(from.part, to.part + 1)
    .map((part, index, all) =>
      part.slice(index === 0 ? from.offset : 0, index === all.length - 1 ? to.offset : part.length),
    );
}

describe('a quote in the lines of a page', () => {
  it('is found across lines, spaces and hyphens at their ends', () => {
    const lines = ['The tenant shall keep the prem-', 'ises in  good', ' ', 'repair. The end.'];
    expect(between(lines, 'keep the premises in good repair.')).toEqual([
      'keep the prem-',
      'ises in  good',
      ' ',
      'repair.',
    ]);
  });

  it('is found through ligatures, accents in two pieces, and other quotation marks', () => {
    expect(between(['the of\ufb01ce said “no”'], 'office said "no"')).toEqual(['of\ufb01ce said “no”']);
    expect(between(['un cafe\u0301 noir'], 'café noir')).toEqual(['cafe\u0301 noir']);
    expect(between(['契約は三か月前', 'の通知で終了する。'], '三か月前の通知で')).toEqual(['三か月前', 'の通知で']);
    expect(between(['a 😀 b 😀 c'], 'b 😀 c')).toEqual(['b 😀 c']);
  });

  it('is not marked where it stands twice, nor where it does not stand', () => {
    expect(locateQuote(['one two one two'], 'one two')).toBe(null);
    expect(locateQuote(['aaa'], 'aa')).toBe(null);
    expect(locateQuote(['one two'], 'two three')).toBe(null);
    expect(locateQuote(['One two'], 'one two')).toBe(null);
    expect(locateQuote(['one two'], ' - ')).toBe(null);
    expect(locateQuote([], 'one')).toBe(null);
  });

  it('that stands twice is marked where its passage stands, if that stands once', () => {
    const lines = ['It ends in May. ', 'Then it ends in May, they say. It ends.'];
    expect(locateQuote(lines, 'ends in May')).toBe(null);
    expect(locateQuote(lines, 'ends in May', 'Then it ends in May, they say.')).toEqual({
      from: { part: 1, offset: 8 },
      to: { part: 1, offset: 19 },
    });
    expect(locateQuote(lines, 'ends in May', 'ends in May')).toBe(null);
    expect(locateQuote(lines, 'ends in May', 'Other words.')).toBe(null);
    expect(locateQuote(lines, 'ends in May', '')).toBe(null);
  });

  it('holds exactly its letters, wherever it is cut out of any text', () => {
    const text = 'Ｗｅ met — at “Ångström’s” ﬀ office; 契約は３か月 1½ of 𝒳 ends here.';
    const letters = (words: string): string => words.normalize('NFKD').replace(/[\s\p{Pd}]/gu, '');
    for (let start = 0; start < text.length; start++)
      for (let end = start + 1; end <= text.length; end++) {
        const quote = text.slice(start, end);
        if (!quote.isWellFormed()) continue;
        const found = between([text.slice(0, 20), text.slice(20)], quote);
        if (found) expect(letters(found.join(''))).toContain(letters(quote));
      }
  });
});
