/** A port over a WebSocket: one JSON text per message. */
import type { WebSocket } from 'ws';
import { createPort, type Port } from '../../app/contract/port.ts';

/** Policy violation and malformed data, from RFC 6455 section 7.4.1. */
const malformed = 1007;

export function socketPort(socket: WebSocket): Port {
  const { port, deliver, end } = createPort({
    send: (message) => {
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
    },
    close: () => socket.close(),
  });
  socket.on('message', (bytes, isBinary) => {
    let message: unknown;
    try {
      if (isBinary) throw new TypeError('binary');
      message = JSON.parse(bytes.toString());
    } catch {
      socket.close(malformed);
      return;
    }
    deliver(message);
  });
  socket.on('close', end);
  // A socket that fails closes after it; without a listener the error would end the process.
  socket.on('error', () => socket.terminate());
  return port;
}
