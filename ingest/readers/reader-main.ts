/**
 * What runs in the disposable child: one request in, progress and one result out. The parent may be a Node process (`fork`)
 * or an Electron one (`utilityProcess.fork`). Importing this file starts it.
 *
 * It does not end by itself: a parent can hear of a process' end before it hears its last words, and would take a read file
 * for a crash. The parent ends it when it has the result, and a parent's end is noticed by its channel.
 */
import { forbidNetwork, type ReaderPort, serveReader, watchMemory } from './serve-reader.ts';

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
    };
  const send = process.send?.bind(process);
  if (!send) return null;
  return {
    send: (message) => new Promise((resolve) => send(message, undefined, undefined, () => resolve())),
    onMessage: (listener) => process.on('message', listener),
  };
}

const port = portOfThisProcess();
if (port) {
  forbidNetwork();
  watchMemory(Number(process.env.QUOTH_READER_MEMORY_BYTES) || Number.POSITIVE_INFINITY);
  process.on('disconnect', () => process.exit(0)); // the core is gone: nobody wants the result
  serveReader(port);
}
