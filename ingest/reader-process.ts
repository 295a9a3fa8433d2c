/** The border to the disposable reader process: `main/processes.ts` starts it, `ingest/readers/` runs in it. */
import type { ReadResult } from './source.ts';

/**
 * `done` from 0 to 1. `isScanning`: the picture of a page is recognized next, which may take as long as `scanLimits` lets it.
 * `isListening`: the next stretch of a recording is turned into text, which may take as long as `listenLimits` lets it.
 */
export type OnProgress = (done: number, isScanning?: boolean, isListening?: boolean) => void;

/** Folders of what is installed beside the app and used by a reader as it is. A reader may read exactly these beside its file. */
export type ReaderKits = {
  /** Each with the data of one language for recognizing scanned pages. */
  scanFolders?: readonly string[] | undefined;
  /** A model that turns speech into text; absent = recordings end with `no-speech-model`. */
  speech?: { folder: string } | undefined;
};

export type RunOptions = ReaderKits & {
  signal: AbortSignal;
  onProgress?: (done: number) => void;
  /**
   * Not the text, but the words of these pages of a PDF and where they stand: the result has them as `scannedPages`, and no
   * sections. Of any other kind it fails with `unsupported`.
   */
  wordsOf?: readonly number[] | undefined;
};

/** What the core sends to a fresh reader: the one file it may open. */
export type ReaderRequest = ReaderKits & {
  type: 'read';
  path: string;
  name: string;
  sizeBytes: number;
  /** As in `RunOptions`. */
  wordsOf?: readonly number[];
};

/** What the reader sends back: progress from 0 to 1, then one result, then it ends. */
export type ReaderMessage =
  | { type: 'progress'; done: number; isScanning?: boolean; isListening?: boolean }
  | { type: 'result'; result: ReadResult };

export type ReaderLimits = { deadlineMs: number; memoryBytes: number };

/** 30 s and 5 s more for each MB, at most 5 minutes: the slowest real filing took 4.5 s. Memory: 1.5 GB. */
export function limitsFor(sizeBytes: number): ReaderLimits {
  const seconds = Math.min(300, 30 + 5 * (sizeBytes / 1_000_000));
  return { deadlineMs: seconds * 1000, memoryBytes: 1.5e9 };
}

/**
 * Recognizing a scanned page takes seconds, however few bytes it has. `pageMs` and `documentMs` are of processor time, so that a
 * busy computer loses no pages: a dense page takes 2 to 3 s of it. What is left after `documentMs` stays without text. The others
 * are by the clock: what a page and a whole document add to the deadline at most.
 */
export const scanLimits = {
  pageMs: 20_000,
  documentMs: 20 * 60_000,
  pageClockMs: 120_000,
  documentClockMs: 60 * 60_000,
};

/**
 * A recording is heard in stretches of 30 s; each takes seconds to half a minute, by the model and the computer. Each stretch that
 * begins may take `stretchClockMs` from then; a recording of twelve hours may take `documentClockMs` in all.
 */
export const listenLimits = { stretchClockMs: 180_000, documentClockMs: 24 * 60 * 60_000 };
