/** What a person may choose, and what this machine has. */
import { z } from 'zod';

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
  /** The person's own instruction to the chat model, beside Quoth's. */
  systemPrompt: z.string().max(2000),
  /** Of the chat model, from its next load on; null: as many as are useful and fit. */
  contextTokens: z.number().int().min(1024).max(131_072).nullable(),
  /** How the chat model's memory of a text keeps its numbers, from its next load on. `auto`: half as many bytes where room is short. */
  kvPrecision: z.enum(['auto', 'f16', 'i8']),
  /** The keys that bring the window from anywhere, as Electron writes them ("Alt+Shift+Q"); null: none. */
  shortcut: z.string().min(1).max(60).nullable(),
  /** Whether the program stays in the tray when its window is closed. */
  keepInTray: z.boolean(),
  notifications: z.boolean(),
  /** Whether no connection to another computer is made, of any kind. */
  offline: z.boolean(),
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
  /** Of the device that is used; null where it cannot be told. */
  deviceBytes: z.number().nullable(),
  freeDiskBytes: z.number(),
  vectorIndex: z.enum(['faiss', 'exact']),
  vectorIndexReason: z.string(),
  chatModel: z.string().nullable(),
  embedder: z.string().nullable(),
  reranker: z.string().nullable(),
  offline: z.boolean(),
  /** Where documents, chats and settings are kept, to be shown. */
  profileFolder: z.string(),
});
export type MachineReport = z.infer<typeof machineReport>;
