/** Work that can wait (the scrubbing of removed words), done in small slices while the person waits for nothing. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../outside.ts';

export type Tidy = {
  /** There may be something to do; starts in the background. */
  wake(): void;
  /** Resolves when nothing is left, or nothing more can be done now. */
  idle(): Promise<void>;
};

/** Nobody notices a stop of so long; the pause leaves the thread to others most of the time. */
const sliceMs = 20;
const pauseMs = 100;

/** `work` runs for about so many milliseconds and says whether all is done; it waits while `isBusy`. */
export function createTidy(parts: {
  work: (budgetMs: number) => boolean;
  /** What follows when all is done; it looks by itself whether there is anything to do. */
  afterwards?: () => Promise<void>;
  isBusy: () => boolean;
  signal: AbortSignal;
  log: Log;
}): Tidy {
  const { work, afterwards, isBusy, signal, log } = parts;
  let running: Promise<void> | undefined;
  /** Woken while it was running: what it thought done may not be. */
  let again = false;

  async function run(): Promise<void> {
    try {
      do {
        again = false;
        // Unreferenced: a command that has done its work ends without waiting; the note in the database stays.
        do await pause(pauseMs, undefined, { signal, ref: false });
        while (isBusy() || !work(sliceMs));
        await afterwards?.();
      } while (again);
    } catch (error) {
      if (!signal.aborted)
        log('warn', 'words of removed documents stay in the index for now', { error: String(error) });
    } finally {
      running = undefined;
    }
  }

  return {
    wake() {
      again = true;
      running ??= run();
    },
    async idle() {
      // Referenced, unlike the pauses: whoever waits wants the end.
      const alive = setInterval(() => {}, pauseMs);
      await running;
      clearInterval(alive);
    },
  };
}
