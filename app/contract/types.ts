/** The things that both sides of the window's border speak of. One word per thing: see the glossary in README.md. */
import { z } from 'zod';

export const documentId = z
  .string()
  .regex(/^doc_[0-9a-z]{16}$/)
  .brand<'DocumentId'>();
export const chatId = z
  .string()
  .regex(/^chat_[0-9a-z]{16}$/)
  .brand<'ChatId'>();
export const turnId = z
  .string()
  .regex(/^turn_[0-9a-z]{16}$/)
  .brand<'TurnId'>();
export const folderId = z
  .string()
  .regex(/^folder_[0-9a-z]{16}$/)
  .brand<'FolderId'>();
/** A folder in which documents lie. Never a path. */
export const placeKey = z
  .string()
  .regex(/^place_[0-9a-f]{16}$/)
  .brand<'PlaceKey'>();
export const passageId = z.number().int().positive().brand<'PassageId'>();
export const modelId = z.string().min(1).max(100).brand<'ModelId'>();
/** The opaque id of a file or folder that the user gave to the shell. The renderer never sees the path behind it. */
export const ticket = z
  .string()
  .regex(/^[0-9a-zA-Z_-]{22,64}$/)
  .brand<'Ticket'>();

export type DocumentId = z.infer<typeof documentId>;
export type ChatId = z.infer<typeof chatId>;
export type TurnId = z.infer<typeof turnId>;
export type FolderId = z.infer<typeof folderId>;
export type PlaceKey = z.infer<typeof placeKey>;
export type PassageId = z.infer<typeof passageId>;
export type ModelId = z.infer<typeof modelId>;
export type Ticket = z.infer<typeof ticket>;

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

/** A passage of another document that says the same. */
export const twinPassage = z.object({
  passageId,
  documentId,
  title: z.string(),
  source: z.string(),
  kind: documentKind,
  place,
});
export type TwinPassage = z.infer<typeof twinPassage>;

/** A chunk found for a question. */
export const passage = twinPassage.extend({
  text: z.string(),
  score: z.number(),
  /** Of a table on a page: the stretches of `text` that are its cells, and where they stand. A row's label comes first. */
  cells: z.array(z.object({ start: z.number(), endExclusive: z.number(), isLabel: z.boolean(), box })).optional(),
  /** Where else it stands, one place for each other document, at most 20; absent = nowhere. */
  alsoIn: z.array(twinPassage).optional(),
});
export type Passage = z.infer<typeof passage>;

/** How a passage came to its place among those found. */
export const searchCandidate = z.object({
  passageId,
  /** Null where it is gone from the library. */
  passage: passage.nullable(),
  /** BM25; null where the words did not find it. */
  wordScore: z.number().nullable(),
  /** Cosine; null where the meaning did not find it. */
  similarity: z.number().nullable(),
  /** Fused from these two: the first order. */
  score: z.number(),
  /** The reranker's: the last order of the best; null where it was not asked. */
  rerankScore: z.number().nullable(),
  /** `repeats`: another one says the same, so this one is folded into it. `past-limit`: others are better. */
  outcome: z.enum(['found', 'repeats', 'past-limit', 'gone']),
  /** For `repeats`: into which, and the share of runs of three words that both have; 1 for the same words. */
  repeats: z.object({ passageId, likeness: z.number() }).optional(),
});
export type SearchCandidate = z.infer<typeof searchCandidate>;

/** What the reranker did. `given-up`: it was too slow or failed, so the fused order stayed. */
export const reranking = z.discriminatedUnion('type', [
  z.object({ type: z.literal('none') }),
  z.object({ type: z.literal('done'), model: z.string(), numScored: z.number().int(), tookMs: z.number() }),
  z.object({
    type: z.literal('given-up'),
    model: z.string(),
    why: z.enum(['slow', 'failed']),
    numScored: z.number().int(),
    tookMs: z.number(),
  }),
]);

/** Why the passages of a search are what they are. */
export const searchExplanation = z.object({
  /** What was searched for. */
  query: z.string(),
  /** The embedder's name; null where words alone were searched. */
  embedder: z.string().nullable(),
  reranking,
  /** All that either half found: those shown first and in their order. */
  candidates: z.array(searchCandidate),
});
export type SearchExplanation = z.infer<typeof searchExplanation>;

/** A passage the answer points to as `[n]`, with its verbatim words. */
export const citation = z.object({
  n: z.number().int().positive(),
  passageId,
  documentId,
  title: z.string(),
  source: z.string(),
  kind: documentKind,
  place,
  /** Words that stand exactly so in the passage. */
  quote: z.string(),
  /** True when a program has found the quote, letter for letter, in the stored passage. */
  verified: z.boolean(),
  /** Where the quote is a row of a table: the cell in it that the question is about, "June 30, 2023: 7,681". */
  cell: z.string().optional(),
  /** What is to be marked on the page, where it is known: that cell and its row's label, or all of the row. */
  boxes: z.array(box).optional(),
});
export type Citation = z.infer<typeof citation>;

export const answerTimings = z.object({
  retrieveMs: z.number(),
  /** From the question to the first text that is shown: `retrieveMs`, `prefillMs`, and what the first words took. */
  ttftMs: z.number(),
  /** From the prompt's submission to its first token; absent where no model spoke. */
  prefillMs: z.number().optional(),
  decodeTokensPerSecond: z.number(),
  numPromptTokens: z.number().int(),
  numCachedTokens: z.number().int(),
  numOutputTokens: z.number().int(),
});
export type AnswerTimings = z.infer<typeof answerTimings>;

/** What a job reads whole. */
export const jobScope = z.discriminatedUnion('type', [
  z.object({ type: z.literal('library') }),
  z.object({ type: z.literal('folder'), folderId }),
  z.object({ type: z.literal('documents'), documentIds: z.array(documentId).min(1).max(10_000) }),
]);
export type JobScope = z.infer<typeof jobScope>;

/** What is done with whole documents, every passage of them and not the best ones only. */
export const jobTask = z.discriminatedUnion('type', [
  z.object({ type: z.literal('summarise'), scope: jobScope }),
  z.object({ type: z.literal('mentions'), words: z.string().trim().min(1).max(500), scope: jobScope }),
  z.object({ type: z.literal('compare'), documents: z.tuple([documentId, documentId]) }),
]);
export type JobTask = z.infer<typeof jobTask>;

/** How much of what was to be read was read. A part is as many passages in a row as are read at once. */
export const coverage = z.object({
  numParts: z.number().int().nonnegative(),
  numRead: z.number().int().nonnegative(),
  numDocuments: z.number().int().nonnegative(),
  numPassages: z.number().int().nonnegative(),
  /** Parts that the chat model was given and had no usable words for: their own sentences stand for them. */
  numInOwnWords: z.number().int().nonnegative(),
  /** What could not be read: a document, or passages of it. */
  unread: z.array(z.object({ documentId, title: z.string(), reason: z.string() })),
});
export type Coverage = z.infer<typeof coverage>;

/**
 * A job that has not come to its end. `waiting` for the one before it; `reading` part by part; `joining` what the parts gave;
 * `stopped` by the person or `failed`: it can go on, and what was read is not read again by the chat model.
 */
export const job = z.object({
  /** The turn that its result becomes the answer of: its name. */
  turnId,
  chatId,
  task: jobTask,
  state: z.enum(['waiting', 'reading', 'joining', 'stopped', 'failed']),
  numParts: z.number().int().nonnegative(),
  numRead: z.number().int().nonnegative(),
  /** The title of the document that is read now. */
  document: z.string().nullable(),
  secondsLeft: z.number().nonnegative().nullable(),
  /** Of a failed one: what is wrong and what to do. */
  reason: z.string().nullable(),
});
export type Job = z.infer<typeof job>;

/** How an answer came to its end. `cut` = the engine died while it spoke. */
export const answerEnd = z.enum(['complete', 'stopped', 'cut', 'length']);

export const answer = z.object({
  text: z.string(),
  citations: z.array(citation),
  /** True when the documents do not hold the answer; the text then says what was searched. */
  refused: z.boolean(),
  /** `quotes` = no chat model took part: the answer is made of quoted passages only. */
  writtenBy: z.enum(['model', 'quotes']),
  end: answerEnd,
  timings: answerTimings,
  /** What was searched for, where the question leaned on those before it; absent where it was searched for as it is. */
  searchedFor: z.string().optional(),
  /** Of an answer that whole documents were read for. */
  job: z.object({ task: jobTask, coverage }).optional(),
});
export type Answer = z.infer<typeof answer>;

export const turn = z.object({
  id: turnId,
  question: z.string(),
  /** What it was asked in; absent = everything. */
  scope: scope.optional(),
  answer: answer.nullable(),
  askedAtMs: z.number(),
  /** The turns that stand in this place, itself among them, oldest first: more than one where it was edited or asked again. */
  siblings: z.array(turnId),
  /** How many passages the search found; `readFound` has them. */
  numFound: z.number().int().nonnegative(),
});
export type Turn = z.infer<typeof turn>;

export const chatSummary = z.object({
  id: chatId,
  title: z.string(),
  /** All that was ever asked in it, on every branch. */
  numTurns: z.number().int().nonnegative(),
  updatedAtMs: z.number(),
});
export type ChatSummary = z.infer<typeof chatSummary>;

/** A turn that was found, with the words around the first of those that were sought. */
export const chatMatch = z.object({
  turnId,
  field: z.enum(['question', 'answer', 'source']),
  before: z.string(),
  match: z.string(),
  after: z.string(),
});
export type ChatMatch = z.infer<typeof chatMatch>;

export const exportFormat = z.enum(['markdown', 'html']);
export type ExportFormat = z.infer<typeof exportFormat>;

const exportWord = z.string().max(200);
/** The words around what was said in an exported chat, in the language of the window. */
export const exportWords = z.object({
  /** As HTML names it: "fr", "zh-Hans". */
  language: z.string().regex(/^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/),
  /** With `{{date}}`. */
  from: exportWord,
  quotes: exportWord,
  /** With `{{page}}`, `{{paragraph}}`. */
  page: exportWord,
  paragraph: exportWord,
  verified: exportWord,
  unverified: exportWord,
  unanswered: exportWord,
  removed: exportWord,
});
export type ExportWords = z.infer<typeof exportWords>;

export const exportedChat = z.object({
  /** A file name that every system takes. */
  name: z.string(),
  mediaType: z.string(),
  text: z.string(),
});
export type ExportedChat = z.infer<typeof exportedChat>;

export const modelSummary = z.object({
  id: modelId,
  name: z.string(),
  /** What it does: writes answers, turns text into vectors, or says how well a passage answers a question. */
  role: z.enum(['chat', 'embedder', 'reranker']),
  licence: z.string(),
  /** What has to be fetched, and what it takes on disk once built. */
  downloadBytes: z.number().int().nonnegative(),
  planBytes: z.number().int().nonnegative(),
  state: z.enum(['available', 'downloading', 'building', 'installed', 'broken']),
  inUse: z.boolean(),
  /** Path of the plan file: for the command line only; always null towards the renderer. */
  plan: z.string().nullable(),
  note: z.string(),
});
export type ModelSummary = z.infer<typeof modelSummary>;

export const installProgress = z.object({
  step: z.enum(['download', 'verify', 'build', 'done']),
  doneBytes: z.number().nonnegative(),
  totalBytes: z.number().nonnegative(),
  bytesPerSecond: z.number().nonnegative(),
  secondsLeft: z.number().nonnegative().nullable(),
});
export type InstallProgress = z.infer<typeof installProgress>;

/** The languages of the window; each is a file of `renderer/common/text`. */
export const windowLanguages = ['en', 'fr', 'it', 'ja', 'zh'] as const;

export const settings = z.object({
  language: z.enum(['system', ...windowLanguages]),
  theme: z.enum(['system', 'light', 'dark', 'contrast']),
  /** Of the window's text, in percent. */
  textSize: z.number().int().min(75).max(200),
  answerTokens: z.number().int().min(32).max(4096),
  temperature: z.number().min(0).max(2),
  captionLanguages: z.array(z.string().max(20)).max(20),
});
export type Settings = z.infer<typeof settings>;

/** What this machine has and what Quoth uses of it, each with the reason. */
export const machineReport = z.object({
  version: z.string(),
  device: z.enum(['cpu', 'cuda']),
  deviceName: z.string(),
  deviceReason: z.string(),
  numThreads: z.number().int().positive(),
  memoryBytes: z.number(),
  freeDiskBytes: z.number(),
  vectorIndex: z.enum(['faiss', 'exact']),
  vectorIndexReason: z.string(),
  chatModel: z.string().nullable(),
  embedder: z.string().nullable(),
  reranker: z.string().nullable(),
  offline: z.boolean(),
});
export type MachineReport = z.infer<typeof machineReport>;

const spread = z.object({ mean: z.number(), p50: z.number(), p95: z.number() });

/** A model that is loaded now, and how its engine has done since: the words are those of `EngineStats`. */
export const engineReport = z.object({
  role: z.enum(['chat', 'embedder', 'reranker']),
  model: z.string(),
  device: z.enum(['cpu', 'cuda']),
  contextTokens: z.number().int(),
  kvTokens: z.number().int(),
  weightBytes: z.number(),
  kvBytes: z.number(),
  activationBytes: z.number(),
  numRunning: z.number().int(),
  numWaiting: z.number().int(),
  numFinished: z.number().int(),
  kvPagesTotal: z.number().int(),
  kvPagesFree: z.number().int(),
  kvPagesCached: z.number().int(),
  promptTokens: z.number(),
  cachedTokens: z.number(),
  outputTokens: z.number(),
  draftedTokens: z.number(),
  acceptedTokens: z.number(),
  ttftMs: spread,
  tokenMs: spread,
  latencyMs: spread,
  busyMs: z.number(),
  /** Of the steps that only generate: what a token reads of the memory, and how fast; null before the first. */
  bytesPerToken: z.number().nullable(),
  bytesPerSecond: z.number().nullable(),
  /** Of these steps, over all sequences; null before the first. */
  tokensPerSecond: z.number().nullable(),
  /** `bytesPerSecond` over what the memory could give; null where the device does not say that. */
  bandwidthFraction: z.number().nullable(),
});
export type EngineReport = z.infer<typeof engineReport>;
