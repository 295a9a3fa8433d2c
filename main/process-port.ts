/** Ports between a process and the child it forked. The transport is structured clone (`serialization: 'advanced'`). */
import type { ChildProcess } from 'node:child_process';
import type { Port } from '../app/contract/port.ts';

/** The part of `ChildProcess` and of `process` that a port needs; both have it. */
type Channel = {
  send?: ((message: unknown, callback: (error: Error | null) => void) => boolean) | undefined;
  connected?: boolean;
  disconnect?: (() => void) | undefined;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
};

function channelPort(channel: Channel): Port {
  let listener: ((message: unknown) => void) | undefined;
  let closeListener: (() => void) | undefined;
  let waiting: unknown[] = [];
  let closed = false;
  const end = (): void => {
    if (closed) return;
    closed = true;
    closeListener?.();
  };
  channel.on('message', (message) => {
    if (listener) listener(message);
    else waiting.push(message);
  });
  channel.on('disconnect', end);
  return {
    send(message) {
      // A child that died a moment ago refuses the message; its `disconnect` tells the rest.
      if (!closed && channel.connected) channel.send?.(message, () => undefined);
    },
    onMessage(newListener) {
      listener = newListener;
      const kept = waiting;
      waiting = [];
      for (const message of kept) newListener(message);
    },
    onClose(newListener) {
      closeListener = newListener;
      if (closed) newListener();
    },
    close() {
      if (channel.connected) channel.disconnect?.();
      end();
    },
  };
}

/** The parent's end. */
export function portToChild(child: ChildProcess): Port {
  return channelPort(child as unknown as Channel);
}

/** The child's end. */
export function portToParent(): Port {
  return channelPort(process as unknown as Channel);
}
