/** The entry of every utility process that works for the core: becomes the engine or a reader, on the port it is given. */
import { setFlagsFromString } from 'node:v8';
import type { MessagePortMain } from 'electron';
import { runEngine } from '../engine/run-engine.ts';
import { heapShare } from '../processes.ts';
import { messagePort } from './ipc-port.ts';

const [entry, memoryBytes] = process.argv.slice(-2);

const mostBytes = Number(memoryBytes) || Number.POSITIVE_INFINITY;
if (Number.isFinite(mostBytes))
  setFlagsFromString(`--max-old-space-size=${Math.ceil((heapShare * mostBytes) / 2 ** 20)}`);

async function runReader(channel: MessagePortMain): Promise<void> {
  // pdfjs takes a process whose `type` it does not know for a page, and looks for a DOM.
  Object.defineProperty(process, 'type', { value: 'browser' });
  const { forbidNetwork, serveReader, watchMemory } = await import('../../ingest/readers/serve-reader.ts');
  forbidNetwork();
  watchMemory(mostBytes);
  const port = messagePort(channel);
  port.onClose(() => process.exit(0));
  // It does not end by itself: the parent kills a reader when it has the result.
  serveReader({ send: async (message) => port.send(message), onMessage: port.onMessage });
}

process.parentPort.once('message', ({ ports: [channel] }) => {
  if (!channel) process.exit(1);
  else if (entry === 'engine-process') runEngine(messagePort(channel));
  else if (entry === 'reader-main') runReader(channel).catch(() => process.exit(1));
  else process.exit(1);
});
