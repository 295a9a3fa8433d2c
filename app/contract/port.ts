/**
 * A port is one end of a connection: a pair of processes, a window and its core, or two halves of a test.
 *
 * What is sent must survive JSON; ports whose transport is structured clone may carry typed arrays as well (the engine's
 * and the readers' do, the renderer's must not rely on it).
 */
export interface Port {
  /** Sends one message. After `close` it does nothing. */
  send(message: unknown): void;
  /** Sets the one listener for messages. Messages that arrive before it is set are kept. */
  onMessage(listener: (message: unknown) => void): void;
  /** Sets the one listener for the end of the connection, called once, also when it has ended already. */
  onClose(listener: () => void): void;
  close(): void;
}

/** What a port stands on: a channel that sends, that closes, and that may hold messages back until it is started. */
export type Transport = { send(message: unknown): void; close(): void; start?(): void };

/** A port over a transport. Who made it calls `deliver` for each message that arrives, and `end` when the other side is gone. */
export function createPort(transport: Transport): { port: Port; deliver(message: unknown): void; end(): void } {
  let listener: ((message: unknown) => void) | undefined;
  let closeListener: (() => void) | undefined;
  let waiting: unknown[] = [];
  let closed = false;
  const end = (): void => {
    if (closed) return;
    closed = true;
    closeListener?.();
  };
  const port: Port = {
    send(message) {
      if (!closed) transport.send(message);
    },
    onMessage(newListener) {
      listener = newListener;
      const kept = waiting;
      waiting = [];
      for (const message of kept) newListener(message);
      transport.start?.();
    },
    onClose(newListener) {
      closeListener = newListener;
      if (closed) newListener();
    },
    close() {
      transport.close();
      end();
    },
  };
  const deliver = (message: unknown): void => {
    if (closed) return;
    if (listener) listener(message);
    else waiting.push(message);
  };
  return { port, deliver, end };
}

/** Two ends in one process. Delivery is asynchronous and in order, as on every other port. */
export function createMemoryPorts(): [Port, Port] {
  const first = createPort({
    send: (message) => hand(second, message),
    close: () => queueMicrotask(() => second.end()),
  });
  const second: typeof first = createPort({
    send: (message) => hand(first, message),
    close: () => queueMicrotask(() => first.end()),
  });
  function hand(other: typeof first, message: unknown): void {
    const copy = structuredClone(message);
    queueMicrotask(() => other.deliver(copy));
  }
  return [first.port, second.port];
}
