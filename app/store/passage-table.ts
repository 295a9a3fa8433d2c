import { crc32 } from 'node:zlib';
import { textToEmbed } from '../../ingest/embedder.ts';
import { readerVersions } from '../../ingest/reader-versions.ts';
import type { Box, DocumentKind, Locator, PlacedCell, ScannedWord } from '../../ingest/source.ts';
import type { IndexGeneration, PassageStore, StoredPassage, StoredVector } from '../../ingest/store.ts';
import { QuothError } from '../contract/errors.ts';
import { createCopyPassages } from './copy-document.ts';
import type { Database } from './database.ts';
import { withStoreErrors } from './store-error.ts';
import { createWordSearch, holds } from './word-search.ts';

/** What the table offers beside the ingest's border. */
export type PassageTable = PassageStore & {
  /** Passages of one document in its order, for reading. */
  passagesOf(documentId: string, fromOrdinal: number, limit: number): StoredPassage[];
  /** The words of a scanned page; none for any other page. */
  scannedWords(documentId: string, page: number): ScannedWord[];
  /** The scanned pages of a document, without their words. */
  scansOf(documentId: string): Scan[];
  /** What is kept of a document beside its row: text, headings, cells, vectors, words of scans. */
  storedFacts(documentId: string): { numVectors: number; storedBytes: number };
};

/** `confidence` and `languages` as in `ScannedPage`; null and none for pages that were read before these were kept. */
export type Scan = { page: number; confidence: number | null; languages: string[] };

type PassageRow = {
  passageId: number;
  documentId: string;
  ordinal: number;
  text: string;
  checksum: number;
  heading: string | null;
  page: number | null;
  paragraph: number | null;
  startSeconds: number | null;
  endSeconds: number | null;
  label: string | null;
  cells: string | null;
  title: string;
  source: string;
  kind: DocumentKind;
};

const passageColumns = `passages.id AS passageId, document_id AS documentId, ordinal, text, checksum, heading, page, paragraph,
  start_seconds AS startSeconds, end_seconds AS endSeconds, label, cells, title, name AS source, kind
  FROM passages JOIN documents ON documents.id = document_id`;

/** Passages, their words and their vectors. A heading's words count less than the text's own: it stands over many. */
export function createPassageTable(database: Database): PassageTable {
  const { sqlite } = database;
  const searchWords = createWordSearch(sqlite);
  const updateDocument = sqlite.prepare(
    `UPDATE documents SET state = 'ready', reason = NULL, detail = NULL, title = @title, kind = @kind,
       num_pages = @numPages, content_hash = @contentHash, note = @note, reader_version = @readerVersion WHERE id = @documentId`,
  );
  const queueAgain = sqlite.prepare("UPDATE documents SET state = 'queued', content_hash = NULL WHERE id = ?");
  const selectIdsOf = sqlite.prepare<[string], number>('SELECT id FROM passages WHERE document_id = ?').pluck();
  const removeAllOf = sqlite.prepare('DELETE FROM passages WHERE document_id = ?');
  const insertPassage = sqlite.prepare(
    `INSERT INTO passages (document_id, ordinal, text, checksum, heading, page, paragraph, start_seconds, end_seconds, label, cells)
     VALUES (@documentId, @ordinal, @text, @checksum, @heading, @page, @paragraph, @startSeconds, @endSeconds, @label, @cells)`,
  );
  const removeScansOf = sqlite.prepare('DELETE FROM scanned_pages WHERE document_id = ?');
  const insertScan = sqlite.prepare(
    `INSERT INTO scanned_pages (document_id, page, words, confidence, languages) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (document_id, page) DO UPDATE SET words = excluded.words, confidence = excluded.confidence,
       languages = excluded.languages`,
  );
  const selectFacts = sqlite.prepare<[{ id: string }], { numVectors: number; storedBytes: number }>(
    `SELECT count(vector) AS numVectors, coalesce(sum(octet_length(text) + coalesce(octet_length(heading), 0) +
       coalesce(octet_length(cells), 0) + coalesce(octet_length(vector), 0)), 0) +
       (SELECT coalesce(sum(octet_length(words)), 0) FROM scanned_pages WHERE document_id = @id) AS storedBytes
     FROM passages LEFT JOIN vectors ON passage_id = passages.id WHERE document_id = @id`,
  );
  const selectScan = sqlite
    .prepare<[string, number], string>('SELECT words FROM scanned_pages WHERE document_id = ? AND page = ?')
    .pluck();
  const selectScans = sqlite.prepare<[string], { page: number; confidence: number | null; languages: string | null }>(
    'SELECT page, confidence, languages FROM scanned_pages WHERE document_id = ? ORDER BY page',
  );
  // A passage that is gone meanwhile has no row to take the vector.
  const insertVector = sqlite.prepare(
    `INSERT INTO vectors (passage_id, embedder_id, vector) SELECT id, @embedderId, @vector FROM passages WHERE id = @passageId
     ON CONFLICT (passage_id) DO UPDATE SET embedder_id = excluded.embedder_id, vector = excluded.vector`,
  );
  const selectWithoutVector = sqlite.prepare<
    [string, number, number],
    { passageId: number; text: string; heading: string | null }
  >(
    `SELECT id AS passageId, text, heading FROM passages WHERE NOT EXISTS
       (SELECT 1 FROM vectors WHERE embedder_id = ? AND passage_id = passages.id) AND id > ? ORDER BY id LIMIT ?`,
  );
  const selectPassage = sqlite.prepare<[number], PassageRow>(
    `SELECT ${passageColumns} WHERE passages.id = ? AND state = 'ready'`,
  );
  const selectCopies = sqlite.prepare<[number, string, string], PassageRow>(
    `SELECT ${passageColumns} WHERE checksum = ? AND text = ? AND document_id <> ? AND state = 'ready'
     ORDER BY passages.id`,
  );
  const selectPassagesOf = sqlite.prepare<[string, number, number], PassageRow>(
    `SELECT ${passageColumns} WHERE document_id = ? AND ordinal >= ? ORDER BY ordinal LIMIT ?`,
  );
  const selectLastId = sqlite.prepare<[], number | null>('SELECT max(id) FROM passages').pluck();
  const selectVectorsAfter = sqlite.prepare<[string, number, number], { passageId: number; vector: Buffer }>(
    `SELECT passage_id AS passageId, vector FROM vectors WHERE embedder_id = ? AND passage_id > ?
     ORDER BY passage_id LIMIT ?`,
  );
  const selectIdsUpTo = sqlite
    .prepare<[string, number], number>(
      'SELECT passage_id FROM vectors WHERE embedder_id = ? AND passage_id <= ? ORDER BY passage_id',
    )
    .pluck();
  const countVectors = sqlite.prepare<[string], number>('SELECT count(*) FROM vectors WHERE embedder_id = ?').pluck();
  const selectVectorsOf = sqlite.prepare<[string, string], { text: string; heading: string | null; vector: Buffer }>(
    `SELECT text, heading, vector FROM passages JOIN vectors ON passage_id = passages.id
     WHERE document_id = ? AND embedder_id = ?`,
  );
  const selectGeneration = sqlite.prepare<[], IndexGeneration>(
    `SELECT file, sha256, dimension, embedder_id AS embedderId, num_vectors AS numVectors,
       last_passage_id AS lastPassageId FROM index_generation`,
  );
  const upsertGeneration = sqlite.prepare(
    `INSERT INTO index_generation (one, file, sha256, dimension, embedder_id, num_vectors, last_passage_id)
     VALUES (1, @file, @sha256, @dimension, @embedderId, @numVectors, @lastPassageId)
     ON CONFLICT (one) DO UPDATE SET file = excluded.file, sha256 = excluded.sha256, dimension = excluded.dimension,
       embedder_id = excluded.embedder_id, num_vectors = excluded.num_vectors, last_passage_id = excluded.last_passage_id`,
  );

  /** By embedder: no passage up to this id is without a vector. Spares a walk over all passages for each batch. */
  const embeddedUpTo = new Map<string, number>();

  const addVectors = sqlite.transaction((embedderId: string, passageIds: number[], vectors: Float32Array) => {
    if (passageIds.length === 0) return;
    // A passage has one vector: this embedder's takes the place of another's.
    for (const other of [...embeddedUpTo.keys()]) if (other !== embedderId) embeddedUpTo.delete(other);
    const dimension = vectors.length / passageIds.length;
    if (!Number.isInteger(dimension) || dimension === 0)
      throw new QuothError('internal', `${vectors.length} numbers are not vectors of ${passageIds.length} passages.`);
    passageIds.forEach((passageId, i) => {
      const vector = toBytes(vectors.subarray(i * dimension, (i + 1) * dimension));
      insertVector.run({ embedderId, passageId, vector });
    });
  });

  const replacePassages = sqlite.transaction(
    (...[documentId, chunks, embedded, facts]: Parameters<PassageStore['replacePassages']>) => {
      const { scannedPages = [], note = null, ...columns } = facts;
      if (
        updateDocument.run({ documentId, note, readerVersion: readerVersions[columns.kind], ...columns }).changes === 0
      )
        throw new QuothError('not-found', 'This document was removed while it was being read.');
      const removedIds = selectIdsOf.all(documentId);
      removeAllOf.run(documentId);
      removeScansOf.run(documentId);
      for (const { page, words, confidence = null, languages } of scannedPages) {
        const json = JSON.stringify(words.map(({ text, box }) => [text, ...box]));
        insertScan.run(documentId, page, json, confidence, languages?.join('+') ?? null);
      }
      if (removedIds.length > 0) database.scrubber.note();
      const addedIds = chunks.map((chunk) => {
        const { ordinal, heading, locator, label = null } = chunk;
        const cells = chunk.cells ? toJson(chunk.cells) : null;
        // SQLite stores UTF-8: half of a surrogate pair would come back as another character than the one summed up.
        const text = chunk.text.toWellFormed();
        const row = { documentId, ordinal, text, checksum: crc32(text), heading, label, cells, ...toColumns(locator) };
        return Number(insertPassage.run(row).lastInsertRowid);
      });
      if (embedded) addVectors(embedded.embedderId, addedIds, embedded.vectors);
      return { addedIds, removedIds };
    },
  );

  /** The passage, or nothing if its text is not what was stored: then its document is to be read again. */
  function toSoundPassages(rows: PassageRow[]): StoredPassage[] {
    return rows.flatMap((row) => {
      if (crc32(row.text) === row.checksum) return [toPassage(row)];
      database.suspectDamage();
      queueAgain.run(row.documentId);
      return [];
    });
  }

  const passagesOf = (documentId: string, fromOrdinal: number, limit: number): StoredPassage[] =>
    toSoundPassages(selectPassagesOf.all(documentId, fromOrdinal, limit));
  const scannedWords = (documentId: string, page: number): ScannedWord[] => {
    const words: [string, number, number, number, number][] = JSON.parse(selectScan.get(documentId, page) ?? '[]');
    return words.map(([text, ...box]) => ({ text, box }));
  };
  const scansOf = (documentId: string): Scan[] =>
    selectScans.all(documentId).map(({ page, confidence, languages }) => {
      return { page, confidence, languages: languages?.split('+') ?? [] };
    });
  const copyPassages = sqlite.transaction(
    createCopyPassages(sqlite, { replacePassages, passagesOf, scannedWords, scansOf, toVector: fromBytes }),
  );

  return withStoreErrors(database, {
    replacePassages: (...input: Parameters<PassageStore['replacePassages']>) => replacePassages(...input),
    copyPassages: (...input: Parameters<PassageStore['copyPassages']>) => copyPassages(...input),
    vectorsByText(documentId: string, embedderId: string) {
      const vectors = new Map<string, Float16Array>();
      for (const { vector, ...passage } of selectVectorsOf.iterate(documentId, embedderId))
        vectors.set(textToEmbed(passage), fromBytes(vector));
      return vectors;
    },
    passagesWithoutVector(embedderId: string, limit: number) {
      const rows = selectWithoutVector.all(embedderId, embeddedUpTo.get(embedderId) ?? 0, limit);
      const first = rows[0]?.passageId;
      embeddedUpTo.set(embedderId, first === undefined ? (selectLastId.get() ?? 0) : first - 1);
      return rows;
    },
    addVectors: (embedderId: string, passageIds: number[], vectors: Float32Array) =>
      addVectors(embedderId, passageIds, vectors),
    passages: (ids: number[]) =>
      toSoundPassages(
        ids.flatMap((id) => {
          const row = selectPassage.get(id);
          return row ? [row] : [];
        }),
      ),
    copiesOf(passage: Parameters<PassageStore['copiesOf']>[0], limit: number, within?: Float64Array) {
      const rows: PassageRow[] = [];
      for (const row of selectCopies.iterate(crc32(passage.text), passage.text, passage.documentId)) {
        if (rows.length === limit) break;
        if (rows.at(-1)?.documentId === row.documentId) continue; // a document's passages stand in a row
        if (!within || holds(within, row.passageId)) rows.push(row);
      }
      return rows.map(toPassage);
    },
    passagesOf,
    scannedWords,
    scansOf,
    storedFacts: (documentId: string) => selectFacts.get({ id: documentId })!,
    searchWords: (query: string, limit: number, within?: Float64Array) => searchWords(query, limit, within),
    vectorsAfter: (embedderId: string, afterId: number, limit: number): StoredVector[] =>
      selectVectorsAfter
        .all(embedderId, afterId, limit)
        .map(({ passageId, vector }) => ({ passageId, vector: fromBytes(vector) })),
    passageIdsUpTo: (embedderId: string, lastPassageId: number) =>
      Float64Array.from(selectIdsUpTo.all(embedderId, lastPassageId)),
    numVectors: (embedderId: string) => countVectors.get(embedderId) ?? 0,
    generation: () => selectGeneration.get() ?? null,
    setGeneration(generation: IndexGeneration) {
      upsertGeneration.run(generation);
    },
  });
}

/** float32 → float16 bytes. Every machine Quoth runs on is little-endian, as the column is. */
function toBytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(new Float16Array(vector).buffer);
}

function fromBytes(bytes: Buffer): Float16Array {
  // A copy: a view needs an even offset into a buffer that SQLite's rows do not promise.
  const copy = new Uint8Array(bytes.length - (bytes.length % 2));
  copy.set(bytes.subarray(0, copy.length));
  return new Float16Array(copy.buffer);
}

function toJson(cells: readonly PlacedCell[]): string {
  return JSON.stringify(
    cells.map(({ start, endExclusive, isLabel, box }) => [start, endExclusive, isLabel ? 1 : 0, ...box]),
  );
}

/** What is not what was written counts as no cells: the passage itself is sound. */
function toCells(json: string): PlacedCell[] {
  try {
    const rows = JSON.parse(json) as unknown;
    if (!Array.isArray(rows)) return [];
    return rows.flatMap((row: unknown) => {
      if (!Array.isArray(row) || row.length !== 7 || !row.every((one) => Number.isFinite(one))) return [];
      const [start, endExclusive, isLabel, ...box] = row as number[];
      return [{ start: start!, endExclusive: endExclusive!, isLabel: isLabel === 1, box: box as Box }];
    });
  } catch {
    return [];
  }
}

function toColumns(locator: Locator) {
  const nowhere = { page: null, paragraph: null, startSeconds: null, endSeconds: null };
  switch (locator.type) {
    case 'page':
      return { ...nowhere, page: locator.page };
    case 'paragraph':
      return { ...nowhere, paragraph: locator.paragraph };
    case 'time':
      return { ...nowhere, startSeconds: locator.startSeconds, endSeconds: locator.endSeconds };
  }
}

function toPassage(row: PassageRow): StoredPassage {
  const { page, paragraph, startSeconds, endSeconds, checksum: _, cells, ...passage } = row;
  const locator: Locator =
    page !== null
      ? { type: 'page', page }
      : startSeconds !== null
        ? { type: 'time', startSeconds, endSeconds: endSeconds ?? startSeconds }
        : { type: 'paragraph', paragraph: paragraph ?? 1 };
  return { ...passage, locator, ...(cells === null ? {} : { cells: toCells(cells) }) };
}
