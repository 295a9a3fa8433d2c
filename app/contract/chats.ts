/** Questions with their answers. */
import { z } from 'zod';
import { scope } from './documents.ts';
import { chatId, turnId } from './ids.ts';
import { coverage, jobTask } from './jobs.ts';
import { answerTimings, citation } from './passages.ts';
import { sentTo } from './remote.ts';

/** How an answer came to its end. `cut` = the engine died while it spoke. */
export const answerEnd = z.enum(['complete', 'stopped', 'cut', 'length']);

export const answer = z.object({
  text: z.string(),
  citations: z.array(citation),
  /** The sentences of a model's `text` for which no quote was found, in order; absent: none, or nobody looked. */
  unsupported: z.array(z.object({ start: z.number().int().nonnegative(), endExclusive: z.number().int() })).optional(),
  /** True when the documents do not hold the answer; the text then says what was searched. */
  refused: z.boolean(),
  /** True where the passages speak of the question but may not say what it asks; absent: no sign of it, or nobody can tell. */
  doubtful: z.boolean().optional(),
  /** `quotes` = no chat model took part: the answer is made of quoted passages only. */
  writtenBy: z.enum(['model', 'quotes']),
  end: answerEnd,
  timings: answerTimings,
  /** What was searched for, where the question leaned on those before it; absent where it was searched for as it is. */
  searchedFor: z.string().optional(),
  /** Where its question and passages were sent; absent where nothing left this process. */
  sentTo: sentTo.optional(),
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

export const exportFormat = z.enum(['markdown', 'html', 'docx']);
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
  /** The file itself: a text of UTF-8, or a Word document. */
  base64: z.string(),
});
export type ExportedChat = z.infer<typeof exportedChat>;
