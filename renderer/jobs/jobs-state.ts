import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { Job, TurnId } from '../../app/contract/types.ts';

export type Jobs = {
  /** Those that have not come to their end, the oldest first. */
  jobs: Job[];
  /** Follows the list until the signal aborts. Throws when the connection ends. */
  watch(signal: AbortSignal): Promise<void>;
  stop(turnId: TurnId): Promise<void>;
  resume(turnId: TurnId): Promise<void>;
};

/** The work on whole documents as the core tells it. `onEnd` is told of a job whose answer is there, whole or in part. */
export function createJobs(client: Client<QuothContract>, onEnd: (job: Job, isDone: boolean) => Promise<void>) {
  return createStore<Jobs>((set, get) => ({
    jobs: [],
    watch: async (signal) => {
      for await (const { jobs } of client.watchJobs({}, signal)) {
        for (const before of get().jobs) {
          const now = jobs.find(({ turnId }) => turnId === before.turnId);
          // The answer first: a turn without answer and without job would seem to have failed.
          if (!now || (now.state === 'stopped' && before.state !== 'stopped')) await onEnd(before, !now);
        }
        set({ jobs });
      }
    },
    stop: async (turnId) => {
      await client.stopJob({ turnId });
    },
    resume: async (turnId) => {
      await client.resumeJob({ turnId });
    },
  }));
}
