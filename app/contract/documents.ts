/** What a person added, where it stands, and what of it is searched. */
import { z } from 'zod';
import { documentId, folderId, placeKey } from './ids.ts';

/** Where in its document a text stands. `page` and `paragraph` count from 1. */
export const place = z.object({
  page: z.number().int().positive().nullable(),
  paragraph: z.number().int().positive().nullable(),
  startSeconds: z.number().nonnegative().nullable(),
  /** What a person calls the place, where the numbers cannot say it: "Slide 3", "Sheet Budget A2:F40". */
  label: z.string().nullable(),
});
export type Place = z.infer<typeof place>;

/** Left, top, right and bottom in points from the upper left of the page as it is shown. */
export const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
export type Box = z.infer<typeof box>;

export const scannedWord = z.object({ text: z.string(), box });
export type ScannedWord = z.infer<typeof scannedWord>;

/**
 * The states of a document, in the order in which it passes through them:
 * queued → reading → embedding → ready, or one of the four ends that are not `ready`.
 */
export const documentState = z.enum([
  'queued',
  'reading',
  'embedding',
  'ready',
  'failed',
  'no-text',
  'password',
  'unsupported',
]);
export type DocumentState = z.infer<typeof documentState>;

export const documentKind = z.enum([
  'pdf',
  'docx',
  'doc',
  'pptx',
  'xlsx',
  'csv',
  'odt',
  'ods',
  'odp',
  'rtf',
  'epub',
  'text',
  'markdown',
  'html',
  'xml',
  'email',
  'captions',
  'image',
  'zip',
  'youtube',
  'other',
]);
export type DocumentKind = z.infer<typeof documentKind>;

export const documentSummary = z.object({
  id: documentId,
  title: z.string(),
  /** The file's name or the address, for display. Never a path to open. */
  source: z.string(),
  kind: documentKind,
  state: documentState,
  /** 0 to 1 while reading or embedding. */
  progress: z.number().min(0).max(1),
  /** For an end that is not `ready`: what is wrong and what to do, in plain words. For `ready`: what of it was not read. */
  reason: z.string().nullable(),
  numPages: z.number().int().nonnegative().nullable(),
  numPassages: z.number().int().nonnegative(),
  sizeBytes: z.number().int().nonnegative(),
  addedAtMs: z.number(),
});
export type DocumentSummary = z.infer<typeof documentSummary>;

/**
 * A folder whose changes are followed. `comparing`: it is being looked through. `unreachable`: the folder itself is not there
 * (a drive that is away); its documents stay. `too-many`: it holds more files than are followed; new ones are not taken.
 * `looking`: the system tells of no changes, so it is looked through again and again.
 */
export const watchedFolder = z.object({
  id: folderId,
  /** The folder's name with its parent's, for display. Never a path to open. */
  name: z.string(),
  state: z.enum(['comparing', 'watching', 'looking', 'paused', 'unreachable', 'too-many']),
  /** For a state that a person can do something about: one sentence. */
  reason: z.string().nullable(),
  numDocuments: z.number().int().nonnegative(),
  numReady: z.number().int().nonnegative(),
  numWorking: z.number().int().nonnegative(),
  addedAtMs: z.number(),
});
export type WatchedFolder = z.infer<typeof watchedFolder>;

const placeName = z.string().max(500);
/**
 * What is searched: what lies in one of the places, is of one of the kinds, and was changed within the time (a video: added).
 * An empty list and a null set no limit. `name` is for display: what it was called when it was chosen.
 */
export const scope = z.object({
  places: z
    .array(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('folder'), folder: placeKey, name: placeName }),
        z.object({ type: z.literal('document'), documentId, name: placeName }),
      ]),
    )
    .max(200),
  kinds: z.array(documentKind).max(documentKind.options.length),
  changedFromMs: z.number().nullable(),
  changedBeforeMs: z.number().nullable(),
});
export type Scope = z.infer<typeof scope>;

export const placeFolder = z.object({
  folder: placeKey,
  /** The folder's name with its parent's, for display. */
  name: placeName,
  /** In it and below it. */
  numDocuments: z.number().int().nonnegative(),
});
export type PlaceFolder = z.infer<typeof placeFolder>;
