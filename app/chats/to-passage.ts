import type { FoundPassage } from '../../ingest/search.ts';
import type { DocumentId, Passage, PassageId } from '../contract/types.ts';
import { placeOf } from '../library/place.ts';

/** A found passage as a window sees it. */
export function toPassage(found: FoundPassage): Passage {
  const { passageId, documentId, title, source, kind, text, score, cells } = found;
  return {
    passageId: passageId as PassageId,
    documentId: documentId as DocumentId,
    title,
    source,
    kind,
    place: placeOf(found),
    text,
    score,
    ...(cells && cells.length > 0 ? { cells } : {}),
  };
}
