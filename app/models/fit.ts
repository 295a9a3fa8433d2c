/** Whether a model of the catalogue runs on this machine, as `engines/catalogue/fit.ts` reckons it. */
import { totalmem } from 'node:os';
import { type FitMachine, fitModel } from '../../engines/catalogue.ts';
import type { ModelFit } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { Offer } from './offer.ts';

/** A list does not wait longer for the engine's process, which tells of the device. */
const describeMs = 3_000;

export type MachineFacts = {
  /** Null where the engine does not tell. The answer is kept: a machine does not change while Quoth runs. */
  get(): Promise<FitMachine | null>;
};

export function createMachineFacts(outside: Pick<Outside, 'native' | 'log'>): MachineFacts {
  let asked: Promise<FitMachine | null> | undefined;
  const ask = async (): Promise<FitMachine> => {
    const { device, totalBytes } = await outside.native.describe();
    // What a loaded model takes is free for another in its place: so the total counts, not what is free now.
    const gpu = device === 'cuda' && totalBytes ? { totalBytes } : null;
    return { gpu, memory: { totalBytes: memoryBytes() } };
  };
  return {
    get() {
      asked ??= ask().catch((error: unknown) => {
        outside.log('warn', 'the engine could not tell what the machine has', { error: String(error) });
        asked = undefined;
        return null;
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<null>((resolve) => {
        timer = setTimeout(() => resolve(null), describeMs);
      });
      return Promise.race([asked, late]).finally(() => clearTimeout(timer));
    },
  };
}

/** Of this process's container, where it is in one with a limit. */
function memoryBytes(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** The most that any device has for one model. */
export function mostMemoryBytes(machine: FitMachine | null): number | null {
  return machine && Math.max(machine.gpu?.totalBytes ?? 0, machine.memory.totalBytes);
}

/** Null for a model whose shape is not known: one of the person's own. */
export function fitOf(offer: Offer, machine: FitMachine | null, beside: Offer | null): ModelFit | null {
  const { fit, role } = offer;
  if (!machine || !fit) return null;
  const others = role === 'chat' && beside?.fit ? [beside.fit] : [];
  const { verdict, device, contextTokens, neededBytes, freeBytes, tokensPerSecond } = fitModel(fit, machine, {
    beside: others,
  });
  return { verdict, device, contextTokens, neededBytes, freeBytes, tokensPerSecond };
}
