import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { KeyProtection, ModelId, RemoteModel } from '../../app/contract/types.ts';

type RemoteAddition = Parameters<Client<QuothContract>['addRemoteModel']>[0];

export type Remotes = {
  models: RemoteModel[];
  keyProtection: KeyProtection;
  load(): Promise<void>;
  /** Keeps it and puts it to use. */
  add(model: RemoteAddition): Promise<void>;
  use(modelId: ModelId): Promise<void>;
  remove(modelId: ModelId): Promise<void>;
};

/** The models on other computers. `onChange`: which model is in use may have changed. */
export function createRemotes(client: Client<QuothContract>, onChange: () => void) {
  return createStore<Remotes>((set, get) => {
    const changed = async (): Promise<void> => {
      onChange();
      await get().load();
    };
    return {
      models: [],
      keyProtection: 'file',
      load: async () => set(await client.listRemoteModels({})),
      add: async (model) => {
        await client.addRemoteModel(model);
        await changed();
      },
      use: async (modelId) => {
        await client.useModel({ modelId });
        await changed();
      },
      remove: async (modelId) => {
        await client.removeRemoteModel({ modelId });
        await changed();
      },
    };
  });
}
