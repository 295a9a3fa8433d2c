/**
 * What runs in the disposable child: one request in, progress and one result out, then the end. The parent may be a Node
 * process (`fork`) or an Electron one (`utilityProcess.fork`).
 */
import dns from 'node:dns';
import { Socket } from 'node:net';
import type { ReaderMessage, ReaderRequest } from '../reader-process.ts';
import { readDocument } from './read-document.ts';

/** The way to the parent, whichever kind it is. `send` resolves when the message is on its way. */
export type ReaderPort = {
  send(message: ReaderMessage): Promise<void>;
  onMessage(listener: (message: unknown) => void): void;
  end(): void;
};

/** The parent reports it as `crashed`: nothing is known of the file. */
const exitCodeOfFault = 70;

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

/** Serves the first request that comes over the port and ends. */
export function serveReader(port: ReaderPort): void {
  let isBusy = false;
  port.onMessage((message) => {
    if (isBusy || !isReaderRequest(message)) return;
    isBusy = true;
    let lastProgress = 0;
    const onProgress = (done: number) => {
      // A percent is finer than any bar; thousands of messages would only slow the parent.
      if (done - lastProgress < 0.01) return;
      lastProgress = done;
      void port.send({ type: 'progress', done });
    };
    readDocument(message, onProgress)
      .then((result) => port.send({ type: 'result', result }))
      .then(
        () => port.end(),
        () => process.exit(exitCodeOfFault),
      );
  });
}

function isReaderRequest(message: unknown): message is ReaderRequest {
  return (
    typeof message === 'object' && message !== null && 'type' in message && message.type === 'read' && 'path' in message
  );
}

type ParentPort = {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
};

/** The port of this process, if a parent started it as a reader. */
function portOfThisProcess(): ReaderPort | null {
  const { parentPort } = process as { parentPort?: ParentPort };
  if (parentPort)
    return {
      send: async (message) => parentPort.postMessage(message),
      onMessage: (listener) => parentPort.on('message', (event) => listener(event.data)),
      // Electron gives no sign that a message has left; the parent kills the reader when it has the result.
      end: () => setTimeout(() => process.exit(0), 10_000),
    };
  const send = process.send?.bind(process);
  if (!send) return null;
  return {
    send: (message) => new Promise((resolve) => send(message, undefined, undefined, () => resolve())),
    onMessage: (listener) => process.on('message', listener),
    end: () => process.exit(0),
  };
}

const port = portOfThisProcess();
if (port) {
  forbidNetwork();
  process.on('disconnect', () => process.exit(0)); // the core is gone: nobody wants the result
  serveReader(port);
}
