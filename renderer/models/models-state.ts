import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { InstallProgress, ModelId, ModelSummary } from '../../app/contract/types.ts';

export type Models = {
  /** False until the list has been read once. */
  loaded: boolean;
  models: ModelSummary[];
  /** Installs that this window runs, with their last progress (null = none yet). */
  installs: Partial<Record<ModelId, InstallProgress | null>>;
  load(): Promise<void>;
  /** Resolves when the model is installed; throws what the contract answered, `cancelled` after `cancel`. */
  install(modelId: ModelId): Promise<void>;
  cancel(modelId: ModelId): void;
  use(modelId: ModelId): Promise<void>;
  /** Sets a reranker aside. */
  unuse(modelId: ModelId): Promise<void>;
  remove(modelId: ModelId): Promise<void>;
};

/** The models of the catalogue and the installs that run. */
export function createModels(client: Client<QuothContract>) {
  const running = new Map<ModelId, AbortController>();
  return createStore<Models>((set, get) => {
    const progress = (modelId: ModelId, value: InstallProgress | null | undefined): void =>
      set(({ installs }) => ({ installs: { ...installs, [modelId]: value } }));
    return {
      loaded: false,
      models: [],
      installs: {},
      load: async () => {
        const { models } = await client.listModels({});
        set({ models, loaded: true });
      },
      install: async (modelId) => {
        if (running.has(modelId)) return;
        const controller = new AbortController();
        running.set(modelId, controller);
        progress(modelId, null);
        try {
          for await (const step of client.installModel({ modelId }, controller.signal)) progress(modelId, step);
        } finally {
          running.delete(modelId);
          progress(modelId, undefined);
          await get()
            .load()
            .catch(() => undefined); // The install's own outcome matters more than a list that did not come.
        }
      },
      cancel: (modelId) => running.get(modelId)?.abort(),
      use: async (modelId) => {
        await client.useModel({ modelId });
        await get().load();
      },
      unuse: async (modelId) => {
        await client.useModel({ modelId, inUse: false });
        await get().load();
      },
      remove: async (modelId) => {
        await client.removeModel({ modelId });
        await get().load();
      },
    };
  });
}
