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

/** Two ends in one process. Delivery is asynchronous and in order, as on every other port. */
export function createMemoryPorts(): [Port, Port] {
  const first = new MemoryPort();
  const second = new MemoryPort();
  first.other = second;
  second.other = first;
  return [first, second];
}

class MemoryPort implements Port {
  other: MemoryPort | undefined;
  private listener: ((message: unknown) => void) | undefined;
  private closeListener: (() => void) | undefined;
  private waiting: unknown[] = [];
  private closed = false;

  send(message: unknown): void {
    const other = this.other;
    if (this.closed || !other) return;
    const copy = structuredClone(message);
    queueMicrotask(() => other.deliver(copy));
  }

  onMessage(listener: (message: unknown) => void): void {
    this.listener = listener;
    const waiting = this.waiting;
    this.waiting = [];
    for (const message of waiting) listener(message);
  }

  onClose(listener: () => void): void {
    this.closeListener = listener;
    if (this.closed) listener();
  }

  close(): void {
    if (this.closed) return;
    this.end();
    const other = this.other;
    queueMicrotask(() => other?.end());
  }

  private deliver(message: unknown): void {
    if (this.closed) return;
    if (this.listener) this.listener(message);
    else this.waiting.push(message);
  }

  private end(): void {
    if (this.closed) return;
    this.closed = true;
    this.closeListener?.();
  }
}
