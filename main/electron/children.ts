/**
 * The engine and the readers as Electron's utility processes. Only the window process can start those, so the core asks it
 * to, and gets one end of a channel to each. (Forks of Electron as plain Node would need a fuse left open that lets
 * anybody run code under Quoth's name.)
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannelMain, type MessagePortMain, type UtilityProcess, utilityProcess } from 'electron';
import { childEnvironment } from '../processes.ts';
import type { CoreMessage, WindowMessage } from './messages.ts';

export type Children = {
  start(request: Extract<CoreMessage, { type: 'start' }>): void;
  kill(id: number): void;
  /** The core has gone: so must they. */
  killAll(): void;
};

const names = { 'engine-process': 'Quoth engine', 'reader-main': 'Quoth reader' };

export function createChildren(say: (message: WindowMessage, ports?: MessagePortMain[]) => void): Children {
  const running = new Map<number, UtilityProcess>();
  const end = (child: UtilityProcess | undefined): void => {
    // `kill` of a utility process is a polite SIGTERM; a parser that hangs does not hear it.
    if (child?.pid === undefined) child?.kill();
    else
      try {
        process.kill(child.pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
  };
  return {
    start({ id, entry, memoryBytes = 0 }) {
      const file = path.join(path.dirname(fileURLToPath(import.meta.url)), 'electron-child.js');
      const child = utilityProcess.fork(file, [entry, String(memoryBytes)], {
        serviceName: names[entry],
        env: childEnvironment(process.env) as Record<string, string>,
        stdio: 'inherit',
      });
      running.set(id, child);
      child.once('spawn', () => {
        const { port1, port2 } = new MessageChannelMain();
        child.postMessage({ type: 'port' }, [port1]);
        say({ type: 'started', id, pid: child.pid }, [port2]);
      });
      child.once('exit', (code) => {
        running.delete(id);
        say({ type: 'ended', id, code });
      });
    },
    kill: (id) => end(running.get(id)),
    killAll() {
      for (const child of running.values()) end(child);
    },
  };
}
