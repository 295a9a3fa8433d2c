import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { FolderId, WatchedFolder } from '../../app/contract/types.ts';

export type WatchedFolders = {
  folders: WatchedFolder[];
  /** Follows the list until the signal aborts. Throws when the connection ends. */
  watch(signal: AbortSignal): Promise<void>;
  pause(folderId: FolderId): Promise<void>;
  resume(folderId: FolderId): Promise<void>;
  remove(folderId: FolderId, keepDocuments: boolean): Promise<void>;
};

/** The watched folders as the core tells them. */
export function createWatchedFolders(client: Client<QuothContract>) {
  return createStore<WatchedFolders>((set) => ({
    folders: [],
    watch: async (signal) => {
      for await (const { folders } of client.watchFolders({}, signal)) set({ folders });
    },
    pause: async (folderId) => {
      await client.pauseFolder({ folderId });
    },
    resume: async (folderId) => {
      await client.resumeFolder({ folderId });
    },
    remove: async (folderId, keepDocuments) => {
      await client.removeFolder({ folderId, keepDocuments });
    },
  }));
}
