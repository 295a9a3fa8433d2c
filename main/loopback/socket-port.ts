/** A port over a WebSocket: one JSON text per message. */
import type { WebSocket } from 'ws';
import type { Port } from '../../app/contract/port.ts';

/** Policy violation and malformed data, from RFC 6455 section 7.4.1. */
const malformed = 1007;

export function socketPort(socket: WebSocket): Port {
  let listener: ((message: unknown) => void) | undefined;
  let closeListener: (() => void) | undefined;
  let waiting: unknown[] = [];
  let closed = false;
  const end = (): void => {
    if (closed) return;
    closed = true;
    closeListener?.();
  };
  socket.on('message', (bytes, isBinary) => {
    if (closed) return;
    let message: unknown;
    try {
      if (isBinary) throw new TypeError('binary');
      message = JSON.parse(bytes.toString());
    } catch {
      socket.close(malformed);
      return;
    }
    if (listener) listener(message);
    else waiting.push(message);
  });
  socket.on('close', end);
  // A socket that fails closes after it; without a listener the error would end the process.
  socket.on('error', () => socket.terminate());
  return {
    send(message) {
      if (!closed && socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
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
      socket.close();
      end();
    },
  };
}
