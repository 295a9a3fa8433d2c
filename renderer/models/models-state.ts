import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { Install, ModelId, ModelSummary, ModelsFolder, Ticket } from '../../app/contract/types.ts';

export type Models = {
  /** False until the list has been read once. */
  loaded: boolean;
  models: ModelSummary[];
  /** The models on their way, whoever asked for them. */
  installs: Install[];
  /** As the last download went; null before the first. */
  downloadBytesPerSecond: number | null;
  folder: ModelsFolder | null;
  load(): Promise<void>;
  /** Follows the models on their way, until the signal aborts. */
  watch(signal: AbortSignal): Promise<void>;
  /** Begins, or goes on. */
  install(modelId: ModelId): Promise<void>;
  pause(modelId: ModelId): Promise<void>;
  cancel(modelId: ModelId): Promise<void>;
  importFiles(tickets: Ticket[]): Promise<void>;
  use(modelId: ModelId): Promise<void>;
  /** Sets a reranker aside. */
  unuse(modelId: ModelId): Promise<void>;
  /** How many bytes are free once nobody brings it back. */
  remove(modelId: ModelId): Promise<number>;
  restore(modelId: ModelId): Promise<void>;
  move(ticket: Ticket): Promise<void>;
  cancelMove(): Promise<void>;
};

export type ModelsListener = {
  onInstalled: (model: ModelSummary) => void;
  onFailed: (install: Install) => void;
  /** `reason`: why it had to be undone. */
  onMoved: (folder: ModelsFolder) => void;
};

/** The models that there are, those on their way, and the folder where they lie. */
export function createModels(client: Client<QuothContract>, listener: ModelsListener) {
  return createStore<Models>((set, get) => ({
    loaded: false,
    models: [],
    installs: [],
    downloadBytesPerSecond: null,
    folder: null,
    load: async () => {
      const { models } = await client.listModels({});
      set({ models, loaded: true });
    },
    watch: async (signal) => {
      for await (const work of client.watchInstalls({}, signal)) {
        const before = get();
        set(work);
        const isThere = (one: Install): boolean => work.installs.some(({ modelId }) => modelId === one.modelId);
        const gone = before.installs.filter((one) => !isThere(one));
        const hasMoved = before.folder?.move != null && work.folder.move === null;
        if (gone.length > 0 || hasMoved) await get().load();
        for (const { modelId } of gone) {
          const model = get().models.find(({ id }) => id === modelId);
          if (model?.state === 'installed') listener.onInstalled(model);
        }
        for (const install of work.installs) {
          const last = before.installs.find(({ modelId }) => modelId === install.modelId);
          if (install.state === 'failed' && last && last.state !== 'failed') listener.onFailed(install);
        }
        if (hasMoved) listener.onMoved(work.folder);
      }
    },
    install: async (modelId) => {
      await client.installModel({ modelId });
      await get().load();
    },
    pause: async (modelId) => void (await client.pauseInstall({ modelId })),
    cancel: async (modelId) => void (await client.cancelInstall({ modelId })),
    importFiles: async (tickets) => void (await client.importModel({ tickets })),
    use: async (modelId) => {
      await client.useModel({ modelId });
      await get().load();
    },
    unuse: async (modelId) => {
      await client.useModel({ modelId, inUse: false });
      await get().load();
    },
    remove: async (modelId) => {
      const { freedBytes } = await client.removeModel({ modelId });
      await get().load();
      return freedBytes;
    },
    restore: async (modelId) => {
      await client.restoreModel({ modelId });
      await get().load();
    },
    move: async (ticket) => void (await client.moveModels({ ticket })),
    cancelMove: async () => void (await client.cancelMove({})),
  }));
}
