/** Models on other computers, and the door for other programs on this one. */
import { z } from 'zod';
import { modelId } from './ids.ts';

/** Where a model on another computer is reached. Never its key. */
export const remoteHost = z.object({
  /** As in the address: "192.168.1.20:8000". */
  host: z.string(),
  /** The address is one of this computer: nothing leaves it. */
  isLoopback: z.boolean(),
  /** https, or an address of this computer: nobody on the way can read along. */
  isPrivate: z.boolean(),
});
export type RemoteHost = z.infer<typeof remoteHost>;

/** A model behind an OpenAI-compatible address. */
export const remoteModel = remoteHost.extend({
  id: modelId,
  /** What the server calls it. */
  name: z.string(),
  address: z.string(),
  hasKey: z.boolean(),
  contextTokens: z.number().int().positive(),
  inUse: z.boolean(),
});
export type RemoteModel = z.infer<typeof remoteModel>;

/** Who keeps the keys: the system's own keychain, or a file of the profile that only this user may read. */
export const keyProtection = z.enum(['system', 'file']);
export type KeyProtection = z.infer<typeof keyProtection>;

/** What a server answered when it was asked for its models. */
export const remoteOffer = remoteHost.extend({
  /** The address as it will be kept. */
  address: z.string(),
  /** Null where the server does not say how long a text the model takes. */
  models: z.array(z.object({ name: z.string(), contextTokens: z.number().int().positive().nullable() })),
});
export type RemoteOffer = z.infer<typeof remoteOffer>;

/** Of an answer for which a model on another computer was asked. */
export const sentTo = z.object({
  model: z.string(),
  host: z.string(),
  isLoopback: z.boolean(),
  /** How many passages were sent with the question; of a job, how many parts of documents. */
  numPassages: z.number().int().nonnegative(),
});
export type SentTo = z.infer<typeof sentTo>;

/** The door for other programs on this computer. */
export const localApi = z.object({
  /** Whether the person wants it open. */
  on: z.boolean(),
  port: z.number().int().min(1024).max(65_535),
  /** Where it is reached; null while it is shut. */
  address: z.string().nullable(),
  /** Why it is shut though it is wanted, in one sentence. */
  problem: z.string().nullable(),
  /** When the key was made; null = there is none yet. The key itself is not kept. */
  keyMadeAtMs: z.number().nullable(),
});
export type LocalApi = z.infer<typeof localApi>;
