/** The models that there are, and the engines of those that are loaded. */
import { z } from 'zod';
import { modelId } from './ids.ts';

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
  /** How far the engine has found out which of its kernels' shapes are the fastest on this GPU; absent where it does not say. */
  tuning: z
    .object({
      state: z.enum(['nothing', 'off', 'tuning', 'tuned', 'stopped']),
      numTasks: z.number().int(),
      numMeasured: z.number().int(),
      numChanged: z.number().int(),
      numKnown: z.number().int(),
      gain: z.number(),
    })
    .optional(),
});
export type EngineReport = z.infer<typeof engineReport>;
