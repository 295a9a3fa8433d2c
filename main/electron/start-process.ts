/** How the core starts a process in Electron: it asks the window process, and gets a port to what was started. */
import type { MessagePortMain } from 'electron';
import type { Port } from '../../app/contract/port.ts';
import type { End, Started, StartProcess } from '../processes.ts';
import { messagePort } from './ipc-port.ts';
import type { CoreMessage, WindowMessage } from './messages.ts';

export type WindowStarter = {
  startProcess: StartProcess;
  /** To be told of the window's messages `started` and `ended`. */
  receive(message: WindowMessage, channel: MessagePortMain | undefined): void;
};

type Pending = { opened(pid: number | undefined, port: Port): void; ended(end: End): void };

/** A port that can be used before its transport is there. */
function latePort(): Port & { open(port: Port): void; end(): void } {
  let inner: Port | undefined;
  let listener: ((message: unknown) => void) | undefined;
  let closeListener: (() => void) | undefined;
  let waiting: unknown[] = [];
  let closed = false;
  const end = (): void => {
    if (closed) return;
    closed = true;
    closeListener?.();
  };
  return {
    open(port) {
      if (closed) return port.close();
      inner = port;
      for (const message of waiting) port.send(message);
      waiting = [];
      if (listener) port.onMessage(listener);
      port.onClose(end);
    },
    end,
    send(message) {
      if (closed) return;
      if (inner) inner.send(message);
      else waiting.push(message);
    },
    onMessage(newListener) {
      listener = newListener;
      inner?.onMessage(newListener);
    },
    onClose(newListener) {
      closeListener = newListener;
      if (closed) newListener();
    },
    close() {
      inner?.close();
      end();
    },
  };
}

export function createWindowStarter(say: (message: CoreMessage) => void): WindowStarter {
  const pending = new Map<number, Pending>();
  let nextId = 0;
  return {
    startProcess(entry, options = {}) {
      const id = nextId++;
      const port = latePort();
      let pid: number | undefined;
      const whenEnded = new Promise<End>((resolve) => {
        pending.set(id, {
          opened(startedPid, opened) {
            pid = startedPid;
            port.open(opened);
          },
          ended(end) {
            pending.delete(id);
            port.end();
            resolve(end);
          },
        });
      });
      say({ type: 'start', id, entry, memoryBytes: options.memoryBytes });
      const started: Started = {
        get pid() {
          return pid;
        },
        port,
        kill: () => say({ type: 'kill', id }),
        whenEnded,
      };
      return started;
    },
    receive(message, channel) {
      if (message.type === 'started' && channel) pending.get(message.id)?.opened(message.pid, messagePort(channel));
      if (message.type === 'ended')
        pending.get(message.id)?.ended({ code: message.code, signal: null, reason: `exit code ${message.code}` });
    },
  };
}
