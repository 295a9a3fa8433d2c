/** From what was said, or from the passages alone, to an answer whose quotes have been checked. */
import type { Answer, AnswerTimings, Passage } from '../contract/types.ts';
import { cite } from './citations.ts';
import { nearestQuotes, pickQuotes } from './quotes.ts';
import { verifyCitations } from './verify.ts';

export type ReadPassages = (ids: number[]) => { passageId: number; documentId: string; text: string }[];

export type Spoken = {
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
};

/**
 * From this share of the question's content words in one stretch, the quotes are given as the answer when the model's own
 * words had no support; below, the answer is a refusal with the nearest passages. test/eval/README.md has the measurement.
 */
const strongCoverage = 0.6;

const unsupported =
  "The chat model's own words had no support in your documents, so they are left out. This is what your documents say, word for word:";

/**
 * The answer of a model: each sentence with the quote that supports it. One in which nothing is supported is not given:
 * where the passages speak of just what was asked, their words are the answer; else it is a refusal that offers the
 * nearest ones. What was stopped or cut stays as it was said.
 */
export function finishSpoken(spoken: Spoken, readPassages: ReadPassages): Answer {
  const { text, citations, numSupported } = cite(spoken.text, spoken.question, spoken.shown, spoken.end);
  const whole = spoken.end === 'complete' || spoken.end === 'length';
  if (whole && numSupported === 0)
    return pickQuotes(spoken.question, spoken.found).bestCoverage >= strongCoverage
      ? { ...finishQuoted(spoken, unsupported, readPassages), end: 'complete' }
      : { ...refuse(spoken, readPassages), writtenBy: 'model' };
  return {
    text,
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
    numDocuments === 0
      ? 'There are no documents to search yet. Add some in the library, then ask again.'
      : `I searched ${count(numDocuments, 'document')} (${count(numPassages, 'passage')}) and found nothing that answers this.`;
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
