/** The system's keychain as the core has it: each question goes to the window process, and its answer comes back. */
import type { Keychain } from '../secrets.ts';
import type { CoreMessage, WindowMessage } from './messages.ts';

export type WindowKeychain = {
  keychain: Keychain;
  /** To be told of the window's message `kept`. */
  receive(message: WindowMessage): void;
};

/** A keychain that waits for the person (a password prompt) is not waited for longer. */
const deadlineMs = 60_000;

export function createWindowKeychain(say: (message: CoreMessage) => void): WindowKeychain {
  const waiting = new Map<number, (text: string | null) => void>();
  let nextId = 0;
  const ask = (what: Extract<CoreMessage, { type: 'keychain' }>['ask'], text: string): Promise<string | null> =>
    new Promise((resolve) => {
      const id = nextId++;
      const timer = setTimeout(() => answer(null), deadlineMs);
      const answer = (given: string | null): void => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(given);
      };
      waiting.set(id, answer);
      say({ type: 'keychain', id, ask: what, text });
    });
  return {
    keychain: {
      isThere: async () => (await ask('is-there', '')) !== null,
      encrypt: (text) => ask('encrypt', text),
      decrypt: (encrypted) => ask('decrypt', encrypted),
    },
    receive(message) {
      if (message.type === 'kept') waiting.get(message.id)?.(message.text);
    },
  };
}
