import { createContext, useContext } from 'react';
import type { Answer, Citation, Passage } from '../../app/contract/types.ts';
import type { Reading } from '../common/view.ts';

/** What a `[n]` of an answer stands for. */
export type CitedSource = Reading & { n: number; verified: boolean };

/**
 * The sources of an answer by number. Null while it is being written: only the whole answer says what a number stands for,
 * and a link to the wrong passage is worse than none.
 */
export function citedSources(answer: Answer | null, passages: Passage[] | null): Map<number, CitedSource> | null {
  const texts = new Map(passages?.map((passage) => [passage.passageId, passage.text]));
  return (
    answer &&
    new Map(
      answer.citations.map((citation) => [citation.n, fromCitation(citation, texts.get(citation.passageId) ?? null)]),
    )
  );
}

function fromCitation(citation: Citation, passageText: string | null): CitedSource {
  const { n, documentId, title, source, kind, place, passageId, quote, verified, boxes, cell } = citation;
  return {
    n,
    documentId,
    title,
    source,
    kind,
    place,
    passageId,
    quote: quote === '' ? null : quote,
    passageText,
    boxes,
    cell,
    verified,
  };
}

/** How the reader shows a passage that was found. */
export function readingOf(passage: Passage): Reading {
  const { documentId, title, source, kind, place, passageId } = passage;
  return { documentId, title, source, kind, place, passageId, quote: null, passageText: passage.text };
}

/** The sources of the answer around, and how one is opened. */
type Cited = { sources: Map<number, CitedSource> | null; open: (source: CitedSource) => void };
const CitedSourcesContext = createContext<Cited>({ sources: null, open: () => undefined });

export const CitedSourcesProvider = CitedSourcesContext.Provider;

/** The source of a number: `pending` while the answer is written, undefined when the answer has none of this number. */
export function useCitedSource(n: number): CitedSource | 'pending' | undefined {
  const { sources } = useContext(CitedSourcesContext);
  return sources === null ? 'pending' : sources.get(n);
}

/** Opens a source in the reader. */
export function useOpenSource(): (source: CitedSource) => void {
  return useContext(CitedSourcesContext).open;
}
