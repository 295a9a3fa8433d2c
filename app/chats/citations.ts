/**
 * Which passage backs which sentence of an answer, decided by program.
 *
 * A small model's own `[n]` marks are a hint at best. A sentence is *supported* by a stretch of one or two sentences of a
 * passage when
 *   1. every number and date in it stands there, however it is written (`facts.ts`), and every name that the question did not
 *      bring along;
 *   2. of its content words, weighted, at least 60 % stand there (45 % in a passage that the model itself pointed to);
 *      words of the question may stand anywhere in the passage;
 *   3. of those that the question does not already hold, 40 % stand there, and one that is more than a single digit; or,
 *      where the answer only repeats the question's words, 80 % of them do.
 * A sentence that denies something needs a stretch that does; one that leaves a denial out, or says of two what the stretch
 * says the other way round, has no support there (`turned.ts`). One that was broken off must stand there whole, every word of it; a single word beside other sentences proves
 * nothing. Content words leave out function words; they count by how rare they are among the passages, numbers and names double.
 */

import { type Writing, writingOf } from '../../ingest/writing.ts';
import type { Answer, Citation, Passage } from '../contract/types.ts';
import { focusCell } from './cells.ts';
import { bearsOut, type Fact, factsIn, isFactWord } from './facts.ts';
import { contentWords, isRow, type Sentence, splitSentences, type Word } from './sentences.ts';
import { dropsDenial, swapsRoles } from './turned.ts';

const supportThreshold = 0.6;
const supportThresholdMarked = 0.45;
/** What the answer says beyond the question must be backed by itself: the question's words prove nothing. */
const freshThreshold = 0.4;
const supportThresholdRepeated = 0.8;
/** A second sentence joins the quote when it adds so much. */
const secondSentenceGain = 0.15;
const maxQuoteCharacters = 480;

/** A stretch of a passage that can be quoted: one sentence, or two that follow each other. */
export type Stretch = { start: number; endExclusive: number; stems: Set<string>; denies: boolean };

export type Evidence = {
  passages: Passage[];
  /** Per passage: its stretches, single sentences first. */
  stretches: Stretch[][];
  passageStems: Set<string>[];
  weightOf: (word: Word) => number;
  /** What the passages are written in: numbers are read by it. */
  writing: Writing;
  /** Of a stretch of the passage; read once. */
  factsOf: (passageIndex: number, stretch: Stretch) => readonly Fact[];
};

export type CitedAnswer = {
  text: string;
  citations: Citation[];
  numSentences: number;
  numSupported: number;
  /** Of the supported ones, those that say something which the question did not. */
  numTelling: number;
};

/** Words that turn a claim round. Models like to deny what they did not find: "The passage does not mention the bridge." */
const negation =
  /\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|unclear|unknown|unspecified|nicht|kein\w*|nie|pas|aucune?|jamais|nunca|ninguna?)\b|n['’]t\b/iu;

/** Prepares the passages once for all sentences. */
export function gatherEvidence(passages: Passage[]): Evidence {
  const stretches = passages.map(({ text }) => {
    const sentences = quotableSentences(text);
    const single = sentences.map((sentence) => ({
      ...sentence,
      stems: stemsOf(sentence.text),
      denies: negation.test(sentence.text),
    }));
    const double = single.slice(1).map((second, index) => {
      const first = single[index]!;
      // A row of a table says all that it says.
      if (isRow(first.text) || isRow(second.text)) return null;
      return {
        start: first.start,
        endExclusive: second.endExclusive,
        stems: first.stems.union(second.stems),
        denies: first.denies || second.denies,
      };
    });
    const pairs = double.filter((pair) => pair !== null);
    return [...single, ...pairs.filter((pair) => pair.endExclusive - pair.start <= maxQuoteCharacters)];
  });
  const passageStems = stretches.map((one) => new Set(one.flatMap(({ stems }) => [...stems])));
  const numWith = new Map<string, number>();
  for (const stems of passageStems) for (const stem of stems) numWith.set(stem, (numWith.get(stem) ?? 0) + 1);
  const weightOf = (word: Word): number =>
    Math.log(1 + passages.length / (numWith.get(word.stem) ?? 0.5)) * (isTelling(word) ? 2 : 1);
  const writing = writingOf('', passages);
  const facts = new Map<Stretch, Fact[]>();
  const factsOf = (passageIndex: number, stretch: Stretch): readonly Fact[] => {
    const known = facts.get(stretch) ?? factsIn(textOf(passages[passageIndex]!, stretch), writing);
    facts.set(stretch, known);
    return known;
  };
  return { passages, stretches, passageStems, weightOf, writing, factsOf };
}

function textOf(passage: Passage, { start, endExclusive }: Stretch): string {
  return passage.text.slice(start, endExclusive);
}

export function stemsOf(text: string): Set<string> {
  return new Set(contentWords(text).map(({ stem }) => stem));
}

/** The sentences of a text, none longer than a quote may be. */
export function quotableSentences(text: string): Sentence[] {
  return splitSentences(text).flatMap((sentence) => shorten(sentence, text));
}

/** A sentence that is too long to quote (a table, a list without stops) as pieces cut at white space. */
function shorten(sentence: Sentence, text: string): Sentence[] {
  const pieces: Sentence[] = [];
  let { start } = sentence;
  while (sentence.endExclusive - start > maxQuoteCharacters) {
    const limit = start + maxQuoteCharacters;
    const space = Math.max(text.lastIndexOf(' ', limit), text.lastIndexOf('\n', limit));
    let cut = space > start + maxQuoteCharacters / 2 ? space : limit;
    // Never between the halves of a character, nor between a letter and its marks.
    while (cut > start + 1 && /[\uDC00-\uDFFF]|[\p{M}\u200d]/u.test(text[cut] ?? '')) cut -= 1;
    pieces.push({ text: text.slice(start, cut), start, endExclusive: cut });
    start = cut;
    while (/\s/.test(text[start] ?? '')) start += 1;
  }
  pieces.push({ text: text.slice(start, sentence.endExclusive), start, endExclusive: sentence.endExclusive });
  return pieces;
}

/** A name, or a number of two digits or more: "3" stands in every other passage. */
function isTelling({ stem, isNumber, isName }: Word): boolean {
  return isNumber ? stem.length > 1 : isName;
}

export type Support = { passageIndex: number; start: number; endExclusive: number; score: number };

/** The share of `words` that stands in the stretch, by weight: 0 to 1. */
export function coverageOf(words: Word[], stretch: { stems: Set<string> }, weightOf: (word: Word) => number): number {
  let all = 0;
  let found = 0;
  for (const word of words) {
    const weight = weightOf(word);
    all += weight;
    if (stretch.stems.has(word.stem)) found += weight;
  }
  return all > 0 ? found / all : 0;
}

/**
 * The stretch that supports a sentence best, or `null` when none does. `marked` are passages the model pointed to; of a
 * sentence that is `brokenOff` every content word must stand in the stretch.
 */
export function findSupport(
  sentence: string,
  questionStems: Set<string>,
  evidence: Evidence,
  marked: Set<number>,
  brokenOff = false,
): Support | null {
  // A question states nothing: small models like to give the one they were asked back.
  if (/[?？؟]["'”’)\s]*$/u.test(sentence)) return null;
  const denies = negation.test(sentence);
  const words = contentWords(sentence);
  const fresh = words.filter(({ stem }) => !questionStems.has(stem));
  // What is a number or a date is compared by what it says; "XJ-4471b" and the like by how they are written.
  const isFact = (word: Word): boolean => isFactWord(word.stem);
  const strict = words.filter(
    (word) => (word.isNumber && !isFact(word)) || (word.isName && !isFact(word) && !questionStems.has(word.stem)),
  );
  const [opening] = words;
  if (opening && opensWithName(sentence, opening, questionStems, evidence)) strict.push(opening);
  const facts = factsIn(sentence, evidence.writing);
  const factStems = new Set(facts.length > 0 ? words.filter(isFact).map(({ stem }) => stem) : []);
  if (words.length === 0) return null;
  let best: Support | null = null;
  for (const [passageIndex, stretches] of evidence.stretches.entries()) {
    // What the question named may stand in another sentence of the passage: "It is painted …" goes on about the bridge.
    const named = questionStems.intersection(evidence.passageStems[passageIndex]!);
    for (const stretch of stretches) {
      if (denies && !stretch.denies) continue;
      const held = stretch.stems.union(factStems);
      const required = brokenOff ? words : strict;
      if (!required.every(({ stem }) => held.has(stem))) continue;
      const there = facts.length > 0 ? evidence.factsOf(passageIndex, stretch) : [];
      if (!facts.every((fact) => bearsOut(fact, there))) continue;
      const stems = fresh.length > 0 ? held.union(named) : held;
      const coverage = coverageOf(words, { stems }, evidence.weightOf);
      const numFresh = fresh.filter((word) => held.has(word.stem) && (!word.isNumber || isTelling(word))).length;
      const freshCoverage = fresh.length > 0 ? coverageOf(fresh, { stems: held }, evidence.weightOf) : 1;
      const isMarked = marked.has(passageIndex);
      const threshold =
        fresh.length === 0 ? supportThresholdRepeated : isMarked ? supportThresholdMarked : supportThreshold;
      if (coverage < threshold || freshCoverage < freshThreshold || (fresh.length > 0 && numFresh === 0)) continue;
      const text = textOf(evidence.passages[passageIndex]!, stretch);
      if ((!denies && dropsDenial(sentence, text)) || swapsRoles(sentence, text)) continue;
      // Among stretches that hold the words of the sentence, the one that also speaks of the question is the proof.
      const ofQuestion = [...questionStems].filter((stem) => stretch.stems.has(stem)).length;
      const score = coverage + (isMarked ? 0.1 : 0) + 0.2 * (ofQuestion / Math.max(1, questionStems.size));
      const isLonger = best && stretch.endExclusive - stretch.start > 1.3 * (best.endExclusive - best.start);
      if (!best || score > best.score + (isLonger ? secondSentenceGain : 0.001))
        best = { passageIndex, start: stretch.start, endExclusive: stretch.endExclusive, score };
    }
  }
  return best;
}

const opens = /^["'“‘(«\s]*(?<first>\p{Lu}[\p{L}\p{M}'’-]*)(?<name>\s+\p{Lu}\p{Ll})?/u;

/**
 * The first word of a sentence has a capital anyway. It is a name when another follows, or when no passage and no question knows
 * the word and it does not look like one of the language.
 */
function opensWithName(sentence: string, opening: Word, questionStems: Set<string>, evidence: Evidence): boolean {
  const { first, name } = opens.exec(sentence)?.groups ?? {};
  if (first === undefined || contentWords(first)[0]?.stem !== opening.stem || isFactWord(opening.stem)) return false;
  if (questionStems.has(opening.stem)) return false;
  if (name !== undefined) return true;
  return !/(?:ed|ing|ly|s|en)$/.test(first) && !evidence.passageStems.some((stems) => stems.has(opening.stem));
}

/** Marks as models write them: [1], [1, 3], [Passage 2]. */
const markPattern = /\s*\[(?:(?:passages?|sources?)\s*)?(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]/giu;

/** How a sentence ends that was not broken off. */
const isFinished = /[.!?…。！？｡।؟۔]["'”’」』）】»)\]\s]*$/u;

/** An answer that ran into its length, without the sentence it broke off in; where that is the only one, as it is. */
export function wholeSentences(answer: string): string {
  const sentences = splitSentences(answer);
  const [last, before] = [sentences.at(-1), sentences.at(-2)];
  return last && before && !isFinished.test(last.text) ? answer.slice(0, before.endExclusive) : answer;
}

/**
 * Puts `[n]` behind every sentence that a passage supports, with the verbatim words that do. Marks of the model's own
 * are taken as hints and removed. `passages` are numbered from 1 in the order in which the prompt showed them.
 *
 * `end` says how the answer came to its end: a last sentence that it broke off is not trusted half.
 *
 * `verified` is false in what comes back: `verify.ts` decides it.
 */
export function cite(
  answer: string,
  question: string,
  passages: Passage[],
  end: Answer['end'] = 'complete',
): CitedAnswer {
  const evidence = gatherEvidence(passages);
  const questionStems = stemsOf(question);
  const citations: Citation[] = [];
  let text = '';
  let written = 0;
  let numSentences = 0;
  let numSupported = 0;
  let numTelling = 0;
  // A mark behind the full stop belongs to the sentence before it: it moves inside, so that the cut comes after it.
  const moved = answer.replace(
    /([.!?。！？]+)((?:\s*\[(?:(?:passages?|sources?)\s*)?\d{1,3}(?:\s*[,;]\s*\d{1,3})*\])+)/giu,
    '$2$1',
  );
  const sentences = splitSentences(moved);
  for (const sentence of sentences) {
    const marked = new Set<number>();
    for (const [, numbers] of sentence.text.matchAll(markPattern))
      for (const number of numbers!.split(/[,;]/)) if (passages[Number(number) - 1]) marked.add(Number(number) - 1);
    const bare = sentence.text.replace(markPattern, '');
    text += moved.slice(written, sentence.start) + bare;
    written = sentence.endExclusive;
    const words = contentWords(bare);
    if (words.length === 0) continue;
    numSentences += 1;
    if (words.length === 1 && sentences.length > 1) continue;
    const brokenOff = end !== 'complete' && sentence === sentences.at(-1) && !isFinished.test(bare);
    const support = findSupport(bare, questionStems, evidence, marked, brokenOff);
    if (!support) continue;
    numSupported += 1;
    if (words.some(({ stem }) => !questionStems.has(stem))) numTelling += 1;
    text += ` [${citationNumber(citations, passages[support.passageIndex]!, support, question)}]`;
  }
  return { text: (text + moved.slice(written)).trim(), citations, numSentences, numSupported, numTelling };
}

/** The number of this quote among the citations; the same words are cited once. */
export function citationNumber(
  citations: Citation[],
  passage: Passage,
  stretch: { start: number; endExclusive: number },
  question: string,
): number {
  const quote = passage.text.slice(stretch.start, stretch.endExclusive);
  const there = citations.find((citation) => citation.passageId === passage.passageId && citation.quote === quote);
  if (there) return there.n;
  const { passageId, documentId, title, source, kind, place } = passage;
  const n = citations.length + 1;
  const cell = focusCell(question, passage, stretch);
  citations.push({ n, passageId, documentId, title, source, kind, place, quote, verified: false, ...cell });
  return n;
}
