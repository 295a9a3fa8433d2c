/** The entry of the core's process in Electron: the application, served on every port that the window process hands over. */
import { compose } from '../compose.ts';
import { messagePort } from './ipc-port.ts';
import { type CoreMessage, windowMessage } from './messages.ts';
import { createWindowStarter } from './start-process.ts';

const [profileFolder] = process.argv.slice(-1);
const say = (message: CoreMessage): void => process.parentPort.postMessage(message);

async function main(): Promise<void> {
  if (!profileFolder) throw new Error('The core needs a profile folder.');
  const starter = createWindowStarter(say);
  const opening = compose({ profileFolder, startProcess: starter.startProcess });
  process.parentPort.on('message', ({ data, ports: [channel] }) => {
    const message = windowMessage.parse(data);
    // While the profile opens: documents that an earlier start left unfinished are read already.
    starter.receive(message, channel);
    void opening.then((core) => {
      if (message.type === 'connect' && channel) core.connect(messagePort(channel));
      if (message.type === 'issue')
        say({ type: 'issued', id: message.id, tickets: message.paths.map(core.tickets.issue) });
      if (message.type === 'locate')
        void core.app.library.pathOf(message.documentId).then((path) => say({ type: 'located', id: message.id, path }));
      if (message.type === 'close') void core.close().finally(() => say({ type: 'closed' }));
    });
  });
  await opening;
  say({ type: 'ready' });
}

main().catch((error: unknown) => {
  say({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  // The message is on its way; an end at once could overtake it.
  setTimeout(() => process.exit(1), 200);
});
