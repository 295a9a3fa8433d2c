import type Sqlite from 'better-sqlite3';
import { readerVersions } from '../../ingest/reader-versions.ts';
import { titleFromName } from '../../ingest/readers/sections.ts';
import type { Chunk, DocumentKind, ScannedPage, ScannedWord } from '../../ingest/source.ts';
import type { PassageStore, StoredPassage } from '../../ingest/store.ts';

type Twin = { id: string; name: string; title: string; numPages: number | null; note: string | null };

type CopyParts = {
  replacePassages: PassageStore['replacePassages'];
  /** The passages of a document, sound ones only. */
  passagesOf: (documentId: string, fromOrdinal: number, limit: number) => StoredPassage[];
  scannedWords: (documentId: string, page: number) => ScannedWord[];
  scansOf: (documentId: string) => { page: number; confidence: number | null; languages: string[] }[];
  toVector: (bytes: Buffer) => Float16Array;
};

/** What `PassageStore.copyPassages` does; to be called in a transaction. */
export function createCopyPassages(sqlite: Sqlite.Database, parts: CopyParts): PassageStore['copyPassages'] {
  const selectTwins = sqlite.prepare<[string, DocumentKind, string, number], Twin>(
    `SELECT id, name, title, num_pages AS numPages, note FROM documents
     WHERE content_hash = ? AND kind = ? AND id <> ? AND state = 'ready' AND reader_version >= ?
     ORDER BY added_at_ms, rowid`,
  );
  const selectName = sqlite.prepare<[string], string>('SELECT name FROM documents WHERE id = ?').pluck();
  const countPassages = sqlite.prepare<[string], number>('SELECT count(*) FROM passages WHERE document_id = ?').pluck();
  const selectVector = sqlite
    .prepare<[number, string], Buffer>('SELECT vector FROM vectors WHERE passage_id = ? AND embedder_id = ?')
    .pluck();

  /** [n, dimension], or null if one is missing. */
  function vectorsOf(ids: readonly number[], embedderId: string): Float32Array | null {
    let block: Float32Array | null = null;
    for (const [i, id] of ids.entries()) {
      const bytes = selectVector.get(id, embedderId);
      const vector = bytes && parts.toVector(bytes);
      block ??= vector ? new Float32Array(ids.length * vector.length) : null;
      if (!vector || !block || vector.length * ids.length !== block.length) return null;
      block.set(vector, i * vector.length);
    }
    return block;
  }

  return (documentId, { contentHash, kind, embedderId }) => {
    const name = selectName.get(documentId);
    if (name === undefined) return null;
    for (const twin of selectTwins.all(contentHash, kind, documentId, readerVersions[kind])) {
      const numPassages = countPassages.get(twin.id) ?? 0;
      const stored = parts.passagesOf(twin.id, 0, numPassages);
      if (numPassages === 0 || stored.length < numPassages) continue; // damaged: it is read again, and so is this one
      const chunks = stored.map(({ ordinal, text, heading, locator, label, cells }): Chunk => {
        return { ordinal, text, heading, locator, ...(label ? { label } : {}), ...(cells ? { cells } : {}) };
      });
      const ids = stored.map(({ passageId }) => passageId);
      const vectors = embedderId === null ? null : vectorsOf(ids, embedderId);
      const title = twin.title === titleFromName(twin.name) ? titleFromName(name) : twin.title;
      const scannedPages = parts.scansOf(twin.id).map(({ page, confidence, languages }): ScannedPage => {
        const words = parts.scannedWords(twin.id, page);
        return { page, words, ...(confidence === null ? {} : { confidence, languages }) };
      });
      const facts = {
        title,
        kind,
        numPages: twin.numPages,
        contentHash,
        scannedPages,
        ...(twin.note ? { note: twin.note } : {}),
      };
      const embedded = embedderId !== null && vectors ? { embedderId, vectors } : null;
      return { ...parts.replacePassages(documentId, chunks, embedded, facts), vectors };
    }
    return null;
  };
}
