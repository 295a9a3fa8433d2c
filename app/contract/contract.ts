/**
 * The border between the picture and the application: everything a window can ask for, and all that it can learn.
 *
 * Both shells (Electron and loopback) serve exactly this, and the command line calls the same handlers. No procedure
 * takes a path: files come as tickets, documents by id.
 */
import { z } from 'zod';
import { call, stream } from './procedure.ts';
import {
  answer,
  chatId,
  chatMatch,
  chatSummary,
  collection,
  collectionId,
  collectionName,
  collectionParts,
  documentDetails,
  documentId,
  documentSummary,
  engineReport,
  exportedChat,
  exportFormat,
  exportWords,
  folderId,
  installProgress,
  job,
  jobTask,
  machineReport,
  modelId,
  modelSummary,
  passage,
  passageId,
  place,
  placeFolder,
  scannedWord,
  scope,
  searchExplanation,
  settings,
  ticket,
  turn,
  turnId,
  watchedFolder,
  windowLanguages,
} from './types.ts';

const nothing = z.object({});
const question = z.string().trim().min(1).max(20_000);

/** What changed in the library; `reset` carries the whole state and comes first on every watch. */
export const libraryEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('reset'), documents: z.array(documentSummary) }),
  z.object({ type: z.literal('changed'), document: documentSummary }),
  z.object({ type: z.literal('removed'), documentId }),
]);
export type LibraryEvent = z.infer<typeof libraryEvent>;

/** What adding does, one item per document as it comes to its end, and a summary last. */
export const addEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('found'), numDocuments: z.number().int() }),
  z.object({ type: z.literal('document'), document: documentSummary }),
  z.object({
    type: z.literal('summary'),
    numReady: z.number().int(),
    numFailed: z.number().int(),
    seconds: z.number(),
  }),
]);
export type AddEvent = z.infer<typeof addEvent>;

/** The life of an answer: sources first, then the text as it is written, then the whole, checked and saved. */
export const askEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('started'), chatId, turnId, siblings: z.array(turnId) }),
  /** `searchedFor`: as in `answer`. */
  z.object({
    type: z.literal('sources'),
    passages: z.array(passage),
    retrieveMs: z.number(),
    searchedFor: z.string().optional(),
  }),
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('answer'), answer }),
]);
export type AskEvent = z.infer<typeof askEvent>;

/** What removing does: one item per document that is gone, and a summary last. */
export const removeEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('removed'), documentId }),
  z.object({
    type: z.literal('summary'),
    numDocuments: z.number().int(),
    numPassages: z.number().int(),
    /** What Quoth kept of them. */
    freedBytes: z.number().int(),
  }),
]);
export type RemoveEvent = z.infer<typeof removeEvent>;

export const contract = {
  // The library
  watchLibrary: stream(nothing, libraryEvent),
  /** `watch`: folders among them are followed from now on; files never are. */
  addFiles: stream(z.object({ tickets: z.array(ticket).min(1).max(10_000), watch: z.boolean().optional() }), addEvent),
  addAddress: stream(z.object({ address: z.string().trim().min(1).max(2_000) }), addEvent),
  retryDocument: stream(z.object({ documentId }), addEvent),
  /** Reads documents once more. `anew`: also those whose bytes are the same as when they were read last. */
  retryDocuments: stream(
    z.object({ documentIds: z.array(documentId).min(1).max(10_000), anew: z.boolean().optional() }),
    addEvent,
  ),
  removeDocument: call(z.object({ documentId }), nothing),
  /** Removes documents one by one; leaving the loop ends it after the one at hand. Those that are gone are passed over. */
  removeDocuments: stream(z.object({ documentIds: z.array(documentId).min(1).max(10_000) }), removeEvent),
  describeDocument: call(z.object({ documentId }), documentDetails),
  /** What the library takes on the disk: words and vectors, the index made of them, copies of files from a browser. */
  describeLibrary: call(
    nothing,
    z.object({ databaseBytes: z.number(), indexBytes: z.number(), copiesBytes: z.number() }),
  ),
  /** The stored text of a document, in order, for reading and for finding a quote's place. */
  readDocument: call(
    z.object({
      documentId,
      fromPassage: z.number().int().nonnegative(),
      numPassages: z.number().int().min(1).max(500),
    }),
    z.object({
      document: documentSummary,
      passages: z.array(z.object({ passageId, place, heading: z.string().nullable(), text: z.string() })),
      numPassages: z.number().int(),
    }),
  ),
  /** The words of a scanned page and where they stand, in reading order, for marking a quote; none for any other page. */
  readScan: call(
    z.object({ documentId, page: z.number().int().positive() }),
    z.object({ words: z.array(scannedWord) }),
  ),
  /** The bytes of the original file, in base64 pieces, for the page view. Fails with `not-found` if it moved. */
  readOriginal: stream(z.object({ documentId }), z.object({ base64: z.string(), totalBytes: z.number() })),

  // Watched folders
  /** All of them, at once and after every change. */
  watchFolders: stream(nothing, z.object({ folders: z.array(watchedFolder) })),
  /** Stops following the folder and reading its files. Its documents stay as they are. */
  pauseFolder: call(z.object({ folderId }), nothing),
  /** Follows it again; what changed meanwhile is found. */
  resumeFolder: call(z.object({ folderId }), nothing),
  /** Forgets the folder, and its documents if they are not kept. The files themselves stay. */
  removeFolder: call(z.object({ folderId, keepDocuments: z.boolean() }), nothing),

  // Collections
  /** All of them by name, at once and after every change. */
  watchCollections: stream(nothing, z.object({ collections: z.array(collection) })),
  /** Fails with `invalid-input` where there is one of this name. */
  createCollection: call(z.object({ name: collectionName, ...collectionParts.shape }), z.object({ collectionId })),
  renameCollection: call(z.object({ collectionId, name: collectionName }), nothing),
  addToCollection: call(z.object({ collectionId, ...collectionParts.shape }), nothing),
  /** `numKept`: documents that stay in it because their folder is. */
  takeFromCollection: call(
    z.object({ collectionId, ...collectionParts.shape }),
    z.object({ numKept: z.number().int().nonnegative() }),
  ),
  /** The documents stay in the library. */
  deleteCollection: call(z.object({ collectionId }), nothing),
  /** Brings back a collection deleted in this session. */
  restoreCollection: call(z.object({ collectionId }), nothing),

  // Finding and asking
  search: call(
    z.object({
      question,
      limit: z.number().int().min(1).max(100),
      explain: z.boolean().optional(),
      scope: scope.optional(),
    }),
    z.object({
      passages: z.array(passage),
      timings: z.object({ embedMs: z.number(), searchMs: z.number() }),
      /** Null unless it was asked for. */
      explanation: searchExplanation.nullable(),
    }),
  ),
  /**
   * Asks at the end of the chat's shown branch (null: in a new chat). `insteadOf`: in the place of that turn, which stays
   * as its sibling. Then `sources` says from what to answer: a new search, the same passages, or twice as many. `scope`: what
   * to search, null for everything; absent = what the turn before it, or the one in whose place it stands, was asked in.
   */
  ask: stream(
    z.object({
      question,
      chatId: chatId.nullable(),
      insteadOf: turnId.optional(),
      sources: z.enum(['search', 'same', 'more']).optional(),
      scope: scope.nullable().optional(),
    }),
    askEvent,
  ),
  /** Why a turn's passages are what they are: its search once more, in the library as it is now. */
  explainTurn: call(z.object({ turnId }), searchExplanation),
  /** The folders that a question can be asked in. */
  listPlaces: call(nothing, z.object({ folders: z.array(placeFolder) })),

  // Whole documents
  /**
   * Starts a job at the end of the chat's shown branch (null: in a new chat) and answers at once. Its result becomes the
   * answer of that turn, its words in `language` (absent: English). Jobs run one after another, give way to questions, and
   * outlive the caller and the process.
   */
  startJob: call(
    z.object({ task: jobTask, chatId: chatId.nullable(), language: z.enum(windowLanguages).optional() }),
    z.object({ chatId, turnId, question: z.string() }),
  ),
  /** All jobs that have not come to their end, the oldest first: at once and after every change. */
  watchJobs: stream(nothing, z.object({ jobs: z.array(job) })),
  /** Ends the reading. What was read until then becomes the answer. */
  stopJob: call(z.object({ turnId }), nothing),
  /** Goes on where a stopped or failed job was left. */
  resumeJob: call(z.object({ turnId }), nothing),

  // Chats
  listChats: call(nothing, z.object({ chats: z.array(chatSummary) })),
  /** Chats in which one turn, on any branch, or the title has all the words; the last one may be a beginning. */
  searchChats: call(
    z.object({ words: z.string().trim().min(1).max(500), limit: z.number().int().min(1).max(200) }),
    z.object({ found: z.array(z.object({ chat: chatSummary, matches: z.array(chatMatch) })) }),
  ),
  /** The turns of the branch that is shown. */
  readChat: call(z.object({ chatId }), z.object({ chat: chatSummary, turns: z.array(turn) })),
  /** Shows the branch that goes through a turn, and remembers it. */
  showTurn: call(z.object({ chatId, turnId }), z.object({ turns: z.array(turn) })),
  /** What was found for a turn, as far as it is still in the library. */
  readFound: call(z.object({ turnId }), z.object({ passages: z.array(passage) })),
  /** What is shown of a chat as a file. Without `words` in English. */
  exportChat: call(z.object({ chatId, format: exportFormat, words: exportWords.optional() }), exportedChat),
  renameChat: call(z.object({ chatId, title: z.string().trim().min(1).max(200) }), nothing),
  deleteChat: call(z.object({ chatId }), nothing),
  /** Brings back a chat deleted in this session. */
  restoreChat: call(z.object({ chatId }), nothing),

  // Models
  listModels: call(nothing, z.object({ models: z.array(modelSummary) })),
  installModel: stream(z.object({ modelId }), installProgress),
  removeModel: call(z.object({ modelId }), nothing),
  /** `inUse` false sets a reranker aside; the other roles always use one that is installed. */
  useModel: call(z.object({ modelId, inUse: z.boolean().optional() }), nothing),

  // Settings and the machine
  readSettings: call(nothing, settings),
  changeSettings: call(settings.partial(), settings),
  describeMachine: call(nothing, machineReport),
  /** The models that are loaded now; loads none. */
  describeEngines: call(nothing, z.object({ engines: z.array(engineReport) })),
} as const;

export type QuothContract = typeof contract;
