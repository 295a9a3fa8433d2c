/** Ports between a process and the child it forked. The transport is structured clone (`serialization: 'advanced'`). */
import type { ChildProcess } from 'node:child_process';
import { createPort, type Port } from '../app/contract/port.ts';

/** The part of `ChildProcess` and of `process` that a port needs; both have it. */
type Channel = {
  send?: ((message: unknown, callback: (error: Error | null) => void) => boolean) | undefined;
  connected?: boolean;
  disconnect?: (() => void) | undefined;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
};

function channelPort(channel: Channel): Port {
  const { port, deliver, end } = createPort({
    // A child that died a moment ago refuses the message; its `disconnect` tells the rest.
    send: (message) => {
      if (channel.connected) channel.send?.(message, () => undefined);
    },
    close: () => {
      if (channel.connected) channel.disconnect?.();
    },
  });
  channel.on('message', deliver);
  channel.on('disconnect', end);
  return port;
}

/** The parent's end. */
export function portToChild(child: ChildProcess): Port {
  return channelPort(child as unknown as Channel);
}

/** The child's end. */
export function portToParent(): Port {
  return channelPort(process as unknown as Channel);
}
