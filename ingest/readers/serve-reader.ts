/** What a reader process does, apart from being one: walls around it, a watch on its memory, one request served. */
import dns from 'node:dns';
import { Socket } from 'node:net';
import type { ReaderMessage, ReaderRequest } from '../reader-process.ts';
import { readDocument } from './read-document.ts';

/** The way to the parent, whichever kind it is. `send` resolves when the message is on its way. */
export type ReaderPort = {
  send(message: ReaderMessage): Promise<void>;
  onMessage(listener: (message: unknown) => void): void;
};

/** The parent reports it as `crashed`: nothing is known of the file. */
const exitCodeOfFault = 70;
/** As of a process that the system killed for its memory: the parent reports `too-hungry`. */
const exitCodeOfHunger = 137;

/** A parser has no business on the network. This stops honest code gone astray, not an attacker with native code. */
export function forbidNetwork(): void {
  const refuse = (): never => {
    throw new Error('A reader may not use the network.');
  };
  globalThis.fetch = refuse;
  Socket.prototype.connect = refuse;
  dns.lookup = refuse as unknown as typeof dns.lookup;
  Reflect.deleteProperty(globalThis, 'WebSocket');
  Reflect.deleteProperty(globalThis, 'EventSource');
}

/**
 * Ends this process when its memory passes the cap. The parent watches too where the system lets it; on Windows and macOS
 * this is the only watch on memory outside of V8's heap. A parser that never lets timers run is left to its deadline.
 */
export function watchMemory(mostBytes: number): void {
  const look = () => {
    if (process.memoryUsage.rss() > mostBytes) process.exit(exitCodeOfHunger);
  };
  setInterval(look, 50).unref();
}

/** Serves the first request that comes over the port and no other. */
export function serveReader(port: ReaderPort): void {
  let isBusy = false;
  port.onMessage((message) => {
    if (isBusy || !isReaderRequest(message)) return;
    isBusy = true;
    let lastProgress = 0;
    const onProgress = (done: number, isScanning = false, isListening = false) => {
      // A percent is finer than any bar; thousands of messages would only slow the parent.
      if (done - lastProgress < 0.01 && !isScanning && !isListening) return;
      lastProgress = done;
      void port.send({ type: 'progress', done, isScanning, isListening });
    };
    readDocument(message, onProgress)
      .then((result) => port.send({ type: 'result', result }))
      .catch(() => process.exit(exitCodeOfFault));
  });
}

function isReaderRequest(message: unknown): message is ReaderRequest {
  return (
    typeof message === 'object' && message !== null && 'type' in message && message.type === 'read' && 'path' in message
  );
}
