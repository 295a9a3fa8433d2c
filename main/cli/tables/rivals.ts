/** What others do with a PDF by default: each page's text in pieces of 1,000 characters, found by an embedder alone or BM25 alone. */
import type { PageLines } from './questions.ts';

/** A piece of a page. */
export type Piece = { file: string; page: number; text: string };

const mostCharacters = 1_000;
const overlapCharacters = 200;

/** The usual splitter's way: pages apart, whole lines while they fit, the last 200 characters once more. */
export function piecesOf(file: string, pages: PageLines): Piece[] {
  return pages.flatMap((lines, index) => {
    const texts = lines.map(({ words }) => words.map(({ text }) => text).join(' '));
    const pieces: Piece[] = [];
    const together: string[] = [];
    const lengthOf = (some: readonly string[]): number => some.reduce((sum, one) => sum + one.length + 1, 0);
    for (const text of texts) {
      if (together.length > 0 && lengthOf(together) + text.length > mostCharacters) {
        pieces.push({ file, page: index + 1, text: together.join('\n') });
        while (together.length > 0 && lengthOf(together) > overlapCharacters) together.shift();
      }
      together.push(text);
    }
    if (together.length > 0) pieces.push({ file, page: index + 1, text: together.join('\n') });
    return pieces;
  });
}

/** The texts nearest to a vector by cosine: places in `vectors`, best first. All are of unit length. */
export function nearestOf(vectors: Float32Array, query: Float32Array, limit: number): number[] {
  const scores = Array.from({ length: vectors.length / query.length }, (_, place) => {
    let sum = 0;
    for (let i = 0; i < query.length; i++) sum += vectors[place * query.length + i]! * query[i]!;
    return sum;
  });
  return [...scores.keys()].sort((one, other) => scores[other]! - scores[one]!).slice(0, limit);
}
