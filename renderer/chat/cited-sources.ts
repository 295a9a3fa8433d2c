import { createContext, useContext } from 'react';
import type { Answer, Citation, Passage } from '../../app/contract/types.ts';
import type { Reading } from '../common/view.ts';

/** What a `[n]` stands for. While the answer is written its quote is not known yet, nor whether it holds. */
export type CitedSource = Reading & { n: number; verified: boolean | null };

/** The sources of an answer by number: its checked citations, or before them the passages that the model was given. */
export function citedSources(answer: Answer | null, passages: Passage[] | null): Map<number, CitedSource> {
  if (answer) return new Map(answer.citations.map((citation) => [citation.n, fromCitation(citation)]));
  return new Map((passages ?? []).map((passage, index) => [index + 1, { ...fromPassage(passage), n: index + 1 }]));
}

function fromCitation(citation: Citation): CitedSource {
  const { n, documentId, title, source, kind, place, passageId, quote, verified } = citation;
  return { n, documentId, title, source, kind, place, passageId, quote: quote === '' ? null : quote, verified };
}

export function fromPassage(passage: Passage): CitedSource {
  const { documentId, title, source, kind, place, passageId } = passage;
  return { n: 0, documentId, title, source, kind, place, passageId, quote: null, verified: null };
}

const CitedSourcesContext = createContext<Map<number, CitedSource>>(new Map());

export const CitedSourcesProvider = CitedSourcesContext.Provider;

export function useCitedSource(n: number): CitedSource | undefined {
  return useContext(CitedSourcesContext).get(n);
}
