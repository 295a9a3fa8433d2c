/** A port over one end of Electron's message channel, for the core: the other end is in the window. */
import type { MessagePortMain } from 'electron';
import { createPort, type Port } from '../../app/contract/port.ts';

export function messagePort(channel: MessagePortMain): Port {
  const { port, deliver, end } = createPort({
    send: (message) => channel.postMessage(message),
    close: () => channel.close(),
    // Messages are queued until the channel is started.
    start: () => channel.start(),
  });
  channel.on('message', ({ data }) => deliver(data));
  channel.on('close', end);
  return port;
}
