/**
 * What the ingest speaks of: sources, what a reader makes of one, and the passages cut from it.
 */
import type { RunOptions } from './reader-process.ts';

/** Where a document comes from. A file's `path` is absolute and resolved; it never leaves the core process. */
export type Source =
  | { type: 'file'; path: string; name: string; sizeBytes: number; modifiedAtMs: number }
  | { type: 'video'; address: string; videoId: string };

export const documentKinds = [
  'pdf',
  'docx',
  'doc', // of Word until 2003
  'pptx',
  'xlsx',
  'csv', // and TSV
  'odt',
  'ods',
  'odp',
  'rtf',
  'epub',
  'text',
  'markdown',
  'html',
  'xml',
  'email', // EML
  'captions', // SRT and WebVTT
  'image', // PNG and JPEG, by recognizing its text
  'recording', // sound or film, by turning what is said into text
  'zip', // of any of the above
  'youtube',
  'other',
] as const;
export type DocumentKind = (typeof documentKinds)[number];

/** Where a section stands in its document; pages and paragraphs count from 1. */
export type Locator =
  | { type: 'page'; page: number }
  | { type: 'paragraph'; paragraph: number }
  | { type: 'time'; startSeconds: number; endSeconds: number };

/** A stretch of text with one place: a page of a PDF, a paragraph of a DOCX, a caption. Headings apply until the next. */
export type Section = {
  text: string;
  locator: Locator;
  heading: string | null;
  /** What a person calls the place, where the locator cannot say it: "Slide 3", "Sheet Budget", "letters/may.txt". */
  label?: string;
  /** Set when the section is a row of a table. */
  row?: TableRow;
  /** Who says it, where captions tell. */
  speaker?: string;
};

/** Rows of one table follow one another. A chunk holds whole rows where they fit, and repeats the table's header. */
export type TableRow = {
  /** The words of the header, laid out as the rows are. On the first row of a table alone, and only if it has a header. */
  header?: string;
  /** Counts the tables of a document: rows with the same number belong together. */
  table: number;
  /** The first and the last cell of the row, "A2" and "F2", where cells have names. */
  cells?: { first: string; last: string };
  /** What the table is called, with its unit; each of its chunks begins with it. On the first row alone. */
  title?: string;
  /**
   * The cells with the names of their columns and their places on the page, the row's label first: chunks are then made of
   * these, "label | column: value". Empty for a row that only names the group of those below, whose labels repeat it.
   */
  named?: NamedCell[];
};

/** Left, top, right and bottom in points from the upper left of the page as it is shown, upright. */
export type Box = [number, number, number, number];

/** `column`: '' for a label and where nothing stands above. */
export type NamedCell = { column: string; text: string; box: Box };

/** The reasons for which a document ends without text. The words for people are in `ingest/reasons.ts`. */
export const failureReasons = [
  'password', // encrypted, and we have no password
  'no-text', // opens, but holds no text (a scan?)
  'empty', // 0 bytes
  'damaged', // cannot be parsed
  'unsupported', // a kind Quoth does not read
  'too-large',
  'too-slow', // its reader passed its deadline
  'too-hungry', // its reader passed its memory cap
  'locked', // the file cannot be opened: in use, or no permission
  'missing', // the file went away
  'not-a-file', // FIFO, device, socket
  'outside', // a link that leads out of the folder
  'no-captions',
  'no-speech', // a recording in which nothing is said
  'no-speech-model', // a recording, and no model is installed that could hear it
  'video-unavailable', // private, removed, age-restricted, blocked
  'offline', // the address did not answer
  'network-off', // the person has told Quoth to stay offline
  'crashed', // its reader died
] as const;
export type FailureReason = (typeof failureReasons)[number];

/** A word that was recognized on a scanned page. */
export type ScannedWord = { text: string; box: Box };
/** The words of one page in reading order. Its text is made of them, but for hyphens at line ends. */
export type ScannedPage = {
  page: number;
  words: ScannedWord[];
  /** How sure the recognition was, from 0 to 100. Absent for words that were not recognized. */
  confidence?: number;
  /** In which languages it was read, as Tesseract names them. */
  languages?: readonly string[];
};

/** `name`: "page 3", "letters/may.doc". */
export type UnreadPart = { name: string; reason: FailureReason };

export type ReadResult =
  | {
      type: 'read';
      kind: DocumentKind;
      title: string;
      numPages: number | null;
      sections: Section[];
      /** Pages that were read by recognizing their picture; absent where there are none. */
      scannedPages?: ScannedPage[];
      /** What of it could not be read, each with why: files of an archive, pages. Absent where all was. */
      unread?: UnreadPart[];
    }
  | { type: 'failed'; kind: DocumentKind; reason: FailureReason; detail: string };

/** Reads one file in a disposable process with a deadline and a memory cap. Never throws for a bad file. */
export type ReadFile = (source: Extract<Source, { type: 'file' }>, options: RunOptions) => Promise<ReadResult>;

/** A piece of a document in the embedder's size: what is stored, found, and quoted. */
export type Chunk = {
  /** 0, 1, 2 … in the document's order. */
  ordinal: number;
  text: string;
  locator: Locator;
  heading: string | null;
  /** What a person calls the place, where the locator cannot say it: "Slide 3", "Sheet Budget A2:F40". */
  label?: string | null;
  /** Of a table on a page: which stretches of the text are cells of it, and where they stand on the page. */
  cells?: PlacedCell[];
};

/** `start` to `endExclusive` of a chunk's text. A row's label comes before its values. */
export type PlacedCell = { start: number; endExclusive: number; isLabel: boolean; box: Box };
