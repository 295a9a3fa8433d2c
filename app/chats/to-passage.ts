import type { FoundPassage } from '../../ingest/search.ts';
import type { StoredPassage } from '../../ingest/store.ts';
import type { DocumentId, Passage, PassageId, TwinPassage } from '../contract/types.ts';
import { placeOf } from '../library/place.ts';

/** A found passage as a window sees it. */
export function toPassage(found: FoundPassage): Passage {
  const { text, score, cells, alsoIn = [] } = found;
  return {
    ...toTwin(found),
    text,
    score,
    ...(cells && cells.length > 0 ? { cells } : {}),
    ...(alsoIn.length > 0 ? { alsoIn: alsoIn.map(toTwin) } : {}),
  };
}

function toTwin(stored: StoredPassage): TwinPassage {
  const { passageId, documentId, title, source, kind } = stored;
  return {
    passageId: passageId as PassageId,
    documentId: documentId as DocumentId,
    title,
    source,
    kind,
    place: placeOf(stored),
  };
}
