/** Connections that the window process makes itself, for updates: each asks the core first and stands in its ledger. */
import type { Network } from '../../app/network/network.ts';
import type { CoreMessage, WindowMessage } from './messages.ts';

/** Takes what concerns connections out of the window's messages; `around` is the network's, for updates. */
export function createGoingOut(say: (message: CoreMessage) => void) {
  const underWay = new Map<number, (isDone: boolean) => void>();
  return {
    receive(message: WindowMessage, around: Network['around']): void {
      if (message.type === 'went-out') {
        underWay.get(message.id)?.(message.isDone);
        underWay.delete(message.id);
      }
      if (message.type !== 'go-out') return;
      const { id, host } = message;
      let mayGo = false;
      around('update', host, () => {
        mayGo = true;
        say({ type: 'goes-out', id, mayGo });
        return new Promise<void>((resolve, reject) => {
          underWay.set(id, (isDone) => (isDone ? resolve() : reject(new Error('The connection failed.'))));
        });
      }).catch(() => {
        if (!mayGo) say({ type: 'goes-out', id, mayGo }); // else it was told how it ended, and the ledger has it
      });
    },
  };
}
