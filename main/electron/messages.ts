/** What the window process and the core's process say to each other. Ports come beside the messages that name them. */
import { z } from 'zod';
import { chatId, settings, turnId } from '../../app/contract/types.ts';

const id = z.number().int().nonnegative();

export const desktopSettings = settings.pick({
  language: true,
  shortcut: true,
  keepInTray: true,
  notifications: true,
  offline: true,
});
export type DesktopSettings = z.infer<typeof desktopSettings>;

export const activity = z.object({
  /** Documents that are on their way, and jobs. */
  numWorking: z.number().int().nonnegative(),
  /** From 0 to 1; null when nothing is on its way. */
  progress: z.number().min(0).max(1).nullable(),
  watching: z.enum(['none', 'on', 'paused']),
});
export type Activity = z.infer<typeof activity>;

/** Work that has come to its end by itself. */
export const ended = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('documents'),
    numReady: z.number().int().nonnegative(),
    numFailed: z.number().int().nonnegative(),
    elapsedMs: z.number(),
  }),
  z.object({ type: z.literal('job'), chatId, turnId, isDone: z.boolean(), elapsedMs: z.number() }),
]);
export type Ended = z.infer<typeof ended>;

/** `connect` and `started` carry a port. */
export const windowMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connect') }),
  z.object({ type: z.literal('issue'), id, paths: z.array(z.string()) }),
  /** `isRecording`: null for every other document. */
  z.object({ type: z.literal('locate'), id, documentId: z.string(), isRecording: z.boolean() }),
  z.object({ type: z.literal('started'), id, pid: z.number().optional() }),
  z.object({ type: z.literal('ended'), id, code: z.number().nullable() }),
  z.object({ type: z.literal('close') }),
  /** The answer to `keychain`; null where the system could not do it. */
  z.object({ type: z.literal('kept'), id, text: z.string().nullable() }),
  /** Of all watched folders. */
  z.object({ type: z.literal('watch'), paused: z.boolean() }),
  /** The computer has slept. */
  z.object({ type: z.literal('woken') }),
  /** The window process wants to reach a host for an update; answered by `goes-out`. Then how it ended, told once. */
  z.object({ type: z.literal('go-out'), id, host: z.string() }),
  z.object({ type: z.literal('went-out'), id, isDone: z.boolean() }),
]);
export type WindowMessage = z.infer<typeof windowMessage>;

/** `failed` comes before the core ends: the reason for the person. */
export const coreMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('failed'), message: z.string() }),
  z.object({ type: z.literal('issued'), id, tickets: z.array(z.string()) }),
  /** Where a document's file lies; null where it is not there. */
  z.object({ type: z.literal('located'), id, path: z.string().nullable() }),
  /** Whether it may; it then stands in the ledger. */
  z.object({ type: z.literal('goes-out'), id, mayGo: z.boolean() }),
  z.object({
    type: z.literal('start'),
    id,
    entry: z.enum(['engine-process', 'reader-main']),
    memoryBytes: z.number().optional(),
  }),
  z.object({ type: z.literal('kill'), id }),
  z.object({ type: z.literal('closed') }),
  z.object({ type: z.literal('keychain'), id, ask: z.enum(['is-there', 'encrypt', 'decrypt']), text: z.string() }),
  /** What of the settings the window process needs: at the start and after every change. */
  z.object({ type: z.literal('settings'), settings: desktopSettings }),
  z.object({ type: z.literal('activity'), activity }),
  z.object({ type: z.literal('ended'), ended }),
  /** The whole profile was removed: what Chromium keeps of it is to go, too. */
  z.object({ type: z.literal('forgotten') }),
]);
export type CoreMessage = z.infer<typeof coreMessage>;

/** What the core tells without being asked. */
export type CoreNews = Extract<CoreMessage, { type: 'settings' | 'activity' | 'ended' | 'forgotten' }>;
