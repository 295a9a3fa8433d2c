/** From what was said, or from the passages alone, to an answer whose quotes have been checked. */
import type { Answer, AnswerTimings, Passage } from '../contract/types.ts';
import { cite, wholeSentences } from './citations.ts';
import { withoutLinks } from './markdown.ts';
import { aptnessOf, nearestQuotes, pickQuotes } from './quotes.ts';
import { unsupportedIn } from './unsupported.ts';
import { verifyCitations } from './verify.ts';

export type ReadPassages = (ids: number[]) => { passageId: number; documentId: string; text: string }[];

export type Spoken = {
  /** With the one before it, where it cannot stand alone. */
  question: string;
  /** What the model said, and how it came to its end. */
  text: string;
  end: Answer['end'];
  /** In the prompt's order. */
  shown: Passage[];
  /** All that were found, best first. */
  found: Passage[];
  timings: AnswerTimings;
  /** What was searched, for an honest refusal. */
  searched: { numDocuments: number; numPassages: number };
  /** Whether that is a part of the library only; absent: all of it. */
  isScoped?: boolean;
};

/**
 * From this share of the question's content words in one stretch, quotes are given as the answer when the model's own words
 * are not; below, it is a refusal with the nearest passages. On SQuAD, quotes of at least so much hold the answer in 83 of
 * 100, those just below in 44.
 */
const strongCoverage = 0.4;
/** A model's answer whose proof says less of what was asked than this share of the best quote is beside the point. */
const leastAptness = 0.7;

/** A question that its own words cannot answer, as they can "Is the tower 330 metres tall?". */
const asksForMore = /\b(?:what|who|whom|whose|which|when|where|why|how)\b/i;

const nothingSupported =
  "The chat model's own words had no support in your documents, so they are left out. This is what your documents say, word for word:";
const besideThePoint =
  "The chat model's answer missed the question, so it is left out. This is what your documents say, word for word:";

/**
 * The answer of a model: each sentence with the quote that supports it. One without support is not given, nor one whose
 * quotes speak of something else than the best ones do, nor one that only gives the question's words back: where the
 * passages speak of just what was asked, their words are the answer; else it is a refusal that offers the nearest ones.
 * What was stopped or cut stays as it was said.
 */
export function finishSpoken(spoken: Spoken, readPassages: ReadPassages): Answer {
  const { question, found, shown, end } = spoken;
  const said = end === 'length' ? wholeSentences(spoken.text) : spoken.text;
  const { text, citations, numSupported, numTelling } = cite(said, question, shown, end);
  const whole = end === 'complete' || end === 'length';
  const repeatsOnly = numTelling === 0 && asksForMore.test(question);
  if (whole && (numSupported === 0 || repeatsOnly || aptnessOf(question, found, citations) < leastAptness)) {
    if (pickQuotes(question, found).bestCoverage < strongCoverage)
      return { ...refuse(spoken, readPassages), writtenBy: 'model' };
    const intro = numSupported === 0 ? nothingSupported : besideThePoint;
    return { ...finishQuoted(spoken, intro, readPassages), end: 'complete' };
  }
  const shownText = withoutLinks(text, question);
  const unsupported = unsupportedIn(shownText);
  return {
    text: shownText,
    ...(unsupported.length > 0 ? { unsupported } : {}),
    citations: verifyCitations(citations, readPassages),
    refused: false,
    writtenBy: 'model',
    end: spoken.end,
    timings: spoken.timings,
  };
}

/** An answer of quotes alone. `intro` says why no model wrote it. */
export function finishQuoted(spoken: Spoken, intro: string, readPassages: ReadPassages): Answer {
  const { lines, citations } = pickQuotes(spoken.question, spoken.found);
  if (citations.length === 0) return refuse(spoken, readPassages);
  return {
    text: `${intro}\n\n${lines}`,
    citations: verifyCitations(citations, readPassages),
    refused: false,
    writtenBy: 'quotes',
    end: spoken.end,
    timings: spoken.timings,
  };
}

/** The honest no: what was searched, and what came nearest. */
export function refuse(spoken: Spoken, readPassages: ReadPassages): Answer {
  const { numDocuments, numPassages } = spoken.searched;
  const count = (number: number, one: string): string =>
    `${number.toLocaleString('en')} ${one}${number === 1 ? '' : 's'}`;
  const searched =
    numDocuments === 0 && spoken.isScoped
      ? 'What this question was asked in holds no documents that can be searched. Choose more to ask in.'
      : numDocuments === 0
        ? 'There are no documents to search yet. Add some in the library, then ask again.'
        : `I searched ${count(numDocuments, 'document')} (${count(numPassages, 'passage')})${spoken.isScoped ? ', those that this was asked in,' : ''} and found nothing that clearly answers this.`;
  const { lines, citations } = nearestQuotes(spoken.question, spoken.found);
  return {
    text: citations.length > 0 ? `${searched} The nearest passages say:\n\n${lines}` : searched,
    citations: verifyCitations(citations, readPassages),
    refused: true,
    writtenBy: 'quotes',
    end: spoken.end,
    timings: spoken.timings,
  };
}
