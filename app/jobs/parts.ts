/** A document in parts: as many passages in a row as are read at once. */
import { setImmediate } from 'node:timers/promises';
import type { StoredPassage } from '../../ingest/store.ts';
import { quotableSentences } from '../chats/citations.ts';
import { contentWords, splitSentences, type Word } from '../chats/sentences.ts';
import type { DocumentId } from '../contract/types.ts';

export type Part = {
  documentId: DocumentId;
  title: string;
  /** Ordinals of its first and last passage. */
  first: number;
  last: number;
  numPassages: number;
  /** The ids of its first and last passage: the same for as long as the text is. */
  key: string;
};

export type PassagesOf = (documentId: string, fromOrdinal: number, limit: number) => StoredPassage[];

/** Read at once from the store. */
const batchSize = 100;

/**
 * Cuts a document into parts of at most `mostSize`, as `sizeOf` counts it; a passage that is larger is a part of its own.
 * Damaged passages are left out by the store: what is missing from the document's count is unread.
 */
export async function cutParts(
  document: { id: DocumentId; title: string },
  passagesOf: PassagesOf,
  sizeOf: (text: string) => number,
  mostSize: number,
): Promise<Part[]> {
  const parts: Part[] = [];
  let open: (Part & { size: number; firstId: number }) | null = null;
  const end = (): void => {
    if (!open) return;
    const { size: _, firstId: __, ...part } = open;
    parts.push(part);
    open = null;
  };
  for (let from = 0; ; ) {
    const passages = passagesOf(document.id, from, batchSize);
    for (const { passageId, ordinal, text } of passages) {
      const size = sizeOf(text);
      if (open && open.size + size > mostSize) end();
      if (open) {
        open.size += size;
        open.last = ordinal;
        open.numPassages += 1;
        open.key = `${open.firstId}-${passageId}`;
      } else
        open = {
          documentId: document.id,
          title: document.title,
          first: ordinal,
          last: ordinal,
          numPassages: 1,
          key: `${passageId}-${passageId}`,
          size,
          firstId: passageId,
        };
    }
    const last = passages.at(-1);
    if (!last) break;
    from = last.ordinal + 1;
    await setImmediate();
  }
  end();
  return parts;
}

/** The passages of a part, as far as they are still there. */
export function readPart(part: Part, passagesOf: PassagesOf): StoredPassage[] {
  return passagesOf(part.documentId, part.first, part.last - part.first + 1).filter(
    ({ ordinal }) => ordinal <= part.last,
  );
}

/** A sentence of a passage, with its place in it. */
export type Piece = { passage: StoredPassage; text: string; start: number; endExclusive: number; words: Word[] };

/** The sentences of passages in a row; the one that a passage repeats from the one before stands once. */
export function piecesOf(passages: readonly StoredPassage[], before: Piece | null = null): Piece[] {
  const pieces: Piece[] = [];
  for (const passage of passages)
    for (const [index, { text, start, endExclusive }] of quotableSentences(passage.text).entries()) {
      const last = pieces.at(-1) ?? before;
      if (index === 0 && last && last.passage.documentId === passage.documentId && last.text === text) continue;
      pieces.push({ passage, text, start, endExclusive, words: contentWords(text) });
    }
  return pieces;
}

/** The text of passages in a row without what they repeat. */
export function textOf(passages: readonly StoredPassage[]): string {
  let text = '';
  let lastSentence = '';
  for (const passage of passages) {
    const repeated = lastSentence !== '' && passage.text.startsWith(lastSentence);
    const fresh = repeated ? passage.text.slice(lastSentence.length).trimStart() : passage.text;
    text += (text === '' ? '' : '\n\n') + fresh;
    lastSentence = splitSentences(passage.text).at(-1)?.text ?? '';
  }
  return text;
}
