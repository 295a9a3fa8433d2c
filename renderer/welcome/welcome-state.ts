import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { MachineReport } from '../../app/contract/types.ts';

export type Welcome = {
  /** Whether it stands in the place of the empty chat. */
  open: boolean;
  isAdding: boolean;
  machine: MachineReport | null;
  /** Opens it on the first start of a profile, and on no other. */
  load(): Promise<void>;
  /** Asked for by the person. */
  show(): void;
  close(): void;
  addSamples(): Promise<void>;
  removeSamples(): Promise<void>;
};

/** The first steps. */
export function createWelcome(client: Client<QuothContract>) {
  return createStore<Welcome>((set, get) => ({
    open: false,
    isAdding: false,
    machine: null,
    load: async () => {
      const { seen } = await client.readWelcome({});
      if (seen) return;
      set({ open: true });
      // Seen is seen, however this session ends.
      await client.endWelcome({});
      set({ machine: await client.describeMachine({}) });
    },
    show: () => {
      set({ open: true });
      void client
        .describeMachine({})
        .then((machine) => set({ machine }))
        .catch(() => undefined); // without it the first steps say less, that is all
    },
    close: () => set({ open: false }),
    addSamples: async () => {
      if (get().isAdding) return;
      set({ isAdding: true });
      try {
        for await (const _event of client.addSamples({}));
      } finally {
        set({ isAdding: false });
      }
    },
    removeSamples: async () => void (await client.removeSamples({})),
  }));
}
