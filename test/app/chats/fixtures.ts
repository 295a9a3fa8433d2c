import { type DocumentId, type Passage, type PassageId, passage } from '../../../app/contract/types.ts';

/** A passage with the given text; ids follow from its number. */
export function passageOf(number: number, text: string, changes: Partial<Passage> = {}): Passage {
  return passage.parse({
    passageId: number as PassageId,
    documentId: `doc_${String(number).padStart(16, '0')}` as DocumentId,
    title: `Document ${number}`,
    source: `document-${number}.pdf`,
    kind: 'pdf',
    place: { page: number, paragraph: null, startSeconds: null, label: null },
    text,
    score: 1 / number,
    ...changes,
  });
}
