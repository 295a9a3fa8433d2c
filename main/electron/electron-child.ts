/** The entry of every utility process that works for the core: becomes the engine or a reader, on the port it is given. */
import { setFlagsFromString } from 'node:v8';
import type { MessagePortMain } from 'electron';
import { runEngine } from '../engine/run-engine.ts';
import { messagePort } from './ipc-port.ts';

const [entry, maxHeapBytes] = process.argv.slice(-2);

if (Number(maxHeapBytes) > 0) setFlagsFromString(`--max-old-space-size=${Math.ceil(Number(maxHeapBytes) / 2 ** 20)}`);

/** Electron gives no sign that a message has left. The parent kills a reader when it has its result, long before. */
const messageLeavesMs = 10_000;

async function runReader(channel: MessagePortMain): Promise<void> {
  // pdfjs takes a process whose `type` it does not know for a page, and looks for a DOM.
  Object.defineProperty(process, 'type', { value: 'browser' });
  const { serveReader } = await import('../../ingest/readers/reader-main.ts');
  const port = messagePort(channel);
  port.onClose(() => process.exit(0));
  serveReader({
    send: async (message) => port.send(message),
    onMessage: port.onMessage,
    end: () => setTimeout(() => process.exit(0), messageLeavesMs),
  });
}

process.parentPort.once('message', ({ ports: [channel] }) => {
  if (!channel) process.exit(1);
  else if (entry === 'engine-process') runEngine(messagePort(channel));
  else if (entry === 'reader-main') runReader(channel).catch(() => process.exit(1));
  else process.exit(1);
});
