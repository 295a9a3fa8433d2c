/** The ledger: what Quoth has said to other computers, and when. */
import { z } from 'zod';

/** Why a connection was made: what the person had asked for. */
export const connectionPurposes = ['model', 'video', 'remote-model', 'update', 'other'] as const;

/**
 * One request to one host; a redirection makes another. `open` until it ends; `stopped` by the person; `refused`: nothing was
 * sent, for Quoth is told to stay offline.
 */
export const connection = z.object({
  id: z.number().int().positive(),
  startedAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  /** With the port where it is not the usual one; "npm" where that program asked. */
  host: z.string(),
  purpose: z.enum(connectionPurposes),
  outcome: z.enum(['open', 'done', 'failed', 'stopped', 'refused']),
  /** Of HTTP; null before there was one. */
  status: z.number().int().nullable(),
  /** Heads and bodies, without what encryption adds; null where another program has made the connection. */
  sentBytes: z.number().int().nonnegative().nullable(),
  /** The same; bodies as they are read, unpacked. */
  receivedBytes: z.number().int().nonnegative().nullable(),
});
export type Connection = z.infer<typeof connection>;
export type ConnectionPurpose = Connection['purpose'];
