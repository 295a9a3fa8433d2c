/** The last word on a quote: it stands letter for letter in the stored passage, or it is not shown as proof. */
import type { Citation } from '../contract/types.ts';

/**
 * Reads each cited passage again from the store and looks the quote up in it. A citation whose passage is gone, or whose
 * words do not stand there exactly, comes back with `verified: false`.
 */
export function verifyCitations(
  citations: Citation[],
  readPassages: (ids: number[]) => { passageId: number; documentId: string; text: string }[],
): Citation[] {
  const stored = new Map(readPassages(citations.map(({ passageId }) => passageId)).map((one) => [one.passageId, one]));
  return citations.map((citation) => {
    const passage = stored.get(citation.passageId);
    const verified =
      passage !== undefined &&
      passage.documentId === citation.documentId &&
      citation.quote.length > 0 &&
      passage.text.includes(citation.quote);
    return { ...citation, verified };
  });
}
