/** What is done with whole documents. */
import { z } from 'zod';
import { chatId, collectionId, documentId, folderId, turnId } from './ids.ts';

/** What a job reads whole. */
export const jobScope = z.discriminatedUnion('type', [
  z.object({ type: z.literal('library') }),
  z.object({ type: z.literal('folder'), folderId }),
  z.object({ type: z.literal('collection'), collectionId }),
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
