/** Finds a quote in text that was cut into parts by someone else: the lines of a PDF page, the passages of a document. */

export type QuotePlace = {
  from: { part: number; offset: number };
  /** The end is exclusive and stands in the part of the quote's last letter. */
  to: { part: number; offset: number };
};

// What differs between two copies of the same words: white space, hyphens at the ends of lines, invisible characters.
const skipped = /[\s\p{Pd}\u00ad\u200b-\u200f\u2060\ufeff]/u;
const singleQuotes = /[‘’‚‛′`´]/;
const doubleQuotes = /[“”„‟″«»]/;

type Folded = { text: string; parts: number[]; starts: number[]; ends: number[] };

/** Letters alone, each with where it came from. Ligatures and accents fall into their pieces (Unicode NFKD). */
function fold(parts: string[]): Folded {
  const folded: Folded = { text: '', parts: [], starts: [], ends: [] };
  const letters: string[] = [];
  parts.forEach((part, index) => {
    let offset = 0;
    for (const character of part) {
      const end = offset + character.length;
      for (const piece of character.normalize('NFKD')) {
        if (skipped.test(piece)) continue;
        const letter = singleQuotes.test(piece) ? "'" : doubleQuotes.test(piece) ? '"' : piece;
        letters.push(letter);
        for (let unit = 0; unit < letter.length; unit++) {
          folded.parts.push(index);
          folded.starts.push(offset);
          folded.ends.push(end);
        }
      }
      offset = end;
    }
  });
  folded.text = letters.join('');
  return folded;
}

/**
 * Where the quote stands in `parts`, or null when it does not stand there, or when it stands there more than once and the
 * text around it (`passage`, where it is known) does not say which one is meant: a mark at a place that may be the wrong
 * one is worse than none.
 */
export function locateQuote(parts: string[], quote: string, passage: string | null = null): QuotePlace | null {
  const wanted = fold([quote]).text;
  if (wanted === '') return null;
  const folded = fold(parts);
  const first = onlyPlace(folded.text, wanted) ?? placeWithin(folded.text, wanted, passage);
  if (first === null) return null;
  const last = first + wanted.length - 1;
  const [fromPart, fromOffset] = [folded.parts[first], folded.starts[first]];
  const [toPart, toOffset] = [folded.parts[last], folded.ends[last]];
  if (fromPart === undefined || fromOffset === undefined || toPart === undefined || toOffset === undefined) return null;
  return { from: { part: fromPart, offset: fromOffset }, to: { part: toPart, offset: toOffset } };
}

/** Where `words` stands in `text`, if it stands there exactly once. */
function onlyPlace(text: string, words: string): number | null {
  const first = text.indexOf(words);
  return first === -1 || text.includes(words, first + 1) ? null : first;
}

function placeWithin(text: string, wanted: string, passage: string | null): number | null {
  if (passage === null) return null;
  const around = fold([passage]).text;
  const start = around === '' ? null : onlyPlace(text, around);
  const inside = onlyPlace(around, wanted);
  return start === null || inside === null ? null : start + inside;
}
