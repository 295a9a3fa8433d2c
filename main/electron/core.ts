/** The core's process, as the window process sees it: started, restarted after a death, given ports. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannelMain, type MessagePortMain, type UtilityProcess, utilityProcess } from 'electron';
import { createChildren } from './children.ts';
import { askKeychain } from './keychain.ts';
import { type CoreMessage, type CoreNews, coreMessage, type WindowMessage } from './messages.ts';

export type CoreProcess = {
  /** One end of a new connection to the core; the other end is the core's. */
  connect(): MessagePortMain;
  /** Tickets for absolute paths, in order. */
  issueTickets(paths: string[]): Promise<string[]>;
  /** Where the file of a document lies; null for a video, and for one that is not there. */
  locate(documentId: string): Promise<string | null>;
  /** A connection of the window process for an update: kept in the ledger, and not made while Quoth is to stay offline. */
  goOut<Result>(host: string, work: () => Promise<Result>): Promise<Result>;
  /** The same of a recording; null for every other document. */
  locateRecording(documentId: string): Promise<string | null>;
  /** Says what needs no answer. */
  say(message: Extract<WindowMessage, { type: 'watch' | 'woken' }>): void;
  /** Ends the core in order; after a short while, in disorder. */
  close(): Promise<void>;
};

const maxDeaths = 3;
const deathWindowMs = 60_000;
const restartPauseMs = 300;
const closeDeadlineMs = 3_000;

/** What the window process is told of the core. */
export type CoreListener = {
  /** It cannot start, with a sentence for the person, or died three times within a minute; it is then not started again. */
  onRefused(message: string): void;
  onNews(news: CoreNews): void;
};

/** Starts the core. */
export function startCore(profileFolder: string, { onRefused, onNews }: CoreListener): CoreProcess {
  let child: UtilityProcess;
  let deaths: number[] = [];
  let closing = false;
  let refused = false;
  let nextId = 0;
  type Answered = Extract<CoreMessage, { type: 'issued' | 'located' | 'goes-out' }>;
  const waiting = new Map<number, { resolve: (message: Answered) => void; reject: (error: Error) => void }>();
  let onClosed: (() => void) | undefined;

  function receive(message: CoreMessage): void {
    if (message.type === 'failed') {
      refused = true;
      onRefused(message.message);
    } else if (message.type === 'issued' || message.type === 'located' || message.type === 'goes-out') {
      waiting.get(message.id)?.resolve(message);
      waiting.delete(message.id);
    } else if (message.type === 'closed') onClosed?.();
    else if (message.type === 'start') children.start(message);
    else if (message.type === 'kill') children.kill(message.id);
    else if (message.type === 'keychain') {
      const { id } = message;
      void askKeychain(message).then((text) => say({ type: 'kept', id, text }));
    } else if (message.type !== 'ready') onNews(message);
  }

  function start(): void {
    const entry = path.join(path.dirname(fileURLToPath(import.meta.url)), 'core-process.js');
    child = utilityProcess.fork(entry, [profileFolder], { serviceName: 'Quoth core', stdio: 'inherit' });
    child.on('message', (message: unknown) => receive(coreMessage.parse(message)));
    child.once('exit', () => {
      for (const { reject } of waiting.values()) reject(new Error('Quoth is starting again; please retry.'));
      waiting.clear();
      children.killAll();
      onClosed?.();
      if (closing || refused) return;
      const now = Date.now();
      deaths = [...deaths.filter((at) => at > now - deathWindowMs), now];
      if (deaths.length >= maxDeaths)
        onRefused('Quoth ended unexpectedly three times within a minute. The log in its profile folder says more.');
      else setTimeout(start, restartPauseMs);
    });
  }

  const say = (message: WindowMessage, ports: MessagePortMain[] = []): void => child.postMessage(message, ports);
  const request = (messageOf: (id: number) => WindowMessage): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      say(messageOf(id));
    });
  async function locate(documentId: string, isRecording: boolean): Promise<string | null> {
    const answer = await request((id) => ({ type: 'locate', id, documentId, isRecording }));
    return answer.type === 'located' ? answer.path : null;
  }
  const children = createChildren(say);
  start();
  return {
    connect() {
      const { port1, port2 } = new MessageChannelMain();
      say({ type: 'connect' }, [port1]);
      return port2;
    },
    async issueTickets(paths) {
      const answer = await request((id) => ({ type: 'issue', id, paths }));
      return answer.type === 'issued' ? answer.tickets : [];
    },
    locate: (documentId) => locate(documentId, false),
    locateRecording: (documentId) => locate(documentId, true),
    async goOut(host, work) {
      let asked = -1;
      const answer = await request((id) => {
        asked = id;
        return { type: 'go-out', id, host };
      });
      if (answer.type !== 'goes-out' || !answer.mayGo) throw new Error('Quoth is set to stay offline.');
      let isDone = false;
      try {
        const result = await work();
        isDone = true;
        return result;
      } finally {
        say({ type: 'went-out', id: asked, isDone });
      }
    },
    say: (message) => say(message),
    async close() {
      closing = true;
      await new Promise<void>((resolve) => {
        onClosed = resolve;
        setTimeout(resolve, closeDeadlineMs);
        say({ type: 'close' });
      });
      child.kill();
      children.killAll();
    },
  };
}
