/**
 * Every mention of something: each sentence of each passage is looked at. It is a mention when the words stand in it as they
 * are written, or all of them in whatever form; no model takes part. What is near by meaning alone stands apart.
 */
import type { Embedder } from '../../ingest/embedder.ts';
import type { PassageIndex } from '../../ingest/passage-index.ts';
import type { StoredPassage } from '../../ingest/store.ts';
import { asLine } from '../chats/markdown.ts';
import { american, contentWords } from '../chats/sentences.ts';
import { placeOf } from '../library/place.ts';
import { type Piece, piecesOf, readPart } from './parts.ts';
import { type JobWords, placeWords } from './words.ts';
import { type Line, type Page, type Planned, quoteOf, type Worker } from './worker.ts';

/** More quotes than this are counted with their places, and not shown. */
const mostShown = 400;
const mostNear = 8;
const numNeighbours = 60;
/** A cosine from which another wording may mean the same, where no mention says what is usual. */
const usualLikeness = 0.5;

export type Near = { embedder: Embedder; index: PassageIndex; passages: (ids: number[]) => StoredPassage[] };

export type Mentions = { document: Planned; lines: Line[] }[];

const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .replace(/[’ʼ]/g, "'")
    .replace(/[øØ]/g, 'o')
    .replace(/[łŁ]/g, 'l')
    .replace(/[đĐðÐ]/g, 'd')
    .replace(/[æÆ]/g, 'ae')
    .replace(/[œŒ]/g, 'oe')
    .replace(/[þÞ]/g, 'th')
    .replace(/ß/g, 'ss')
    .replace(/\s+/g, ' ')
    .toLowerCase();

const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

export type Matcher = {
  /** A quick no for a whole passage: cutting it into sentences and words takes a hundred times as long. */
  isPossible(text: string): boolean;
  /** Whether a sentence mentions the words: as written, or every one of them in some form. */
  isMention(text: string): boolean;
};

export function mentionMatcher(wanted: string): Matcher {
  const phrase = fold(wanted)
    .trim()
    .replace(/^["“«「]|["”»」]$/g, '');
  const quoted = RegExp.escape(phrase);
  // Where words have ends, "art" is no part of "party".
  const before = /^[\p{L}\p{N}]/u.test(phrase) && !unspaced.test(phrase[0]!) ? '(?<![\\p{L}\\p{N}])' : '';
  const after = /[\p{L}\p{N}]$/u.test(phrase) && !unspaced.test(phrase.at(-1)!) ? '(?![\\p{L}\\p{N}])' : '';
  const exact = new RegExp(`${before}${quoted}${after}`, 'u');
  const forms = formsOf(phrase);
  // Endings differ, and "colour" is "color": the first letters are there in any form.
  const beginnings = forms.map(({ form, isNumber }) => form.slice(0, isNumber ? 1 : 3));
  return {
    isPossible(text) {
      const folded = fold(text);
      if (exact.test(folded)) return true;
      return beginnings.length > 0 && beginnings.every((beginning) => folded.includes(beginning));
    },
    isMention(text) {
      if (exact.test(fold(text))) return true;
      if (forms.length === 0) return false;
      const there = formsOf(text);
      return forms.every((one) => there.some((other) => isSameWord(one, other)));
    },
  };
}

/** A word without its plural, and its stem where it has another ending. */
type Form = { form: string; stem: string | null; isNumber: boolean };

const inflection = /(?:ed|ing|ly)$/;

function formsOf(text: string): Form[] {
  return contentTokens(text).map(({ token, stem, isNumber }) => {
    if (isNumber) return { form: stem, stem: null, isNumber };
    const form = american(singularOf(token));
    return { form, stem: inflection.test(token) ? stem : null, isNumber };
  });
}

/** "rats" is "rat" and "rates" is "rate"; the stems that quotes are found by have them both as "rat". */
function singularOf(word: string): string {
  if (!/^[a-z]{4,}$/.test(word) || /(?:ss|us|is)$/.test(word)) return word;
  if (/[a-z]{2}ies$/.test(word)) return word.replace(/ies$/, 'y');
  if (/(?:s|x|z|ch|sh)es$/.test(word)) return word.replace(/es$/, '');
  return word.replace(/s$/, '');
}

/** "painted" and "paint", "bridges" and "bridge". */
function isSameWord(one: Form, other: Form): boolean {
  if (one.form === other.form) return true;
  if (one.isNumber || other.isNumber) return false;
  if (one.stem !== null && other.stem !== null) return one.stem === other.stem;
  const [inflected, plain] = one.stem !== null ? [one.stem, other.form] : [other.stem, one.form];
  // What "-ed" was put on may have ended with an "e": "stored" is "store".
  return inflected !== null && (plain === inflected || (plain === `${inflected}e` && plain.length > 4));
}

/** The words that carry matter, folded, without a possessive's ending. */
function contentTokens(text: string): { token: string; stem: string; isNumber: boolean }[] {
  const tokens = fold(text).match(/[\p{L}\p{N}][\p{L}\p{M}\p{N}'.,-]*/gu) ?? [];
  return tokens.flatMap((raw) => {
    const token = raw.replace(/[.,'-]+$/u, '').replace(/'s$/, '');
    if (unspaced.test(token)) return contentWords(token).map(({ stem, isNumber }) => ({ token: stem, stem, isNumber }));
    const [word] = contentWords(token);
    return word ? [{ token, stem: word.stem, isNumber: /^\p{Nd}[\p{Nd}.,]*$/u.test(token) }] : [];
  });
}

/** All mentions, in the order of the documents. */
export async function findMentions(worker: Worker, documents: readonly Planned[], wanted: string): Promise<Mentions> {
  const { isPossible, isMention } = mentionMatcher(wanted);
  const found: Mentions = [];
  for (const document of documents) {
    const lines: Line[] = [];
    let before: Piece | null = null;
    for (const part of document.parts) {
      await worker.breathe();
      if (worker.signal.aborted) break;
      worker.onBegin(part);
      const passages = readPart(part, worker.passagesOf);
      const pieces: Piece[] = piecesOf(
        passages.filter(({ text }) => isPossible(text)),
        before,
      );
      before = pieces.at(-1) ?? before;
      for (const { text, passage, start, endExclusive } of pieces)
        if (isMention(text)) lines.push({ text: null, passage, start, endExclusive });
      worker.onRead(part, passages.length, false);
    }
    if (lines.length > 0) found.push({ document, lines });
  }
  return found;
}

/** The sentences that come near by meaning and hold none of the mentions, best first. */
export async function findNear(
  worker: Worker,
  documents: readonly Planned[],
  wanted: string,
  mentions: Mentions,
  { embedder, index, passages }: Near,
): Promise<Line[]> {
  const { isMention } = mentionMatcher(wanted);
  const inScope = new Set<string>(documents.map(({ id }) => id));
  const mentioned = new Set(mentions.flatMap(({ lines }) => lines.map(({ passage }) => passage.passageId)));
  const [asked] = rowsOf(await embedder.embed([wanted], worker.signal, 'query'), embedder.dimension);
  const neighbours = await index.search(asked!, numNeighbours);
  const usual = neighbours.filter(({ passageId }) => mentioned.has(passageId)).map(({ score }) => score);
  // As near as half of the passages that do mention it: what that is, depends on the embedder and on the words.
  const least = usual.length >= 3 ? usual.toSorted((a, b) => a - b)[Math.floor(usual.length / 2)]! : usualLikeness;
  const near = neighbours.filter(({ passageId, score }) => score >= least && !mentioned.has(passageId));
  const lines: { line: Line; likeness: number }[] = [];
  for (const passage of passages(near.map(({ passageId }) => passageId))) {
    if (!inScope.has(passage.documentId)) continue;
    const pieces = piecesOf([passage]).filter(({ words, text }) => words.length >= 3 && !isMention(text));
    if (pieces.length === 0) continue;
    const vectors = rowsOf(
      await embedder.embed(
        pieces.map(({ text }) => text),
        worker.signal,
      ),
      embedder.dimension,
    );
    const scored = pieces.map((piece, at) => ({ piece, likeness: dot(asked!, vectors[at]!) }));
    const best = scored.reduce((one, other) => (other.likeness > one.likeness ? other : one));
    const { start, endExclusive } = best.piece;
    // Passages repeat a sentence of their neighbour.
    const isThere = lines.some(({ line }) => quoteOf(line) === best.piece.text);
    if (best.likeness >= least && !isThere)
      lines.push({ line: { text: null, passage, start, endExclusive }, likeness: best.likeness });
    if (lines.length === mostNear) break;
  }
  return lines.sort((a, b) => b.likeness - a.likeness).map(({ line }) => line);
}

function rowsOf(vectors: Float32Array, dimension: number): Float32Array[] {
  const rows: Float32Array[] = [];
  for (let at = 0; at + dimension <= vectors.length; at += dimension) rows.push(vectors.subarray(at, at + dimension));
  return rows;
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0);
}

/** Grouped by document, each line with its page. */
export function writeMentions(page: Page, words: JobWords, wanted: string, mentions: Mentions, near: Line[]): void {
  const numMentions = mentions.reduce((sum, { lines }) => sum + lines.length, 0);
  page.paragraph(numMentions > 0 ? words.mentionsFound(numMentions, mentions.length) : words.noMentions(wanted));
  const share = Math.max(2, Math.floor(mostShown / Math.max(1, mentions.length)));
  let left = mostShown;
  for (const { document, lines } of mentions) {
    const numShown = Math.min(lines.length, Math.max(share, numMentions <= mostShown ? lines.length : 0), left);
    left -= numShown;
    page.heading(document.title);
    const items = lines.slice(0, numShown).map((line) => withPlace(page, words, line));
    const rest = lines.slice(numShown);
    if (rest.length > 0) items.push(words.more(rest.length, placesOf(words, rest)));
    page.list(items);
  }
  if (near.length === 0) return;
  page.heading(words.near);
  page.list(near.map((line) => `${asLine(line.passage.title)}: ${withPlace(page, words, line)}`));
}

export function withPlace(page: Page, words: JobWords, line: Line): string {
  const place = placeWords(words, placeOf(line.passage));
  return place === '' ? page.say(line) : `${place}: ${page.say(line)}`;
}

/** The places of many lines, each once; where there are too many, the first and the last. */
function placesOf(words: JobWords, lines: readonly Line[]): string {
  const places = [...new Set(lines.map(({ passage }) => placeWords(words, placeOf(passage))))].filter(Boolean);
  if (places.length <= 12) return places.join(', ') || '…';
  return `${places.slice(0, 6).join(', ')} … ${places.slice(-2).join(', ')}`;
}
