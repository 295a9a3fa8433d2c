import { createStore } from 'zustand/vanilla';
import { type ErrorMessage, toErrorMessage } from '../../app/contract/errors.ts';

export type Notice = {
  id: number;
  tone: 'calm' | 'error';
  text: string;
  action: { label: string; run: () => void } | null;
};

export type Notices = {
  notices: Notice[];
  tell(text: string, action?: Notice['action']): void;
  /** Shows what went wrong in the contract's own sentence. What the person stopped is not an error. */
  tellError(thrown: unknown): void;
  dismiss(id: number): void;
};

const maxNotices = 4;

/** Short messages at the edge of the window. */
export function createNotices() {
  let nextId = 1;
  return createStore<Notices>((set) => {
    const add = (notice: Omit<Notice, 'id'>): void =>
      set(({ notices }) => ({ notices: [...notices, { ...notice, id: nextId++ }].slice(-maxNotices) }));
    return {
      notices: [],
      tell: (text, action = null) => add({ tone: 'calm', text, action }),
      tellError: (thrown) => {
        const error: ErrorMessage = toErrorMessage(thrown);
        if (error.code === 'cancelled' || error.code === 'closed') return; // A banner speaks of a lost connection.
        add({ tone: 'error', text: error.message, action: null });
      },
      dismiss: (id) => set(({ notices }) => ({ notices: notices.filter((notice) => notice.id !== id) })),
    };
  });
}
