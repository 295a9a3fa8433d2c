/**
 * A side of a comparison is a process of its own, which rests while the other one works: it opens what `open` names and then
 * does one task after another, each timed inside it. Processor time counts all its threads.
 */
import { type ChildProcess, fork } from 'node:child_process';

/** Opens a model; what comes back does the tasks. `peers` is the folder with the other engines' node_modules. */
export type OpenMessage = { model: string; numThreads: number; peers: string };

export type Task =
  | { type: 'prefill'; ids: number[] }
  /** `count` tokens after the first, greedily. */
  | { type: 'decode'; ids: number[]; count: number }
  | { type: 'score'; ids: number[] }
  /** Vectors of unit length, one after another; `batch` texts go to the peer at once. */
  | { type: 'embed'; texts: number[][]; batch: number };

export type Timing = { wallMs: number; processorMs: number };
export type Done = Timing & { values: number[] };
export type Doer = (task: Task, clock: Clock) => Promise<number[]>;
export type Clock = { start(): void; stop(): void };

/** Runs in the child: answers the parent's messages until it goes. */
export function serveSide(open: (message: OpenMessage) => Promise<Doer>): void {
  let doer: Doer | undefined;
  process.on('message', (message: OpenMessage | Task) => {
    void answer(message).then(
      (done) => process.send?.(done),
      (error: unknown) =>
        process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => process.exit());
  async function answer(message: OpenMessage | Task): Promise<Done> {
    const done: Done = { wallMs: 0, processorMs: 0, values: [] };
    if (!('type' in message)) {
      doer = await open(message);
      return done;
    }
    let wall = 0;
    let processor = process.cpuUsage();
    const clock: Clock = {
      start: () => {
        wall = performance.now();
        processor = process.cpuUsage();
      },
      stop: () => {
        done.wallMs = performance.now() - wall;
        const { user, system } = process.cpuUsage(processor);
        done.processorMs = (user + system) / 1000;
      },
    };
    if (!doer) throw new Error('Nothing is open.');
    done.values = await doer(message, clock);
    return done;
  }
}

export type Side = { run(task: Task): Promise<Done>; end(): void };

/** Starts a side: a script of this folder, and what it is to open. */
export async function startSide(script: string, message: OpenMessage): Promise<Side> {
  const child = fork(script, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await ask(child, message);
  return { run: (task) => ask(child, task), end: () => void child.disconnect() };
}

function ask(child: ChildProcess, message: OpenMessage | Task): Promise<Done> {
  return new Promise((resolve, reject) => {
    const clear = (): void => {
      child.off('message', told);
      child.off('exit', ended);
    };
    const told = (answer: unknown): void => {
      clear();
      const said = answer as Done | { error: string };
      if ('error' in said) reject(new Error(said.error));
      else resolve(said);
    };
    const ended = (): void => {
      clear();
      reject(new Error('A side ended before its answer.'));
    };
    child.on('message', told);
    child.on('exit', ended);
    child.send(message);
  });
}
