import { buildAddon } from '../../main/setup/addon.mjs';
import type { Engine, GenerateEvent, GenerateRequest, Native } from '../../native/index.ts';
import { greedy } from '../../native/index.ts';
import { loadNative } from '../../native/load.ts';
import { randomNumbers } from './plan-writer.ts';

let loaded: Promise<Native> | undefined;

/** The addon, built from the sources as they are (or the one that QUOTH_ADDON names). */
export function openNative(): Promise<Native> {
  loaded ??= (async () => loadNative(process.env.QUOTH_ADDON ?? (await buildAddon())))();
  return loaded;
}

export type Generated = {
  ids: number[];
  started: Extract<GenerateEvent, { type: 'started' }>;
  finished: Extract<GenerateEvent, { type: 'finished' }>;
};

/** A request with what the test does not care about filled in. */
export function ask(ids: number[], maxTokens: number, rest: Partial<GenerateRequest> = {}): GenerateRequest {
  return { ids: Int32Array.from(ids), maxTokens, stopIds: [], sampling: greedy, priority: 0, ...rest };
}

/** Runs a generation to its end and checks the order of its events. */
export async function generateAll(engine: Engine, request: GenerateRequest): Promise<Generated> {
  const events: GenerateEvent[] = [];
  for await (const event of engine.generate(request)) events.push(event);
  const [started, finished] = [events.at(0), events.at(-1)];
  if (started?.type !== 'started' || finished?.type !== 'finished') throw new Error('the events are out of order');
  const ids: number[] = [];
  for (const event of events.slice(1, -1)) {
    if (event.type !== 'tokens' || event.ids.length === 0) throw new Error('the events are out of order');
    ids.push(...event.ids);
  }
  return { ids, started, finished };
}

/** The code of what a promise fails with; 'answered' when it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'answered';
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
}

export function randomIds(count: number, vocabularySize: number, seed: number): number[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => Math.floor(((random() + 1) / 2) * vocabularySize));
}

/** Statistics, asked for again until they are as wanted: the engine's thread changes them when it comes to it. */
export async function statsWhen(engine: Engine, wanted: (stats: Awaited<ReturnType<Engine['stats']>>) => boolean) {
  for (;;) {
    const stats = await engine.stats();
    if (wanted(stats)) return stats;
    await new Promise((next) => setImmediate(next));
  }
}
