/**
 * The processes that Quoth starts: the engine, supervised, and readers, disposable. Both are forks of this same runtime,
 * with nothing inherited that they do not need.
 */
import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Port } from '../app/contract/port.ts';
import type { Log } from '../app/outside.ts';
import { residentBytes } from '../ingest/readers/node-spawner.ts';
import type { SpawnReader } from '../ingest/run-reader.ts';
import { type Engine, type Native, NativeError, type VectorIndex } from '../native/index.ts';
import { createRemoteNative } from './engine/remote-native.ts';
import { portToChild } from './process-port.ts';

export type EntryName = 'engine-process' | 'reader-main';

/** `memoryBytes`: the most that the process may hold. V8's heap gets less, for what else it holds needs room too. */
export type StartOptions = { memoryBytes?: number };

/** The share of a process's memory that its JavaScript heap may take. */
export const heapShare = 0.8;

/** How a process ended; `reason` says it in words: "exit code 1", "signal SIGKILL", "not started: …". */
export type End = { code: number | null; signal: string | null; reason: string };

/** A process that was started; it may have ended already. */
export type Started = {
  /** Undefined until it runs, and for one that could not be started. */
  readonly pid: number | undefined;
  port: Port;
  /** At once, whatever it does. */
  kill(): void;
  /** Resolves, never rejects. */
  whenEnded: Promise<End>;
};

/** Starts one of our own entries in a process of its own. */
export type StartProcess = (entry: EntryName, options?: StartOptions) => Started;

const sources: Record<EntryName, string> = {
  'engine-process': 'engine/engine-process.ts',
  'reader-main': '../ingest/readers/reader-main.ts',
};

/** In the sources a `.ts` file, which Node runs as it is; in the bundle the `.js` file beside this one. */
export function entryPath(entry: EntryName): string {
  const here = fileURLToPath(import.meta.url);
  return here.endsWith('.ts')
    ? path.join(path.dirname(here), sources[entry])
    : path.join(path.dirname(here), `${entry}.js`);
}

/**
 * What a child gets of our environment: what a system needs to run a program, and our own settings. Tokens and keys that
 * happen to be in the user's environment stay out of processes that parse untrusted files.
 */
export function childEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const wanted =
    /^(PATH|HOME|USERPROFILE|LOCALAPPDATA|XDG_[A-Z_]+|SYSTEMROOT|WINDIR|TEMP|TMP|TMPDIR|LANG|LC_[A-Z]+|TZ|LD_LIBRARY_PATH|CUDA_[A-Z_]+|NVIDIA_[A-Z_]+|OMP_[A-Z_]+|QUOTH_[A-Z_]+)$/i;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => wanted.test(name)));
}

/** Starts a child of this runtime, which must be Node: Electron's core asks its window process instead. */
export const forkProcess: StartProcess = (entry, options = {}) => {
  const env = childEnvironment(process.env);
  const execArgv = ['--disable-warning=ExperimentalWarning'];
  if (options.memoryBytes)
    execArgv.push(`--max-old-space-size=${Math.ceil((heapShare * options.memoryBytes) / 2 ** 20)}`);
  const child = fork(entryPath(entry), [], {
    serialization: 'advanced',
    env,
    execArgv,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    windowsHide: true,
  } as Parameters<typeof fork>[2]);
  const whenEnded = new Promise<End>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, reason: `not started: ${error.message}` }));
    child.once('exit', (code, signal) =>
      resolve({ code, signal, reason: signal ? `signal ${signal}` : `exit code ${code}` }),
    );
  });
  return { pid: child.pid, port: portToChild(child), kill: () => void child.kill('SIGKILL'), whenEnded };
};

/** Readers as processes that `startProcess` starts, for `ingest/run-reader.ts`. */
export function createReaderSpawner(startProcess: StartProcess): SpawnReader {
  return ({ memoryBytes }) => {
    const started = startProcess('reader-main', { memoryBytes });
    return {
      send: (request) => started.port.send(request),
      onMessage: (listener) => started.port.onMessage(listener),
      onExit: (listener) => void started.whenEnded.then(listener),
      kill: started.kill,
      memoryBytes: () => residentBytes(started.pid),
    };
  };
}

export type EngineSupervisor = Native & {
  /** The engine's process id, if it runs. */
  readonly pid: number | undefined;
  /**
   * Whether the process still answers, where one runs: a GPU may not have survived a sleep. One that is silent for ten seconds
   * is ended, and the next one started when it is needed.
   */
  recheck(): Promise<void>;
  /** Ends the process; whatever is open fails. */
  close(): void;
};

const maxDeaths = 3;
const deathWindowMs = 60_000;
const firstPauseMs = 250;
const recheckMs = 10_000;

type Running = { started: Started; native: Native };

/**
 * The engine's process, started at the first call and again after each death, after a pause that doubles. What was open
 * in it fails with `engine-died`, and so do handles from before. After three deaths within a minute it is not started
 * again until the minute is over: calls fail at once with the reason.
 */
export function superviseEngine(outside: {
  startProcess: StartProcess;
  nowMs: () => number;
  wait: (ms: number) => Promise<void>;
  log: Log;
}): EngineSupervisor {
  const { startProcess, nowMs, wait, log } = outside;
  let deaths: { atMs: number; how: string }[] = [];
  let running: Running | undefined;
  let starting: Promise<Native> | undefined;
  /** Between the last word of a process and its end. */
  let ending: Promise<void> | undefined;
  let closed = false;

  function start(): Native {
    const started = startProcess('engine-process');
    const ended = started.whenEnded.then(({ reason: how }) => {
      started.port.close();
      ending = undefined;
      if (closed) return;
      deaths.push({ atMs: nowMs(), how });
      log('error', 'The engine process ended', { how, pid: started.pid });
      // A caller is likely to come back at once: be ready for it.
      void ready().catch(() => undefined);
    });
    const port: Port = {
      ...started.port,
      // Before anybody hears of the end, this process counts as gone: a caller that asks again gets the next one.
      onClose: (listener) =>
        started.port.onClose(() => {
          running = undefined;
          ending = ended;
          started.kill();
          listener();
        }),
    };
    running = { started, native: createRemoteNative(port) };
    return running.native;
  }

  async function restart(): Promise<Native> {
    if (deaths.length > 0) await wait(firstPauseMs * 2 ** (deaths.length - 1));
    if (closed) throw new NativeError('closed', 'Quoth is closing.');
    return start();
  }

  async function ready(): Promise<Native> {
    if (closed) throw new NativeError('closed', 'Quoth is closing.');
    // What is being ended is not running; by the time it has ended, another caller may have started the next.
    if (ending) await ending;
    const current = running;
    if (current) return current.native;
    deaths = deaths.filter((death) => death.atMs > nowMs() - deathWindowMs);
    if (deaths.length >= maxDeaths) {
      const how = deaths.at(-1)?.how ?? 'unknown';
      throw new NativeError(
        'engine-died',
        `The engine ended ${deaths.length} times within a minute (last: ${how}) and is not started again for now. Please try again in a minute, or choose a smaller model.`,
      );
    }
    starting ??= restart().finally(() => {
      starting = undefined;
    });
    return starting;
  }

  return {
    get pid() {
      return running?.started.pid;
    },
    describe: async () => (await ready()).describe(),
    planMemory: async (options) => (await ready()).planMemory(options),
    loadEngine: async (options): Promise<Engine> => (await ready()).loadEngine(options),
    openVectorIndex: async (options): Promise<VectorIndex> => (await ready()).openVectorIndex(options),
    builder: {
      toFloat32: async (...request) => (await ready()).builder.toFloat32(...request),
      pack: async (request) => (await ready()).builder.pack(request),
    },
    async recheck() {
      const current = running;
      if (!current) return;
      const answered = await Promise.race([
        current.native.describe().then(
          () => true,
          () => true,
        ),
        wait(recheckMs).then(() => false),
      ]);
      if (answered || running !== current || closed) return;
      log('warn', 'the engine does not answer any more; it is started anew', { pid: current.started.pid });
      current.started.kill();
      await current.started.whenEnded;
    },
    close() {
      closed = true;
      running?.started.port.close();
    },
  };
}
