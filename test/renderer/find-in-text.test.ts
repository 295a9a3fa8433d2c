import { describe, expect, it } from 'vitest';
import { findInTexts, mostHits } from '../../renderer/document/find-in-text.ts';

const found = (texts: string[], words: string): string[] =>
  findInTexts(texts, words).map(({ index, start, endExclusive }) => texts[index]!.slice(start, endExclusive));

describe('words in a document', () => {
  it('are found whatever their capitals, widths, accents’ make and line breaks', () => {
    expect(found(['The MILL, the mill'], 'Mill')).toEqual(['MILL', 'mill']);
    expect(found(['cafe\u0301 and caf\u00e9'], 'CAFÉ')).toEqual(['cafe\u0301', 'caf\u00e9']);
    expect(found(['ＡＢＣ-12 and ABC-12'], 'abc-12')).toEqual(['ＡＢＣ-12', 'ABC-12']);
    expect(found(['ＡＢＣ'], 'ABC')).toEqual(['ＡＢＣ']);
    expect(found(['the old\n  mill'], 'old mill')).toEqual(['old\n  mill']);
    expect(found(['賃貸借契約書', '契約'], '契約')).toEqual(['契約', '契約']);
  });

  it('are words and no pattern', () => {
    expect(found(['a.c abc (x) [y] \\d 1'], 'a.c')).toEqual(['a.c']);
    expect(found(['a.c abc (x) [y] \\d 1'], '(x) [y] \\d')).toEqual(['(x) [y] \\d']);
    expect(found(['anything'], '  ')).toEqual([]);
    expect(found(['a-b'], 'a-b')).toEqual(['a-b']);
  });

  it('are counted up to a limit', () => {
    expect(findInTexts(['a'.repeat(3000), 'a'.repeat(3000)], 'a')).toHaveLength(mostHits);
  });
});
