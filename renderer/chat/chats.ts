import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { ChatId, ChatSummary } from '../../app/contract/types.ts';

export type Chats = {
  chats: ChatSummary[];
  load(): Promise<void>;
  rename(chatId: ChatId, title: string): Promise<void>;
  remove(chatId: ChatId): Promise<void>;
  restore(chatId: ChatId): Promise<void>;
};

/** The list of saved chats, newest first. Every function throws what the contract answered. */
export function createChats(client: Client<QuothContract>) {
  return createStore<Chats>((set, get) => ({
    chats: [],
    load: async () => {
      const { chats } = await client.listChats({});
      set({ chats: chats.toSorted((a, b) => b.updatedAtMs - a.updatedAtMs) });
    },
    rename: async (chatId, title) => {
      await client.renameChat({ chatId, title });
      await get().load();
    },
    remove: async (chatId) => {
      await client.deleteChat({ chatId });
      await get().load();
    },
    restore: async (chatId) => {
      await client.restoreChat({ chatId });
      await get().load();
    },
  }));
}
