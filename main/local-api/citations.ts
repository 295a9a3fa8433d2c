/** An answer's citations as other programs get them: in OpenAI's place for them, with everything that Quoth knows. */
import { z } from 'zod';
import type { Answer, Citation, DocumentId, Passage, Place } from '../../app/contract/types.ts';
import type { QuoteBoxes } from '../../app/programs/quote-boxes.ts';

/** What a program learns of where words stand. Names as OpenAI writes them. */
export const apiCitation = z.object({
  /** The number in the text: [n]. */
  n: z.number().int(),
  document_id: z.string(),
  passage_id: z.number().int(),
  title: z.string(),
  source: z.string(),
  kind: z.string(),
  /** `quoth://` opens the document in the window; a video's own address goes to its second. */
  url: z.string(),
  page: z.number().int().nullable(),
  paragraph: z.number().int().nullable(),
  /** Of a video. */
  second: z.number().nullable(),
  /** "Slide 3", "Sheet Budget A2:F40". */
  label: z.string().nullable(),
  quote: z.string(),
  /** A program has found the quote, letter for letter, in the stored passage. */
  verified: z.boolean(),
  /** Where the quote is a row of a table: the cell that answers. */
  cell: z.string().nullable(),
  /** On the page, in points from its upper left: left, top, right, bottom. Null where they are not known. */
  boxes: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])).nullable(),
});
export type ApiCitation = z.infer<typeof apiCitation>;

export type Annotation = {
  type: 'url_citation';
  url_citation: { start_index: number; end_index: number; title: string; url: string };
  quoth: ApiCitation;
};

/** With where each quote stands on its page. */
export async function toApiCitations(
  citations: readonly Citation[],
  quoteBoxes: QuoteBoxes,
  signal: AbortSignal,
): Promise<ApiCitation[]> {
  const boxes = await quoteBoxes(citations, signal);
  return citations.map(({ n, documentId, passageId, title, source, kind, place, quote, verified, cell }, index) => ({
    n,
    document_id: documentId,
    passage_id: passageId,
    title,
    source,
    kind,
    url: addressOf({ documentId, source, kind, place }),
    page: place.page,
    paragraph: place.paragraph,
    second: place.startSeconds,
    label: place.label,
    quote,
    verified,
    cell: cell ?? null,
    boxes: boxes[index] ?? null,
  }));
}

/** Each `[n]` of the text with its citation; a number that stands there twice has two. */
export function annotationsOf(answer: Answer, citations: readonly ApiCitation[]): Annotation[] {
  const byNumber = new Map(citations.map((one) => [one.n, one]));
  return [...answer.text.matchAll(/\[(\d{1,4})\]/g)].flatMap((match) => {
    const quoth = byNumber.get(Number(match[1]));
    if (!quoth) return [];
    const { title, url } = quoth;
    const url_citation = { start_index: match.index, end_index: match.index + match[0].length, title, url };
    return [{ type: 'url_citation' as const, url_citation, quoth }];
  });
}

/** Of a place in a document. */
export function addressOf(of: { documentId: DocumentId; source: string; kind: string; place: Place }): string {
  const { documentId, source, kind, place } = of;
  if (kind === 'youtube' && /^https:\/\//.test(source)) {
    const url = new URL(source);
    if (place.startSeconds !== null) url.searchParams.set('t', `${Math.floor(place.startSeconds)}s`);
    return url.href;
  }
  return `quoth://document/${documentId}`;
}

/** A found passage, for a search. */
export function toApiPassage(passage: Passage) {
  const { documentId, passageId, title, source, kind, place, text, score } = passage;
  return {
    document_id: documentId,
    passage_id: passageId as number,
    title,
    source,
    kind: kind as string,
    url: addressOf({ documentId, source, kind, place }),
    page: place.page,
    paragraph: place.paragraph,
    second: place.startSeconds,
    label: place.label,
    text,
    score,
  };
}
