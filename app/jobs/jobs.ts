/** The jobs: started, run one after another behind what people ask, stopped, taken up again after a restart. */
import { type Channel, createChannel } from '../channel.ts';
import { titleFrom } from '../chats/chats.ts';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError, toErrorMessage } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { Job, TurnId } from '../contract/types.ts';
import type { Log } from '../outside.ts';
import type { ChatTable } from '../store/chat-table.ts';
import type { JobTable, StoredJob } from '../store/job-table.ts';
import { type Progress, type RunParts, runJob } from './run.ts';
import { questionOf, readScope, type ScopeParts } from './scope.ts';

export type Jobs = {
  handlers: Pick<Handlers<QuothContract>, 'startJob' | 'watchJobs' | 'stopJob' | 'resumeJob'>;
  /** Takes up what an end of the process has left; called once, after the start. */
  resume(): void;
  /** Stops the jobs of chats that are deleted by now; they can go on when a chat is brought back. */
  stopDeleted(): void;
  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void>;
  /** Ends the work at once. What was on its way goes on at the next start. */
  close(): Promise<void>;
};

export type JobsParts = Omit<RunParts, 'scopeOf' | 'notes'> & {
  table: JobTable;
  chats: ChatTable;
  scope: ScopeParts;
  log: Log;
};

/** Progress alone is told so often; what is more than that, at once. */
const tellEveryMs = 100;

type Running = {
  turnId: TurnId;
  controller: AbortController;
  progress: Progress;
  sinceMs: number;
  ended: Promise<void>;
};

export function createJobs(parts: JobsParts): Jobs {
  const { table, chats, nowMs, log } = parts;
  const channels = new Set<Channel<{ jobs: Job[] }>>();
  const waiting: TurnId[] = [];
  let running: Running | null = null;
  let closed = false;
  let lastToldMs = 0;
  let working: Promise<void> = Promise.resolve();

  function jobOf(stored: StoredJob): Job {
    const { turnId, chatId, task, state, reason } = stored;
    const now = running?.turnId === turnId ? running : null;
    return {
      turnId,
      chatId,
      task,
      state: state === 'active' ? (now?.progress.state ?? 'waiting') : state,
      numParts: now?.progress.numParts ?? 0,
      numRead: now?.progress.numRead ?? 0,
      document: now?.progress.document ?? null,
      secondsLeft: now ? secondsLeftOf(now) : null,
      reason,
    };
  }

  function secondsLeftOf({ progress: { numParts, numRead }, sinceMs }: Running): number | null {
    const seconds = (nowMs() - sinceMs) / 1000;
    return numRead < 2 || seconds <= 0 ? null : (seconds / numRead) * (numParts - numRead);
  }

  function tell(always = true): void {
    const atMs = nowMs();
    if (!always && atMs - lastToldMs < tellEveryMs) return;
    lastToldMs = atMs;
    const jobs = table.list().map(jobOf);
    for (const channel of channels) channel.push({ jobs });
  }

  async function run(turnId: TurnId): Promise<void> {
    const stored = table.find(turnId);
    if (stored?.state !== 'active' || closed) return;
    const controller = new AbortController();
    let ended = (): void => {};
    const now: Running = {
      turnId,
      controller,
      progress: { state: 'reading', numParts: 0, numRead: 0, document: null },
      sinceMs: nowMs(),
      ended: new Promise((resolve) => {
        ended = resolve;
      }),
    };
    running = now;
    tell();
    try {
      const scopeOf: RunParts['scopeOf'] = (task) => readScope(task, parts.scope);
      const onProgress = (progress: Progress): void => {
        const isNews = progress.state !== now.progress.state || progress.numParts !== now.progress.numParts;
        now.progress = progress;
        tell(isNews);
      };
      const answer = await runJob(stored, { ...parts, notes: table, scopeOf }, onProgress, controller.signal);
      if (closed) return;
      const isStopped = controller.signal.aborted;
      chats.saveAnswer(turnId, answer, { embedderId: null, passages: [] });
      if (isStopped) table.setState(turnId, 'stopped', null);
      else table.remove(turnId);
    } catch (error) {
      if (closed) return;
      log('error', 'a job failed', { error: String(error) });
      if (table.find(turnId)) table.setState(turnId, 'failed', toErrorMessage(error).message);
    } finally {
      running = null;
      ended();
      if (!closed) tell();
    }
  }

  function queue(turnId: TurnId): void {
    if (waiting.includes(turnId) || running?.turnId === turnId) return;
    waiting.push(turnId);
    working = working.then(async () => {
      const next = waiting.shift();
      if (next !== undefined)
        await run(next).catch((error: unknown) => log('error', 'a job ended badly', { error: String(error) }));
    });
  }

  function mustFind(turnId: string): StoredJob {
    const stored = table.find(turnId);
    if (!stored) throw new QuothError('not-found', 'This work has come to its end already.');
    return stored;
  }

  async function stop({ turnId, state }: StoredJob): Promise<void> {
    const now = running;
    if (now?.turnId === turnId) {
      now.controller.abort();
      await now.ended;
    } else if (state === 'active') {
      const at = waiting.indexOf(turnId);
      if (at >= 0) waiting.splice(at, 1);
      table.setState(turnId, 'stopped', null);
      tell();
    }
  }

  return {
    handlers: {
      startJob: async ({ task, chatId, language = 'en' }) => {
        const question = questionOf(task, language, parts.scope);
        const chat = chatId ?? chats.create(titleFrom(question));
        const turnId = chats.addTurn(chat, question);
        table.insert(turnId, task, language);
        queue(turnId);
        tell();
        return { chatId: chat, turnId, question };
      },
      async *watchJobs(_input, signal) {
        const channel = createChannel<{ jobs: Job[] }>({ keyOf: () => 'jobs' });
        const end = (): void => channel.end();
        signal.addEventListener('abort', end, { once: true });
        if (signal.aborted) end();
        channels.add(channel);
        try {
          yield { jobs: table.list().map(jobOf) };
          yield* channel.items;
        } finally {
          channels.delete(channel);
          signal.removeEventListener('abort', end);
        }
      },
      stopJob: async ({ turnId }) => {
        await stop(mustFind(turnId));
        return {};
      },
      resumeJob: async ({ turnId }) => {
        if (mustFind(turnId).state !== 'active') table.setState(turnId, 'active', null);
        queue(turnId);
        tell();
        return {};
      },
    },
    resume() {
      for (const { turnId, state } of table.list()) if (state === 'active') queue(turnId);
    },
    stopDeleted() {
      for (const turnId of [...waiting, ...(running ? [running.turnId] : [])])
        if (!table.find(turnId)) {
          const at = waiting.indexOf(turnId);
          if (at >= 0) waiting.splice(at, 1);
          table.setState(turnId, 'stopped', null);
          if (running?.turnId === turnId) running.controller.abort();
        }
      tell();
    },
    async idle() {
      await working;
    },
    async close() {
      closed = true;
      for (const channel of channels) channel.end();
      running?.controller.abort();
      await working;
    },
  };
}
