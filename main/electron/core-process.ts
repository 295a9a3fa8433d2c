/** The entry of the core's process in Electron: the application, served on every port that the window process hands over. */
import { z } from 'zod';
import { compose } from '../compose.ts';
import { messagePort } from './ipc-port.ts';

/** What the window process says. A port comes beside `connect`. */
const windowMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connect') }),
  z.object({ type: z.literal('issue'), id: z.number(), paths: z.array(z.string()) }),
  z.object({ type: z.literal('close') }),
]);
export type WindowMessage = z.infer<typeof windowMessage>;

/** What the core says to the window process. `failed` comes before it ends: the reason for the person. */
export type CoreMessage =
  | { type: 'ready' }
  | { type: 'failed'; message: string }
  | { type: 'issued'; id: number; tickets: string[] }
  | { type: 'closed' };

const [profileFolder] = process.argv.slice(-1);
const say = (message: CoreMessage): void => process.parentPort.postMessage(message);

async function main(): Promise<void> {
  if (!profileFolder) throw new Error('The core needs a profile folder.');
  const core = await compose({ profileFolder });
  process.parentPort.on('message', ({ data, ports: [channel] }) => {
    const message = windowMessage.parse(data);
    if (message.type === 'connect' && channel) core.connect(messagePort(channel));
    if (message.type === 'issue')
      say({ type: 'issued', id: message.id, tickets: message.paths.map(core.tickets.issue) });
    if (message.type === 'close') void core.close().finally(() => say({ type: 'closed' }));
  });
  say({ type: 'ready' });
}

main().catch((error: unknown) => {
  say({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  // The message is on its way; an end at once could overtake it.
  setTimeout(() => process.exit(1), 200);
});
