/** What a person added, where it stands, and what of it is searched. */
import { z } from 'zod';
import { chatId, collectionId, documentId, folderId, placeKey, turnId } from './ids.ts';

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
  'recording',
  'zip',
  'youtube',
  'other',
]);
export type DocumentKind = z.infer<typeof documentKind>;

/** Why a document could not be read, for a sentence in the window's language and the step that helps. */
export const documentProblem = z.enum([
  'password',
  'no-text',
  'empty',
  'damaged',
  'unsupported',
  'too-large',
  'too-slow',
  'too-hungry',
  'locked',
  'missing',
  'not-a-file',
  'outside',
  'crashed',
  'no-captions',
  'no-speech',
  'no-speech-model',
  'video-unavailable',
  'offline',
  'network-off',
  // What a video refused with.
  'removed',
  'country',
  'members',
  'no-channel',
  'private',
  'age-restricted',
  'blocked',
  'too-many-requests',
  'consent',
  'po-token',
  'no-address',
  'live',
]);
export type DocumentProblem = z.infer<typeof documentProblem>;

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
  /** The same as one of a closed list, where it is one of it; null for an end that is `ready`. */
  problem: documentProblem.nullable(),
  numPages: z.number().int().nonnegative().nullable(),
  /** Of a recording, up to its last word. Absent for every other document, and for one that was not heard yet. */
  durationSeconds: z.number().nonnegative().optional(),
  numPassages: z.number().int().nonnegative(),
  sizeBytes: z.number().int().nonnegative(),
  addedAtMs: z.number(),
  /** The folder that it lies in; null for a video. */
  folder: placeKey.nullable(),
  /** Those that it is in, by itself or with a folder. */
  collections: z.array(collectionId),
});
export type DocumentSummary = z.infer<typeof documentSummary>;

/**
 * A folder whose changes are followed. `comparing`: it is being looked through. `unreachable`: the folder itself is not there
 * (a drive that is away); its documents stay. `too-many`: it holds more files than are followed; new ones are not taken.
 * `looking`: the system tells of no changes, so it is looked through again and again.
 */
export const watchedFolder = z.object({
  id: folderId,
  /** The same folder as a place to ask in. */
  place: placeKey,
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
 * What is searched: what is or lies in one of the places, is of one of the kinds, and was changed within the time (a video: added).
 * An empty list and a null set no limit. `name` is for display: what it was called when it was chosen.
 */
export const scope = z.object({
  places: z
    .array(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('folder'), folder: placeKey, name: placeName }),
        z.object({ type: z.literal('document'), documentId, name: placeName }),
        z.object({ type: z.literal('collection'), collectionId, name: placeName }),
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
  /** The next folder above it that is listed too. */
  above: placeKey.nullable(),
});
export type PlaceFolder = z.infer<typeof placeFolder>;

export const collectionName = z.string().trim().min(1).max(100);

/** A named set of documents. Of a folder that is in it, all files are, the later ones too. A document may be in several. */
export const collection = z.object({
  id: collectionId,
  name: collectionName,
  folders: z.array(z.object({ folder: placeKey, name: placeName })),
  numDocuments: z.number().int().nonnegative(),
  numReady: z.number().int().nonnegative(),
  createdAtMs: z.number(),
});
export type Collection = z.infer<typeof collection>;

/** What is put into a collection or taken out of it. */
export const collectionParts = z.object({
  documentIds: z.array(documentId).max(10_000).default([]),
  folders: z.array(placeKey).max(200).default([]),
});

/** Where a document's words were quoted. */
export const citingTurn = z.object({ chatId, title: z.string(), turnId, question: z.string(), askedAtMs: z.number() });
export type CitingTurn = z.infer<typeof citingTurn>;

/** All that is known of a document. */
export const documentDetails = z.object({
  document: documentSummary,
  /** When the file was last written; of a video, when it was added. */
  changedAtMs: z.number(),
  /** What its text is written in, as BCP 47 names it ("en", "ja"); null where that is not clear. */
  language: z.string().nullable(),
  /** The name of the folder that it lies in, with its parent's, for display. Null for a video. */
  folderName: z.string().nullable(),
  /** Whether its file is where it was; null for a video. */
  isThere: z.boolean().nullable(),
  /**
   * Of scanned pages: how many there are, how sure their recognition was (0 to 100, of all letters), in which languages they
   * were read (BCP 47), and whether they seem to be in another one. Absent where no page was a scan.
   */
  scans: z
    .object({
      numPages: z.number().int().positive(),
      confidence: z.number().min(0).max(100).nullable(),
      languages: z.array(z.string()),
      seemsOther: z.boolean(),
    })
    .optional(),
  /** True when its file is a copy that Quoth made (of a file that came through a browser) and that goes with it. */
  isCopy: z.boolean(),
  numVectors: z.number().int().nonnegative(),
  /** What Quoth itself keeps of it: text, vectors, words of scans, the copy. */
  storedBytes: z.number().int().nonnegative(),
  /** The latest first, a hundred at most. */
  citedIn: z.array(citingTurn),
});
export type DocumentDetails = z.infer<typeof documentDetails>;
