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
  connection,
  documentDetails,
  documentId,
  documentSummary,
  engineReport,
  exportedChat,
  exportFormat,
  exportWords,
  folderId,
  job,
  jobTask,
  keyProtection,
  localApi,
  machineReport,
  modelId,
  modelSummary,
  modelsWork,
  passage,
  passageId,
  place,
  placeFolder,
  remoteModel,
  remoteOffer,
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
/** Where a server with models is reached, and its key. `keyOf`: the key of that model, which the window never sees. */
const remoteAddress = z.object({
  address: z.string().trim().min(1).max(2_000),
  key: z.string().trim().max(1_000).optional(),
  keyOf: modelId.optional(),
});
const remoteName = z.string().trim().min(1).max(300);

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
  /** What of the library was read from scanned pages, or could not be: it is worth another look once a language is there. */
  describeScans: call(nothing, z.object({ numDocuments: z.number().int().nonnegative() })),
  /** Reads these again, with the languages that there are now. */
  readScansAgain: stream(nothing, addEvent),
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
  /** The words of a scan or of a PDF's page and where they stand, in reading order, for marking a quote that its text does not hold. */
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
  /**
   * The turns of the branch that is shown: all, or the last `numTurns`, or those before the turn `before`. `numBefore`: how many
   * more stand before these. A long chat is read in pieces, from its end.
   */
  readChat: call(
    z.object({ chatId, numTurns: z.number().int().min(1).max(2000).optional(), before: turnId.optional() }),
    z.object({ chat: chatSummary, turns: z.array(turn), numBefore: z.number().int().nonnegative() }),
  ),
  /** Shows the branch that goes through a turn, and remembers it. Answers with its turns, or the last `numTurns` of them. */
  showTurn: call(
    z.object({ chatId, turnId, numTurns: z.number().int().min(1).max(2000).optional() }),
    z.object({ turns: z.array(turn), numBefore: z.number().int().nonnegative() }),
  ),
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
  /** The models on their way and the folder of all models: at once and after every change. */
  watchInstalls: stream(nothing, modelsWork),
  /** Puts a model among those that are fetched and built, one after another; or goes on with one that waits for that. */
  installModel: call(z.object({ modelId }), nothing),
  /** Keeps what is there. The next start of Quoth does not go on with it by itself. */
  pauseInstall: call(z.object({ modelId }), nothing),
  /** Takes it out of the list, and what was fetched for it off the disk. */
  cancelInstall: call(z.object({ modelId }), nothing),
  /**
   * Makes a model of files that the person has: a checkpoint (a folder, its files, or a GGUF file) or a finished plan. What
   * is no such thing is refused with the reason; the rest goes the way of an install.
   */
  importModel: call(
    z.object({ tickets: z.array(ticket).min(1).max(200), name: z.string().trim().min(1).max(100).optional() }),
    z.object({ modelId }),
  ),
  /** It can be brought back until its bytes are gone, some seconds later. `freedBytes`: what is free then. */
  removeModel: call(z.object({ modelId }), z.object({ freedBytes: z.number() })),
  restoreModel: call(z.object({ modelId }), nothing),
  /** Moves all models into a folder; `watchInstalls` tells how far it is and, if it had to be undone, why. */
  moveModels: call(z.object({ ticket }), nothing),
  cancelMove: call(nothing, nothing),
  /** `inUse` false sets a reranker aside; the other roles always use one that is installed. */
  useModel: call(z.object({ modelId, inUse: z.boolean().optional() }), nothing),

  // Models on other computers
  listRemoteModels: call(nothing, z.object({ models: z.array(remoteModel), keyProtection })),
  /** Asks an address for its models. Fails with one sentence of what is wrong with the address, the server or the key. */
  probeRemote: call(remoteAddress, remoteOffer),
  /** Has the model say a word: what it said, and how long its first word took. */
  testRemote: call(remoteAddress.extend({ name: remoteName }), z.object({ text: z.string(), firstWordMs: z.number() })),
  /** Keeps it and puts it to use. One of the same name at the same address takes the place of the old one. */
  addRemoteModel: call(
    remoteAddress.extend({ name: remoteName, contextTokens: z.number().int().min(1024).max(2_000_000) }),
    z.object({ model: remoteModel }),
  ),
  /** Forgets it and its key. */
  removeRemoteModel: call(z.object({ modelId }), nothing),

  // The door for other programs
  readLocalApi: call(nothing, localApi),
  /** Opens or shuts it, now and at every start. `key` is there when one was made: it is shown this once. */
  setLocalApi: call(
    z.object({ on: z.boolean(), port: localApi.shape.port.optional() }),
    z.object({ localApi, key: z.string().nullable() }),
  ),
  /** Makes a new key; the old one is refused from now on. */
  renewLocalApiKey: call(nothing, z.object({ localApi, key: z.string() })),

  // The first steps
  /** `seen`: the welcome is over for this profile, until it is asked for. */
  readWelcome: call(nothing, z.object({ seen: z.boolean() })),
  endWelcome: call(nothing, nothing),
  /** Adds a few documents of ours, to try what Quoth does. */
  addSamples: stream(nothing, addEvent),
  /** Takes them out again. */
  removeSamples: call(nothing, nothing),

  // Settings and the machine
  readSettings: call(nothing, settings),
  changeSettings: call(settings.partial(), settings),
  /** Every connection that was made to another computer, the newest first; older ones from `before`, an id, on. */
  readLedger: call(
    z.object({ before: z.number().int().positive().nullable(), limit: z.number().int().min(1).max(500) }),
    z.object({ connections: z.array(connection), numConnections: z.number().int().nonnegative() }),
  ),
  clearLedger: call(nothing, nothing),
  /**
   * Removes documents, chats, index, settings and ledger from the disk, and the models if they are named too. Whatever is
   * under way is ended. The window has to be opened anew: streams that were open have ended.
   */
  forgetEverything: call(z.object({ modelsToo: z.boolean() }), nothing),
  describeMachine: call(nothing, machineReport),
  /** The models that are loaded now; loads none. */
  describeEngines: call(nothing, z.object({ engines: z.array(engineReport) })),
} as const;

export type QuothContract = typeof contract;
