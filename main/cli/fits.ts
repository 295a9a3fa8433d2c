/** Whether the models that are offered fit this machine. */
import os from 'node:os';
import { catalogue, defaultEmbedder, type Fit, type FitMachine, findModel, fitModel } from '../../engines/catalogue.ts';
import type { Native } from '../../native/index.ts';

/** What there is for models now; null where the engine cannot be asked. */
export async function fitMachine(native: Pick<Native, 'describe'>): Promise<FitMachine | null> {
  const described = await native.describe().catch(() => null);
  if (described === null) return null;
  const { device, totalBytes, freeBytes } = described;
  const gpu =
    device === 'cuda' && totalBytes !== undefined && freeBytes !== undefined ? { totalBytes, freeBytes } : null;
  return { gpu, memory: { totalBytes: os.totalmem(), freeBytes: process.availableMemory() } };
}

/** Of a model of the catalogue, with the usual embedder beside a chat model; null for another. */
export function fitOf(id: string, machine: FitMachine): Fit | null {
  const entry = findModel(id);
  const embedder = catalogue.find((one) => one.id === defaultEmbedder);
  if (entry === null) return null;
  return fitModel(entry, machine, { beside: entry.role === 'chat' && embedder !== undefined ? [embedder] : [] });
}

export const fitWords = { fits: 'fits', slow: 'slow', 'too-large': 'does not fit' } as const;
