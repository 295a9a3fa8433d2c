/**
 * The models on their way: a list that outlives the window and the process, worked off one after another. Whoever looks is
 * told of every change; nobody has to look for it to go on.
 */
import { z } from 'zod';
import { toErrorMessage } from '../contract/errors.ts';
import type { Install, ModelId } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { SettingsTable } from '../store/settings-table.ts';
import type { Report } from './install.ts';
import { createSpeed } from './speed.ts';

/** What an import needs to be gone on with after a start. */
const ownFiles = z.object({
  paths: z.array(z.string()),
  name: z.string(),
  role: z.enum(['chat', 'embedder', 'reranker']),
});
export type OwnFiles = z.infer<typeof ownFiles>;

const savedEntry = z.object({
  id: z.string(),
  state: z.enum(['waiting', 'paused', 'failed']),
  reason: z.string().nullable(),
  ownFiles: ownFiles.nullable(),
});
type SavedEntry = z.infer<typeof savedEntry>;

/** One model's way from nothing to an installed plan. */
export type InstallJob = {
  id: string;
  name: string;
  role: Install['role'];
  ownFiles: OwnFiles | null;
  /** What an earlier attempt left, of what there is to do first. */
  left(): Promise<{ doneBytes: number; totalBytes: number }>;
  run(signal: AbortSignal, report: Report): Promise<void>;
  /** Removes what an unfinished attempt left. */
  discard(): Promise<void>;
};

type Ending = 'pause' | 'cancel' | 'hold';
type Entry = {
  job: InstallJob;
  shown: Install;
  /** Left by an earlier process, and this one only looks: it is not begun by itself. */
  asleep: boolean;
  running: { controller: AbortController; ended: Promise<void>; ending: Ending | null } | null;
};

export type Installs = {
  list(): Install[];
  find(id: string): InstallJob | undefined;
  /** As the last download went. */
  downloadBytesPerSecond(): number | null;
  /** Puts a job at the end, or lets one that is there go on. */
  begin(job: InstallJob): void;
  pause(id: string): Promise<void>;
  cancel(id: string): Promise<void>;
  /** Stops what runs, as if the process ended, and begins nothing until the returned function is called. */
  hold(): Promise<() => void>;
  /** Takes up what an earlier process left; `start` false only lists it. */
  restore(jobOf: (id: string, ownFiles: OwnFiles | null) => InstallJob | null, start: boolean): Promise<void>;
  close(): Promise<void>;
};

const savedKey = 'models.installs';
/** A person reads no faster, and every item crosses a process border. */
const tellEveryMs = 100;
const atRest = { bytesPerSecond: 0, secondsLeft: null };

export function createInstalls(parts: {
  outside: Pick<Outside, 'nowMs' | 'log'>;
  settings: SettingsTable;
  onChange: () => void;
  /** Before the list says that it is done. */
  onInstalled: (job: InstallJob) => Promise<void>;
  onFailed: (job: InstallJob, error: unknown) => void;
}): Installs {
  const { outside, settings, onChange } = parts;
  let entries: Entry[] = [];
  let numHolds = 0;
  let closed = false;
  let telling: NodeJS.Timeout | undefined;
  let downloadBytesPerSecond: number | null = null;

  const entryOf = (id: string): Entry | undefined => entries.find(({ job }) => job.id === id);

  function save(): void {
    const saved: SavedEntry[] = entries.map(({ job, shown: { state, reason } }) => ({
      id: job.id,
      state: state === 'running' ? 'waiting' : state,
      reason,
      ownFiles: job.ownFiles,
    }));
    settings.writeValue(savedKey, saved);
  }

  function change(entry: Entry, part: Partial<Install>): void {
    entry.shown = { ...entry.shown, ...part };
    onChange();
  }

  function drop(entry: Entry): void {
    entries = entries.filter((one) => one !== entry);
    save();
    onChange();
  }

  function next(): void {
    if (closed || numHolds > 0 || entries.some(({ running }) => running)) return;
    const entry = entries.find(({ shown, asleep }) => shown.state === 'waiting' && !asleep);
    if (!entry) return;
    const controller = new AbortController();
    const running = { controller, ending: null as Ending | null, ended: Promise.resolve() };
    entry.running = running;
    change(entry, { state: 'running', step: 'start', reason: null, ...atRest });
    running.ended = work(entry, running).finally(next);
  }

  async function work(entry: Entry, running: NonNullable<Entry['running']>): Promise<void> {
    const { job } = entry;
    try {
      await job.run(running.controller.signal, reporter(entry));
      await parts.onInstalled(job);
      entry.running = null;
      drop(entry);
    } catch (error) {
      entry.running = null;
      if (running.ending === 'cancel') return;
      if (running.ending !== null)
        change(entry, { state: running.ending === 'pause' ? 'paused' : 'waiting', ...atRest });
      else {
        outside.log('error', 'a model could not be installed', { model: job.id, error: String(error) });
        parts.onFailed(job, error);
        change(entry, { state: 'failed', reason: toErrorMessage(error).message, ...atRest });
      }
      if (!closed) save();
    }
  }

  function reporter(entry: Entry): Report {
    const speed = createSpeed(outside.nowMs);
    return (step, doneBytes, totalBytes) => {
      const measured = speed.at(step, doneBytes, totalBytes);
      if (step === 'download' && measured.bytesPerSecond > 0) downloadBytesPerSecond = measured.bytesPerSecond;
      if (entry.running?.ending !== null) return;
      const isNewStep = step !== entry.shown.step;
      entry.shown = { ...entry.shown, step, doneBytes, totalBytes, ...measured };
      if (isNewStep) onChange();
      else tellSoon();
    };
  }

  /** The newest, not too often, and also when nothing follows it. */
  function tellSoon(): void {
    telling ??= setTimeout(() => {
      telling = undefined;
      onChange();
    }, tellEveryMs);
    telling.unref();
  }

  async function stop(entry: Entry, ending: Ending): Promise<void> {
    const { running } = entry;
    if (!running) return;
    running.ending ??= ending;
    running.controller.abort();
    await running.ended;
  }

  function add(job: InstallJob, state: SavedEntry['state'], reason: string | null, asleep: boolean): Entry {
    const from = job.ownFiles ? 'own-files' : 'catalogue';
    const { id, name, role } = job;
    const shown: Install = {
      ...{ modelId: id as ModelId, name, role, from, state, step: 'start', reason },
      ...{ doneBytes: 0, totalBytes: 0, ...atRest },
    };
    const entry: Entry = { job, shown, asleep, running: null };
    entries.push(entry);
    return entry;
  }

  /** What is there already is shown before it goes on. */
  async function lookAt(entry: Entry): Promise<void> {
    const left = await entry.job.left().catch(() => null);
    if (left && entry.shown.totalBytes === 0) change(entry, left);
  }

  return {
    list: () => entries.map(({ shown }) => shown),
    find: (id) => entryOf(id)?.job,
    downloadBytesPerSecond: () => downloadBytesPerSecond,
    begin(job) {
      const there = entryOf(job.id);
      if (there && !there.running) {
        there.asleep = false;
        change(there, { state: 'waiting', reason: null });
      } else if (!there) void lookAt(add(job, 'waiting', null, false));
      save();
      onChange();
      next();
    },
    async pause(id) {
      const entry = entryOf(id);
      if (!entry) return;
      await stop(entry, 'pause');
      if (entry.shown.state === 'waiting') change(entry, { state: 'paused' });
      save();
    },
    async cancel(id) {
      const entry = entryOf(id);
      if (!entry) return;
      await stop(entry, 'cancel');
      if (!entries.includes(entry)) return; // it was done at that moment
      await entry.job.discard();
      drop(entry);
      next();
    },
    async hold() {
      numHolds += 1;
      await Promise.all(entries.map((entry) => stop(entry, 'hold')));
      let released = false;
      return () => {
        if (released) return;
        released = true;
        numHolds -= 1;
        next();
      };
    },
    async restore(jobOf, start) {
      const saved = settings.readValue(savedKey, z.array(savedEntry), []);
      const added = saved.flatMap(({ id, state, reason, ownFiles }) => {
        const job = entryOf(id) ? null : jobOf(id, ownFiles);
        return job ? [add(job, state, reason, !start)] : [];
      });
      next();
      await Promise.all(added.map(lookAt));
    },
    async close() {
      closed = true;
      clearTimeout(telling);
      await Promise.all(entries.map((entry) => stop(entry, 'hold')));
    },
  };
}
