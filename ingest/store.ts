/**
 * What the ingest needs of the store. `app/store/` implements it on SQLite; every method that changes something is one
 * transaction, and what it returned is on the disk.
 */
import type { Chunk, DocumentKind, Locator, PlacedCell, ScannedPage } from './source.ts';

export type StoredPassage = {
  passageId: number;
  documentId: string;
  ordinal: number;
  text: string;
  heading: string | null;
  locator: Locator;
  /** As in `Chunk`; absent or null where the locator says all. */
  label?: string | null;
  /** As in `Chunk`: absent where it is no table of a page. */
  cells?: PlacedCell[];
  title: string;
  source: string;
  kind: DocumentKind;
};

/** A stored vector: float16 [dimension], unit length. */
export type StoredVector = { passageId: number; vector: Float16Array };

export type IndexGeneration = {
  /** File name in the profile's index folder. */
  file: string;
  sha256: string;
  dimension: number;
  /** The embedder whose vectors these are. */
  embedderId: string;
  numVectors: number;
  /** Every passage with an id up to this was in the index when it was written, unless it is gone since. */
  lastPassageId: number;
};

export interface PassageStore {
  /**
   * Passages of one document, with their vectors and its new state `ready`, in one commit. Old ones go in the same.
   * `embedded` is null while no embedder is installed: the words can be found already, the vectors come later.
   */
  replacePassages(
    documentId: string,
    chunks: Chunk[],
    embedded: { embedderId: string; vectors: Float32Array } | null,
    facts: {
      title: string;
      kind: DocumentKind;
      numPages: number | null;
      contentHash: string;
      /** Absent where no page was a scan. */
      scannedPages?: readonly ScannedPage[];
      /** For the person: what of it could not be read. Absent where all was. */
      note?: string;
    },
  ): { addedIds: number[]; removedIds: number[] };
  /**
   * As `replacePassages`, from a document that is ready and was cut from the same bytes as the same kind of file: nothing is
   * read or embedded again. Null where there is none. `vectors`: [addedIds.length, dimension], if all have one of this embedder.
   */
  copyPassages(
    documentId: string,
    from: { contentHash: string; kind: DocumentKind; embedderId: string | null },
  ): { addedIds: number[]; removedIds: number[]; vectors: Float32Array | null } | null;
  /** The vectors of a document's passages by what was embedded for them (`textToEmbed`): the same text needs no new one. */
  vectorsByText(documentId: string, embedderId: string): ReadonlyMap<string, Float16Array>;
  /** Passages that have no vector of this embedder yet, ascending, at most `limit`. */
  passagesWithoutVector(
    embedderId: string,
    limit: number,
  ): { passageId: number; text: string; heading: string | null }[];
  /** Vectors ([passageIds.length, dimension]) of passages that exist; those gone meanwhile are left out. */
  addVectors(embedderId: string, passageIds: number[], vectors: Float32Array): void;
  /**
   * Passages by id, in the order asked for. Left out are ids that are gone, whose document is not `ready`, or whose text was
   * damaged on the disk (its document is then queued again).
   */
  passages(ids: number[]): StoredPassage[];
  /**
   * Passages of other documents whose text is exactly that of this one, at most `limit`, one of each document. `within`: as in
   * `searchWords`.
   */
  copiesOf(
    passage: Pick<StoredPassage, 'passageId' | 'documentId' | 'text'>,
    limit: number,
    within?: Float64Array,
  ): StoredPassage[];
  /**
   * Best first by BM25. `query` is plain text from a person: nothing in it is syntax. `within`: only passages with ids in these
   * ranges, pairs of a first and a last one, ascending; absent = all.
   */
  searchWords(query: string, limit: number, within?: Float64Array): { passageId: number; score: number }[];
  /** Vectors with passage ids above `afterId`, ascending, at most `limit`. */
  vectorsAfter(embedderId: string, afterId: number, limit: number): StoredVector[];
  /** Ids up to `lastPassageId` that exist, ascending: what a generation should hold. */
  passageIdsUpTo(embedderId: string, lastPassageId: number): Float64Array;
  numVectors(embedderId: string): number;
  generation(): IndexGeneration | null;
  setGeneration(generation: IndexGeneration): void;
}
