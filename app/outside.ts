/**
 * Everything the application needs from the world outside it, as one argument. `main/compose.ts` builds the real one,
 * tests build their own; nothing in `app/` or `ingest/` reaches for a clock, a disk or a network by itself.
 */
import type { ReadFile } from '../ingest/source.ts';
import type { Native } from '../native/index.ts';

export type Log = (level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>) => void;

/** The watching of one folder, for as long as it is not closed. */
export type FolderWatch = {
  /** Resolves when every change from now on is told; never rejects. */
  ready: Promise<void>;
  close(): Promise<void>;
};

/**
 * Watches a folder with all below it. `onTouched` is told the absolute path of whatever came, went or changed, once or more
 * often: what it is now is for the listener to look at. `onFailed`: changes may be missed from now on.
 */
export type WatchFolder = (
  folder: string,
  listener: { onTouched: (path: string) => void; onFailed: (error: unknown) => void },
) => FolderWatch;

/** Small secrets of the person's, such as the keys of servers. They stand in no database and in no log. */
export type Secrets = {
  /** `system`: encrypted by the system's keychain. `file`: as they are, in a file that only this user may read. */
  protection(): Promise<'system' | 'file'>;
  /** Null for one that is not there, or cannot be decrypted any more. */
  read(name: string): Promise<string | null>;
  /** Null removes it. */
  write(name: string, secret: string | null): Promise<void>;
};

export type Outside = {
  /** The profile's folder: database, index generations, dropped files. */
  profileFolder: string;
  /** Where models live, shared by all profiles of this user, or where it says to which place they were moved. */
  modelsFolder: string;
  /** The few documents of ours that a person can try Quoth with. */
  samplesFolder: string;
  /** The engine's process, restarted when it dies; handles opened before a death fail with `engine-died`. */
  native: Native;
  readFile: ReadFile;
  watchFolder: WatchFolder;
  fetch: typeof globalThis.fetch;
  secrets: Secrets;
  /** The current package registry's address for a package's archive, or null where there is no npm. */
  packageAddress: (name: string, version: string) => Promise<string | null>;
  nowMs: () => number;
  /** Random bytes for ids; tests may seed it. */
  randomBytes: (numBytes: number) => Uint8Array;
  log: Log;
  version: string;
};
