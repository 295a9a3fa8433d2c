/** A port over one end of Electron's message channel, for the core: the other end is in the window. */
import type { MessagePortMain } from 'electron';
import type { Port } from '../../app/contract/port.ts';

export function messagePort(channel: MessagePortMain): Port {
  let listener: ((message: unknown) => void) | undefined;
  let closeListener: (() => void) | undefined;
  let closed = false;
  const end = (): void => {
    if (closed) return;
    closed = true;
    closeListener?.();
  };
  channel.on('message', ({ data }) => listener?.(data));
  channel.on('close', end);
  return {
    send(message) {
      if (!closed) channel.postMessage(message);
    },
    onMessage(newListener) {
      listener = newListener;
      // Messages are queued until the channel is started.
      channel.start();
    },
    onClose(newListener) {
      closeListener = newListener;
      if (closed) newListener();
    },
    close() {
      channel.close();
      end();
    },
  };
}
