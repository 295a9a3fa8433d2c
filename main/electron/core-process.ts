/** The entry of the core's process in Electron: the application, served on every port that the window process hands over. */
import { createClient } from '../../app/contract/client.ts';
import { contract } from '../../app/contract/contract.ts';
import { createMemoryPorts } from '../../app/contract/port.ts';
import { createActivity } from '../activity.ts';
import { type Core, compose } from '../compose.ts';
import { takeFetch } from '../only-way-out.ts';
import { createGoingOut } from './going-out.ts';
import { messagePort } from './ipc-port.ts';
import { type CoreMessage, desktopSettings, windowMessage } from './messages.ts';
import { createWindowStarter } from './start-process.ts';
import { createWindowKeychain } from './window-keychain.ts';

const [profileFolder] = process.argv.slice(-1);
const say = (message: CoreMessage): void => process.parentPort.postMessage(message);

/** Tells the window process of all work, until the application closes; then anew, for it may have been opened anew. */
async function watchWork(core: Core, signal: AbortSignal): Promise<void> {
  const [ours, theirs] = createMemoryPorts();
  core.connect(theirs);
  const client = createClient(contract, ours);
  const activity = createActivity({
    nowMs: Date.now,
    onActivity: (now) => say({ type: 'activity', activity: now }),
    onEnded: (ended) => say({ type: 'ended', ended }),
  });
  const follow = async <Item>(items: AsyncIterable<Item>, take: (item: Item) => void): Promise<void> => {
    for await (const item of items) take(item);
  };
  await Promise.all([
    follow(client.watchLibrary({}, signal), activity.library),
    follow(client.watchJobs({}, signal), ({ jobs }) => activity.jobs(jobs)),
    follow(client.watchFolders({}, signal), ({ folders }) => activity.folders(folders)),
  ]);
}

async function main(): Promise<void> {
  if (!profileFolder) throw new Error('The core needs a profile folder.');
  const starter = createWindowStarter(say);
  const keychain = createWindowKeychain(say);
  const goingOut = createGoingOut(say);
  let watching = new AbortController();
  const watch = (core: Core): void => {
    watching.abort();
    watching = new AbortController();
    watchWork(core, watching.signal).catch((error: unknown) =>
      core.log('warn', 'the work is not told to the desktop any more', { error: String(error) }),
    );
  };
  const opening = compose({
    profileFolder,
    startProcess: starter.startProcess,
    forPrograms: true,
    keychain: keychain.keychain,
    fetch: takeFetch(),
    onSettings: (settings) => say({ type: 'settings', settings: desktopSettings.parse(settings) }),
    onForgotten() {
      say({ type: 'forgotten' });
      void opening.then(watch);
    },
  });
  process.parentPort.on('message', ({ data, ports: [channel] }) => {
    const message = windowMessage.parse(data);
    // While the profile opens: documents that an earlier start left unfinished are read already.
    starter.receive(message, channel);
    keychain.receive(message);
    void opening.then((core) => {
      if (message.type === 'connect' && channel) core.connect(messagePort(channel));
      if (message.type === 'issue')
        say({ type: 'issued', id: message.id, tickets: message.paths.map(core.tickets.issue) });
      if (message.type === 'locate')
        void core.app.library[message.isRecording ? 'recordingOf' : 'pathOf'](message.documentId).then((path) =>
          say({ type: 'located', id: message.id, path }),
        );
      if (message.type === 'watch') void watchFolders(core, message.paused);
      if (message.type === 'woken') void core.wake();
      goingOut.receive(message, core.app.network.around);
      if (message.type === 'close') void core.close().finally(() => say({ type: 'closed' }));
    });
  });
  watch(await opening);
  say({ type: 'ready' });
}

/** Pauses all watched folders, or watches all of them again. */
async function watchFolders(core: Core, paused: boolean): Promise<void> {
  for (const { id, state } of core.app.library.listFolders())
    if ((state === 'paused') !== paused)
      await core.handlers[paused ? 'pauseFolder' : 'resumeFolder']({ folderId: id }, new AbortController().signal);
}

main().catch((error: unknown) => {
  say({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  // The message is on its way; an end at once could overtake it.
  setTimeout(() => process.exit(1), 200);
});
