/** The models that there are, and the engines of those that are loaded. */
import { z } from 'zod';
import { modelId } from './ids.ts';

const role = z.enum(['chat', 'embedder', 'reranker', 'speech', 'scan']);

/** Whether a model runs on this machine, and how: reckoned before a byte of it is fetched. */
export const modelFit = z.object({
  /** `slow`: on the processor, slower than people read. `too-large`: neither GPU nor memory has the room. */
  verdict: z.enum(['fits', 'slow', 'too-large']),
  device: z.enum(['cuda', 'cpu']),
  /** How long a conversation there is room for; 0 where it has none. */
  contextTokens: z.number().int().nonnegative(),
  /** Of the device. */
  neededBytes: z.number().nonnegative(),
  freeBytes: z.number().nonnegative(),
  /** About, on a processor; null where it need not be told. */
  tokensPerSecond: z.number().nonnegative().nullable(),
});
export type ModelFit = z.infer<typeof modelFit>;

export const modelSummary = z.object({
  id: modelId,
  name: z.string(),
  /**
   * What it does: writes answers, turns text into vectors, says how well a passage answers a question, writes down what is
   * said in recordings, or reads scanned pages of one language.
   */
  role,
  licence: z.string(),
  /** The licence's own page; null where none is known. */
  licenceUrl: z.string().nullable(),
  /** What has to be fetched, and what it takes on disk once built. */
  downloadBytes: z.number().int().nonnegative(),
  planBytes: z.number().int().nonnegative(),
  /** BCP 47; those that its makers name. Absent where that is not known. */
  languages: z.array(z.string()).optional(),
  state: z.enum(['available', 'downloading', 'building', 'installed', 'broken']),
  /** Null where it cannot be told. */
  fit: modelFit.nullable(),
  /** Of the languages of scanned pages all that are in use are used at once; of every other role, one is. */
  inUse: z.boolean(),
  /** Made from files of the person's own: it cannot be fetched again. */
  own: z.boolean(),
  /** Path of the plan file: for the command line only; always null towards the renderer. */
  plan: z.string().nullable(),
  /** In English; the window has those of the catalogue in its own languages. */
  note: z.string(),
});
export type ModelSummary = z.infer<typeof modelSummary>;

const progress = {
  doneBytes: z.number().nonnegative(),
  totalBytes: z.number().nonnegative(),
  bytesPerSecond: z.number().nonnegative(),
  secondsLeft: z.number().nonnegative().nullable(),
};

/** A model on its way: fetched and built, or built from files of the person's own. What is done is not in the list. */
export const install = z.object({
  modelId,
  name: z.string(),
  role,
  from: z.enum(['catalogue', 'own-files']),
  /** One runs at a time. What failed says why, and goes on when it is asked to. */
  state: z.enum(['waiting', 'running', 'paused', 'failed']),
  step: z.enum(['start', 'download', 'copy', 'verify', 'build']),
  ...progress,
  reason: z.string().nullable(),
});
export type Install = z.infer<typeof install>;

/** Where the models lie. `name`: the end of the folder's path, for people. */
export const modelsFolder = z.object({
  name: z.string(),
  state: z.enum(['here', 'unreachable', 'moving']),
  /** What the models take there, and what is free; null where it cannot be told. */
  modelsBytes: z.number().nonnegative(),
  freeBytes: z.number().nonnegative().nullable(),
  /** How far a move is; null when there is none. */
  move: z.object({ to: z.string(), step: z.enum(['copy', 'verify', 'tidy']), ...progress }).nullable(),
  /** Why the last move was undone; null when none was. */
  reason: z.string().nullable(),
});
export type ModelsFolder = z.infer<typeof modelsFolder>;

export const modelsWork = z.object({
  installs: z.array(install),
  /** As the last download went; null before the first. */
  downloadBytesPerSecond: z.number().nullable(),
  folder: modelsFolder,
});
export type ModelsWork = z.infer<typeof modelsWork>;

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
