/**
 * What the page sees of Electron: the functions of `QuothShell` and its kind. No channel name, no event object and no
 * path gets through.
 */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import { createPort, type Port } from '../../app/contract/port.ts';
import type { QuothShell, ShellCommand, ShortcutState } from '../../app/contract/shell.ts';
import type { DocumentId, Ticket } from '../../app/contract/types.ts';

/** The part of the DOM's MessagePort that is used: this folder is compiled without the DOM. */
type PageChannel = {
  addEventListener(type: 'message' | 'close', listener: (event: { data: unknown }) => void): void;
  postMessage(message: unknown): void;
  start(): void;
  close(): void;
};

function pagePort(channel: PageChannel): Port {
  const { port, deliver, end } = createPort({
    send: (message) => channel.postMessage(message),
    close: () => channel.close(),
    start: () => channel.start(),
  });
  channel.addEventListener('message', ({ data }) => deliver(data));
  channel.addEventListener('close', end);
  return port;
}

let connecting: Promise<unknown> = Promise.resolve();

/** One at a time, so that each answer finds its question. */
function connect(): Promise<Port> {
  const connected = connecting.then(async () => {
    const received = new Promise<PageChannel>((resolve, reject) => {
      ipcRenderer.once('quoth:port', ({ ports: [channel] }) => {
        if (channel) resolve(channel);
        else reject(new Error('Quoth could not be reached.'));
      });
    });
    await ipcRenderer.invoke('quoth:connect');
    return pagePort(await received);
  });
  connecting = connected.catch(() => undefined);
  return connected;
}

let waitingCommands: ShellCommand[] = [];
let listener: ((command: ShellCommand) => void) | undefined;
ipcRenderer.on('quoth:command', (_event, command: ShellCommand) => {
  if (listener) listener(command);
  else waitingCommands.push(command);
});

const shell: QuothShell = {
  kind: 'electron',
  desktop: {
    onCommand(given) {
      listener = given;
      const waiting = waitingCommands;
      waitingCommands = [];
      for (const command of waiting) given(command);
    },
    checkShortcut: (shortcut) => ipcRenderer.invoke('quoth:check-shortcut', shortcut) as Promise<ShortcutState>,
    openProfileFolder: () => ipcRenderer.invoke('quoth:open-profile-folder') as Promise<void>,
  },
  connect,
  chooseFiles: () => ipcRenderer.invoke('quoth:choose-files') as Promise<Ticket[] | null>,
  chooseFolder: () => ipcRenderer.invoke('quoth:choose-folder') as Promise<Ticket[] | null>,
  ticketsFor(items) {
    // A File that a page made itself has no path: it is left out.
    const paths = items.map((item) => webUtils.getPathForFile(item)).filter((path) => path !== '');
    return ipcRenderer.invoke('quoth:tickets-for-paths', paths) as Promise<Ticket[]>;
  },
  saveFile: ({ name, bytes }) => ipcRenderer.invoke('quoth:save-file', { name, bytes }) as Promise<boolean>,
  openExternal: (address) => ipcRenderer.invoke('quoth:open-external', address) as Promise<void>,
  recordingAddress: async (documentId: DocumentId) => `app://quoth/recordings/${documentId}`,
  showInFolder: (documentId: DocumentId) => ipcRenderer.invoke('quoth:show-in-folder', documentId) as Promise<boolean>,
};

contextBridge.exposeInMainWorld('quothShell', shell);
