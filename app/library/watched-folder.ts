/**
 * One watched folder, alive: what the system tells of it is gathered until it is quiet, then that part of the disk is
 * compared with the library. The system's word is only a hint to look; nothing is believed of it but the path.
 */
import type { WatchedFolder as FolderSummary } from '../contract/types.ts';
import type { FolderWatch, Outside } from '../outside.ts';
import type { StoredDocument } from '../store/document-table.ts';
import { identityOf, type Reconciled, type ReconcileRequest } from './reconcile.ts';

export type FolderState = Exclude<FolderSummary['state'], 'paused'>;

export type FolderTiming = {
  /** A burst of changes has ended when nothing was told for so long; a save is several changes. */
  quietMs: number;
  /** Where changes never end, they are looked at after so long. */
  mostWaitMs: number;
  /** Between two looks at a file that is being written. */
  lookAgainMs: number;
  /** Between two looks for the folder itself, and at all of it where the system tells of no changes. */
  recheckMs: number;
  /** A file that is gone may turn up elsewhere for so long before its document leaves the library. */
  forgetAfterMs: number;
};

export const folderTiming: FolderTiming = {
  quietMs: 200,
  mostWaitMs: 1500,
  lookAgainMs: 400,
  recheckMs: 15_000,
  forgetAfterMs: 10_000,
};

export type LiveFolder = {
  state(): FolderState;
  /** Starts to watch and compares all, or the part at `from`; resolves after that. `onFound` is told of each file. */
  start(onFound?: (ended: Promise<StoredDocument>) => void, from?: string): Promise<void>;
  /** Resolves when all that was told is looked at. */
  idle(): Promise<void>;
  /** Ends the watching and all work of it. */
  close(): Promise<void>;
};

export type LiveFolderParts = {
  path: string;
  identity: () => string | null;
  onIdentity: (identity: string) => void;
  watchFolder: Outside['watchFolder'];
  /** Compares; one folder at a time. */
  reconcile(request: ReconcileRequest, signal: AbortSignal): Promise<Reconciled>;
  /** These documents have no file; to be forgotten when that is still so later. */
  onGone: (ids: Extract<Reconciled, { type: 'done' }>['gone']) => void;
  onState: () => void;
  timing: FolderTiming;
  nowMs: () => number;
  log: Outside['log'];
};

export function createLiveFolder(parts: LiveFolderParts): LiveFolder {
  const { path, timing, nowMs, log } = parts;
  const closing = new AbortController();
  const { signal } = closing;
  const touched = new Set<string>();
  const looks = new Map<string, string>();
  let state: FolderState = 'comparing';
  let watch: FolderWatch | undefined;
  let canWatch = true;
  let timer: NodeJS.Timeout | undefined;
  let firstTouchMs = 0;
  let running: Promise<void> = Promise.resolve();
  let numRunning = 0;
  const waiters: (() => void)[] = [];

  const recheck = setInterval(() => void look(), timing.recheckMs);
  recheck.unref();

  function setState(next: FolderState): void {
    if (state === next || signal.aborted) return;
    state = next;
    parts.onState();
  }

  function touch(one: string): void {
    if (signal.aborted) return;
    if (touched.size === 0) firstTouchMs = nowMs();
    touched.add(one);
    const leftMs = Math.max(0, firstTouchMs + timing.mostWaitMs - nowMs());
    wait(Math.min(timing.quietMs, leftMs));
  }

  function wait(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      const paths = [...touched];
      touched.clear();
      // A word from before it went: when it is back, all of it is compared.
      if (state !== 'unreachable') void run(paths, looks);
    }, ms);
  }

  /** One comparison after the other, in the order in which they were asked for. */
  function run(
    paths: readonly string[],
    with_: Map<string, string> | null,
    onFound?: (ended: Promise<StoredDocument>) => void,
  ): Promise<void> {
    numRunning += 1;
    running = running
      .then(() => compare(paths, with_, onFound))
      .catch((error: unknown) => {
        if (!signal.aborted) log('error', 'a watched folder could not be compared', { path, error: String(error) });
      })
      .finally(() => {
        numRunning -= 1;
        if (isQuiet()) for (const wake of waiters.splice(0)) wake();
      });
    return running;
  }

  async function compare(
    paths: readonly string[],
    with_: Map<string, string> | null,
    onFound?: (ended: Promise<StoredDocument>) => void,
  ): Promise<void> {
    signal.throwIfAborted();
    if (parts.identity() === null) {
      const identity = await identityOf(path);
      if (identity !== null) parts.onIdentity(identity);
    }
    const request = { root: path, identity: parts.identity(), paths, looks: with_, onFound };
    const outcome = await parts.reconcile(request, signal);
    if (outcome.type === 'unreachable') {
      setState('unreachable');
      touched.clear();
      const before = watch;
      watch = undefined;
      await before?.close();
      return;
    }
    if (outcome.gone.length > 0) parts.onGone(outcome.gone);
    if (outcome.again.length > 0) {
      for (const one of outcome.again) touched.add(one);
      firstTouchMs = nowMs();
      if (!signal.aborted) wait(timing.lookAgainMs);
    }
    const isWhole = paths.includes(path);
    if (outcome.isTooMany) setState('too-many');
    else if (isWhole || state !== 'too-many') setState(canWatch ? 'watching' : 'looking');
  }

  const isQuiet = (): boolean => numRunning === 0 && timer === undefined;

  function startWatch(): Promise<void> {
    if (watch || !canWatch || signal.aborted) return watch?.ready ?? Promise.resolve();
    watch = parts.watchFolder(path, {
      onTouched: touch,
      onFailed(error) {
        if (!canWatch || signal.aborted) return;
        log('warn', 'the system does not tell of changes in a folder', { path, error: String(error) });
        canWatch = false;
        void watch?.close();
        watch = undefined;
        touch(path);
      },
    });
    return watch.ready;
  }

  /** The folder itself: is it there, is it back? And all of it, where nobody tells of changes. */
  async function look(): Promise<void> {
    if (signal.aborted || numRunning > 0) return;
    const isThere = (await identityOf(path)) !== null;
    if (signal.aborted || numRunning > 0) return;
    if (state === 'unreachable') {
      if (isThere) await start();
    } else if (!isThere || !canWatch) void run([path], looks);
  }

  async function start(onFound?: (ended: Promise<StoredDocument>) => void, from = path): Promise<void> {
    if (signal.aborted) return;
    // Watched before it is compared: what changes in between is told.
    numRunning += 1;
    try {
      if ((await identityOf(path)) !== null) await startWatch();
    } finally {
      numRunning -= 1;
    }
    await run([from], null, onFound);
  }

  return {
    state: () => state,
    start,
    idle: () => (isQuiet() || signal.aborted ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
    async close() {
      closing.abort();
      clearInterval(recheck);
      clearTimeout(timer);
      timer = undefined;
      for (const wake of waiters.splice(0)) wake();
      await watch?.close();
      await running;
    },
  };
}
