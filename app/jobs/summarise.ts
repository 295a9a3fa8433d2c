/**
 * Documents in short: each part is read, by the chat model where there is one, and what was kept of the parts is made into
 * less until a page holds it. A sentence of the model's stays only with words of the document that bear it out.
 */

import type { StoredPassage } from '../../ingest/store.ts';
import { coverageOf, type Evidence, findSupport, gatherEvidence, stemsOf } from '../chats/citations.ts';
import { asData } from '../chats/prompt.ts';
import { contentWords, splitSentences } from '../chats/sentences.ts';
import { toPassage } from '../chats/to-passage.ts';
import type { NoteLine } from '../store/job-table.ts';
import { countWords, type Frequencies, fitnessOf, pickKeySentences } from './key-sentences.ts';
import type { ModelHand } from './model-hand.ts';
import { type Part, type Piece, piecesOf, readPart, textOf } from './parts.ts';
import { type Line, type Planned, quoteOf, type Worker } from './worker.ts';

const instruction =
  'You summarise the given text in three short full sentences, with its names and numbers. You only say what the text says.';
const prompt = (text: string): string => `<text>\n${asData(text)}\n</text>\n\nSummary in three sentences:`;

/**
 * So much of what a line of the model's says stands in its quote, by weight. An answer needs 0.6, for its question has set what it
 * speaks of; of a summary by TinyLlama, lines between turned causes round and mixed up names.
 */
const leastSaid = 0.85;
const mostLinesOfPart = 3;
/** Key sentences of a part from which those of the document are chosen. */
const candidatesOfPart = 6;
const mostJoinRounds = 4;
/** Sentences with their words: about a kilobyte each. */
const mostKept = 20_000;

/** How many lines a document of so many parts is worth. */
export function linesFor(numParts: number, numDocuments: number): number {
  const alone = Math.min(12, Math.max(3, Math.round(2 + 2 * Math.log2(numParts + 1))));
  if (numDocuments === 1) return alone;
  return Math.max(1, Math.min(alone, Math.floor(40 / numDocuments)));
}

/** The lines of one document, in its order, at most `howMany`. */
export async function summariseDocument(worker: Worker, document: Planned, howMany: number): Promise<Line[]> {
  const { signal, model } = worker;
  const frequencies: Frequencies = new Map();
  /** Cutting a text into sentences and words is most of the work: kept for the second reading, of all but a long document. */
  const kept = new Map<Part, Piece[]>();
  let numKept = 0;
  let before: Piece | null = null;
  const cut = (passages: readonly StoredPassage[]): Piece[] => {
    const pieces = piecesOf(passages, before);
    before = pieces.at(-1) ?? before;
    return pieces;
  };
  for (const part of document.parts) {
    await worker.breathe();
    const pieces = cut(readPart(part, worker.passagesOf));
    for (const { words } of pieces) countWords(frequencies, words);
    numKept += pieces.length;
    if (numKept <= mostKept) kept.set(part, pieces);
  }
  before = null;
  let lines: Line[] = [];
  for (const part of document.parts) {
    await worker.breathe();
    if (signal.aborted) break;
    worker.onBegin(part);
    const passages = readPart(part, worker.passagesOf);
    const known = model && worker.notes.read(part);
    let fromModel: Line[] | null = known ? linesOf(known, passages) : null;
    if (model && fromModel === null && !model.isLost()) {
      const said = await model.say(instruction, prompt(textOf(passages)), signal);
      if (signal.aborted) break;
      fromModel = said === null ? [] : supported(said, passages, mostLinesOfPart);
      if (fromModel.length > 0) worker.notes.save(part, fromModel.map(noteOf));
    }
    const inOwnWords = model !== null && (fromModel === null || fromModel.length === 0);
    const number = model ? mostLinesOfPart - 1 : candidatesOfPart;
    if (fromModel !== null && fromModel.length > 0) lines.push(...fromModel);
    else lines.push(...keyLines(kept.get(part) ?? cut(passages), frequencies, number));
    worker.onRead(part, passages.length, inOwnWords);
  }
  if (model) lines = await join(worker, lines, howMany);
  return pickLines(lines, frequencies, howMany);
}

/** Lines made of fewer lines by the model, a handful at a time, until there are about as many as are wanted. */
async function join(worker: Worker, lines: Line[], howMany: number): Promise<Line[]> {
  const { model, signal } = worker;
  for (let round = 0; round < mostJoinRounds && lines.length > 2 * howMany; round++) {
    const joined: Line[] = [];
    if (!model) return lines;
    for (const group of groupsOf(lines, model)) {
      await worker.breathe();
      if (signal.aborted || model.isLost()) return lines;
      const text = group.map((line) => line.text ?? quoteOf(line)).join('\n');
      const said = group.length > mostLinesOfPart ? await model.say(instruction, prompt(text), signal) : null;
      const passages = [...new Map(group.map(({ passage }) => [passage.passageId, passage])).values()];
      const kept = said === null ? [] : supported(said, passages, mostLinesOfPart);
      // Where the model has no words for them, its best lines stand for the group.
      joined.push(...(kept.length > 0 ? kept : pickLines(group, frequenciesOf(group), mostLinesOfPart)));
    }
    if (joined.length >= lines.length) return lines;
    lines = joined;
  }
  return lines;
}

/** As many lines in a row as the model takes at once. */
function groupsOf(lines: readonly Line[], model: ModelHand): Line[][] {
  const groups: Line[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    const numTokens = model.countTokens(line.text ?? quoteOf(line)) + 1;
    if (size + numTokens > model.partTokens) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)!.push(line);
    size += numTokens;
  }
  return groups;
}

/** The sentences of a model that the passages bear out, each with its quote, none twice, in the order of the quotes. */
function supported(said: string, passages: readonly StoredPassage[], most: number): Line[] {
  const unscored = { score: 0, similarity: null, wordScore: null, rerankScore: null };
  const evidence: Evidence = gatherEvidence(passages.map((passage) => toPassage({ ...passage, ...unscored })));
  const lines: Line[] = [];
  const seen = new Set<string>();
  for (const { text } of splitSentences(said)) {
    const bare = text.replace(/^\s*(?:[-*•–]|\d{1,2}[.)])\s+/, '').trim();
    const words = contentWords(bare);
    if (words.length < 3 || !/[.!?…。！？]["'”’」』）)\]]*$/u.test(bare)) continue;
    const key = words.map(({ stem }) => stem).join(' ');
    const support = seen.has(key) ? null : findSupport(bare, new Set(), evidence, new Set());
    seen.add(key);
    const passage = support && passages[support.passageIndex];
    if (!support || !passage) continue;
    const { start, endExclusive } = support;
    const stems = stemsOf(passage.text.slice(start, endExclusive));
    const said = words.filter(({ isNumber }) => !isNumber); // how numbers are written has been seen through
    if (coverageOf(said, { stems }, evidence.weightOf) < leastSaid) continue;
    if (lines.some((line) => line.passage === passage && line.start === start)) continue;
    lines.push({ text: bare, passage, start, endExclusive });
    if (lines.length === most) break;
  }
  return lines.sort((a, b) => a.passage.ordinal - b.passage.ordinal || a.start - b.start);
}

/** The key sentences of a part; where it has none that can stand alone, whatever it has. */
export function keyLines(pieces: readonly Piece[], frequencies: Frequencies, howMany: number): Line[] {
  const candidates = pieces.map((piece) => ({ ...piece, fitness: fitnessOf(piece.text, piece.words) }));
  const fit = candidates.filter(({ fitness }) => fitness > 0);
  const some = fit.length > 0 ? fit : candidates.filter(({ words }) => words.length > 1);
  return pickKeySentences(some, frequencies, howMany).map(({ passage, start, endExclusive }) => {
    return { text: null, passage, start, endExclusive };
  });
}

/** The best of the lines, in their order. */
export function pickLines(lines: readonly Line[], frequencies: Frequencies, howMany: number): Line[] {
  const candidates = lines.map((line) => {
    const text = line.text ?? quoteOf(line);
    const words = contentWords(text);
    // A model's sentence was checked; a document's own is chosen by its form.
    return { line, words, fitness: line.text === null ? fitnessOf(text, words) : 1 };
  });
  const fit = candidates.filter(({ fitness }) => fitness > 0);
  return pickKeySentences(fit.length > 0 ? fit : candidates, frequencies, howMany).map(({ line }) => line);
}

function frequenciesOf(lines: readonly Line[]): Frequencies {
  const frequencies: Frequencies = new Map();
  for (const line of lines) countWords(frequencies, contentWords(line.text ?? quoteOf(line)));
  return frequencies;
}

function noteOf({ text, passage, start, endExclusive }: Line): NoteLine {
  return { text, passageId: passage.passageId, start, endExclusive };
}

/** A note's lines, if all their passages are there. */
function linesOf(note: readonly NoteLine[], passages: readonly StoredPassage[]): Line[] | null {
  const lines = note.flatMap(({ text, passageId, start, endExclusive }) => {
    const passage = passages.find((one) => one.passageId === passageId);
    return passage && endExclusive <= passage.text.length ? [{ text, passage, start, endExclusive }] : [];
  });
  return lines.length === note.length ? lines : null;
}

/** The part's key with the model that reads it. */
export function noteKey(part: Part, modelId: string): string {
  return `${part.key} ${modelId}`;
}
