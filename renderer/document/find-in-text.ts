/** Finding words in a document's text as it is shown, whatever their capitals and however their letters are put together. */
export type Hit = { index: number; start: number; endExclusive: number };

/** More than anybody steps through; what is beyond is counted as this many and more. */
export const mostHits = 5_000;

/** Every place of the words, in the order of the texts. Line breaks count as spaces. */
export function findInTexts(texts: readonly string[], words: string): Hit[] {
  const pattern = patternOf(words);
  if (!pattern) return [];
  const hits: Hit[] = [];
  for (let index = 0; index < texts.length && hits.length < mostHits; index++)
    for (const match of texts[index]!.matchAll(pattern)) {
      hits.push({ index, start: match.index, endExclusive: match.index + match[0].length });
      if (hits.length === mostHits) break;
    }
  return hits;
}

/** Letters with their marks, put together or not; full and half width. Null where there is nothing to find. */
function patternOf(words: string): RegExp | null {
  const parts = words.trim().split(/\s+/).filter(Boolean);
  if (parts.length === 0) return null;
  const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const any = (character: string): string => {
    const full = /[!-~]/.test(character) ? String.fromCodePoint(character.codePointAt(0)! + 0xfee0) : character;
    const forms = new Set([
      character,
      character.normalize('NFC'),
      character.normalize('NFD'),
      full,
      character.normalize('NFKC'),
    ]);
    return forms.size === 1 ? escaped(character) : `(?:${[...forms].map(escaped).join('|')})`;
  };
  const segments = [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(parts.join(' '))];
  const source = segments.map(({ segment }) => (segment === ' ' ? '\\s+' : any(segment))).join('');
  return new RegExp(source, 'giu');
}
