/**
 * Two documents side by side, sentence by sentence, by program: what both say word for word, what one says otherwise than the
 * other, and what stands in one only. Every sentence of both is looked at.
 */
import { setImmediate } from 'node:timers/promises';
import { countWords, type Frequencies, fitnessOf, pickKeySentences } from './key-sentences.ts';
import { withPlace } from './mentions.ts';
import { type Piece, piecesOf, readPart } from './parts.ts';
import type { JobWords } from './words.ts';
import type { Line, Page, Planned, Worker } from './worker.ts';

export type Comparison = {
  numSame: number;
  changed: { first: Line; second: Line; weight: number }[];
  onlyFirst: Piece[];
  onlySecond: Piece[];
};

/** From this cosine (of rare words) on, a sentence says otherwise what the other says; below, they speak of different things. */
const leastLikeness = 0.55;
/** Sentences of the other document that share one of a sentence's rarest words. */
const numRarest = 8;
const mostPostings = 400;
const mostChanged = 15;
/** Sentences between two moments in which others may run. */
const batch = 100;
const mostOnly = 8;

type Vector = { weights: Map<string, number>; length: number };

/** Reads both documents, each once. */
export async function readPieces(worker: Worker, document: Planned): Promise<Piece[]> {
  const all: Piece[] = [];
  for (const part of document.parts) {
    await worker.breathe();
    if (worker.signal.aborted) break;
    worker.onBegin(part);
    const passages = readPart(part, worker.passagesOf);
    all.push(...piecesOf(passages, all.at(-1) ?? null));
    worker.onRead(part, passages.length, false);
  }
  return all;
}

const bare = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();

export async function comparePieces(first: readonly Piece[], second: readonly Piece[]): Promise<Comparison> {
  const numWith = new Map<string, number>();
  for (const [count, { words }] of [...first, ...second].entries()) {
    if (count % batch === batch - 1) await setImmediate();
    for (const stem of new Set(words.map(({ stem }) => stem))) numWith.set(stem, (numWith.get(stem) ?? 0) + 1);
  }
  const numAll = first.length + second.length;
  const vectorOf = ({ words }: Piece): Vector => {
    const weights = new Map<string, number>();
    for (const { stem } of words) weights.set(stem, Math.log(1 + numAll / numWith.get(stem)!));
    return { weights, length: Math.hypot(...weights.values()) };
  };

  // Word for word the same: each sentence of one against one of the other.
  const left = new Map<string, number[]>();
  for (const [at, { text }] of second.entries()) {
    const key = bare(text);
    const known = left.get(key);
    if (known) known.push(at);
    else left.set(key, [at]);
  }
  const isSame = new Set<number>();
  const restFirst: number[] = [];
  for (const [at, { text }] of first.entries()) {
    const other = left.get(bare(text))?.shift();
    if (other === undefined) restFirst.push(at);
    else isSame.add(other);
  }
  const restSecond = [...second.keys()].filter((at) => !isSame.has(at));

  const vectors = new Map<number, Vector>();
  const postings = new Map<string, number[]>();
  for (const [count, at] of restSecond.entries()) {
    if (count % batch === batch - 1) await setImmediate();
    const vector = vectorOf(second[at]!);
    vectors.set(at, vector);
    for (const stem of vector.weights.keys()) {
      const known = postings.get(stem);
      if (known) known.push(at);
      else postings.set(stem, [at]);
    }
  }
  const pairs: { first: number; second: number; likeness: number }[] = [];
  for (const [count, at] of restFirst.entries()) {
    if (count % batch === batch - 1) await setImmediate();
    const vector = vectorOf(first[at]!);
    const rarest = [...vector.weights].sort((a, b) => b[1] - a[1]).slice(0, numRarest);
    const others = new Set(rarest.flatMap(([stem]) => (postings.get(stem) ?? []).slice(0, mostPostings)));
    for (const other of others) {
      const likeness = cosine(vector, vectors.get(other)!);
      if (likeness >= leastLikeness) pairs.push({ first: at, second: other, likeness });
    }
  }
  pairs.sort((a, b) => b.likeness - a.likeness || a.first - b.first || a.second - b.second);
  const pairedFirst = new Set<number>();
  const pairedSecond = new Set<number>();
  const changed: Comparison['changed'] = [];
  for (const pair of pairs) {
    if (pairedFirst.has(pair.first) || pairedSecond.has(pair.second)) continue;
    pairedFirst.add(pair.first);
    pairedSecond.add(pair.second);
    const [one, other] = [first[pair.first]!, second[pair.second]!];
    changed.push({ first: lineOf(one), second: lineOf(other), weight: weightOf(one, other) });
  }
  return {
    numSame: isSame.size,
    changed,
    onlyFirst: restFirst.filter((at) => !pairedFirst.has(at)).map((at) => first[at]!),
    onlySecond: restSecond.filter((at) => !pairedSecond.has(at)).map((at) => second[at]!),
  };
}

const lineOf = ({ passage, start, endExclusive }: Piece): Line => ({ text: null, passage, start, endExclusive });

function cosine(a: Vector, b: Vector): number {
  if (a.length === 0 || b.length === 0) return 0;
  let sum = 0;
  for (const [stem, weight] of a.weights) sum += weight * (b.weights.get(stem) ?? 0);
  return sum / (a.length * b.length);
}

const denial =
  /\b(?:not|no|never|without|cannot|pas|jamais|sans|aucune?|non|mai|senza|nessun\w*)\b|n['’]t\b|ない|ません|不|没/iu;

/** A number, a name or a "not" that differs matters more than a word. */
function weightOf(one: Piece, other: Piece): number {
  const stems = (piece: Piece) => new Set(piece.words.map(({ stem }) => stem));
  const [there, here] = [stems(one), stems(other)];
  const differing = [
    ...one.words.filter(({ stem }) => !here.has(stem)),
    ...other.words.filter(({ stem }) => !there.has(stem)),
  ];
  const denies = denial.test(one.text) !== denial.test(other.text);
  return differing.reduce((sum, { isNumber, isName }) => sum + (isNumber ? 3 : isName ? 2 : 1), denies ? 4 : 0);
}

/** What differs first, then what stands in one only; key sentences where there are too many. */
export function writeComparison(
  page: Page,
  words: JobWords,
  titles: [string, string],
  { numSame, changed, onlyFirst, onlySecond }: Comparison,
): void {
  const counts = { same: numSame, changed: changed.length, onlyFirst: onlyFirst.length, onlySecond: onlySecond.length };
  page.paragraph(words.compared(counts));
  if (numSame > 0 && changed.length + onlyFirst.length + onlySecond.length === 0) page.paragraph(words.alike);
  if (changed.length > 0) {
    page.heading(words.differs);
    const shown = changed.toSorted((a, b) => b.weight - a.weight).slice(0, mostChanged);
    shown.sort((a, b) => a.first.passage.ordinal - b.first.passage.ordinal || a.first.start - b.first.start);
    const items = shown.map(
      ({ first, second }) => `${withPlace(page, words, first)} ↔ ${withPlace(page, words, second)}`,
    );
    if (changed.length > shown.length) items.push(words.andMore(changed.length - shown.length));
    page.list(items);
  }
  for (const [title, only] of [
    [titles[0], onlyFirst],
    [titles[1], onlySecond],
  ] as const) {
    const frequencies: Frequencies = new Map();
    for (const piece of only) countWords(frequencies, piece.words);
    const candidates = only.map((piece) => ({ ...piece, fitness: fitnessOf(piece.text, piece.words) }));
    const chosen = pickKeySentences(
      candidates.filter(({ fitness }) => fitness > 0),
      frequencies,
      mostOnly,
    );
    if (chosen.length === 0) continue;
    page.heading(words.onlyIn(title));
    const items = chosen.map((piece) => withPlace(page, words, lineOf(piece)));
    if (only.length > chosen.length) items.push(words.andMore(only.length - chosen.length));
    page.list(items);
  }
}
