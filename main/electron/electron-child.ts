/**
 * The entry of every utility process that works for the core: takes its port, makes it the channel that a forked child of
 * Node has (`process.send`, `message`, `disconnect`), and runs the entry that its first argument names. So the engine's
 * and the readers' entries are the same files in every shell.
 */
import { setFlagsFromString } from 'node:v8';
import type { MessagePortMain } from 'electron';

const [entry, maxHeapBytes] = process.argv.slice(-2);
const entries: Record<string, () => Promise<unknown>> = {
  'engine-process': () => import('../engine/engine-process.ts'),
  'reader-main': () => import('../../ingest/readers/reader-main.ts'),
};

if (Number(maxHeapBytes) > 0) setFlagsFromString(`--max-old-space-size=${Math.ceil(Number(maxHeapBytes) / 2 ** 20)}`);

/**
 * Electron gives no sign that a message has left. Whoever ends the process in its callback must wait this long; the parent
 * kills a reader that has given its result long before.
 */
const messageLeavesMs = 10_000;

function becomeChannel(channel: MessagePortMain): void {
  // As `process.send`: the callback is the last of up to four arguments.
  const send = (message: unknown, ...rest: unknown[]): boolean => {
    channel.postMessage(message);
    const callback = rest.findLast((one) => typeof one === 'function') as ((error: Error | null) => void) | undefined;
    if (callback) setTimeout(callback, messageLeavesMs, null).unref();
    return true;
  };
  const disconnect = (): void => {
    if (!process.connected) return;
    process.connected = false;
    channel.close();
    process.emit('disconnect');
  };
  Object.assign(process, { send, connected: true, disconnect });
  channel.on('message', ({ data }) => process.emit('message', data, undefined));
  channel.on('close', disconnect);
}

const { parentPort } = process;
parentPort.once('message', ({ ports: [channel] }) => {
  if (!channel) return process.exit(1);
  // An entry that knows of Electron would speak over this one; there is one channel, as in a fork.
  Reflect.deleteProperty(process, 'parentPort');
  becomeChannel(channel);
  const run = entry ? entries[entry] : undefined;
  if (!run) return process.exit(1);
  // Messages wait in the channel until the entry listens.
  run().then(
    () => channel.start(),
    () => process.exit(1),
  );
});
