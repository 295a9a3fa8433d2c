/** What the application is at, gathered from its streams: for progress in the task bar and for notices when work has ended. */
import type { LibraryEvent } from '../app/contract/contract.ts';
import type { DocumentSummary, Job, WatchedFolder } from '../app/contract/types.ts';
import type { Activity, Ended } from './electron/messages.ts';

export type ActivityParts = {
  nowMs: () => number;
  onActivity: (activity: Activity) => void;
  onEnded: (ended: Ended) => void;
};

export type ActivityWatch = {
  library(event: LibraryEvent): void;
  jobs(jobs: readonly Job[]): void;
  folders(folders: readonly WatchedFolder[]): void;
};

type Batch = { startMs: number; numReady: number; numFailed: number };

const isWorking = ({ state }: DocumentSummary): boolean =>
  state === 'queued' || state === 'reading' || state === 'embedding';

export function createActivity({ nowMs, onActivity, onEnded }: ActivityParts): ActivityWatch {
  const working = new Map<string, number>();
  let folders: readonly WatchedFolder[] = [];
  let jobs = new Map<string, { job: Job; sinceMs: number }>();
  let batch: Batch | null = null;
  let told = '';

  /** Documents of a paused folder wait for the person, not for Quoth. */
  function numDocuments(): number {
    const numPaused = folders.reduce((sum, { state, numWorking }) => sum + (state === 'paused' ? numWorking : 0), 0);
    return Math.max(0, working.size - numPaused);
  }

  function progressOf(numWaiting: number): number | null {
    if (numWaiting > 0) {
      const numDone = (batch?.numReady ?? 0) + (batch?.numFailed ?? 0);
      const begun = [...working.values()].reduce((sum, done) => sum + done, 0);
      return Math.min(1, (numDone + begun) / (numDone + numWaiting));
    }
    const running = [...jobs.values()].find(({ job: { state } }) => state === 'reading' || state === 'joining');
    if (!running) return null;
    const { numParts, numRead } = running.job;
    return numParts === 0 ? 0 : Math.min(1, numRead / numParts);
  }

  function tell(): void {
    const numWaiting = numDocuments();
    if (numWaiting > 0) batch ??= { startMs: nowMs(), numReady: 0, numFailed: 0 };
    else if (batch) {
      const { startMs, ...counts } = batch;
      batch = null;
      onEnded({ type: 'documents', ...counts, elapsedMs: nowMs() - startMs });
    }
    const numJobs = [...jobs.values()].filter(({ job: { state } }) => /reading|joining|waiting/.test(state)).length;
    const progress = progressOf(numWaiting);
    const isPaused = folders.length > 0 && folders.every(({ state }) => state === 'paused');
    const activity: Activity = {
      numWorking: numWaiting + numJobs,
      // A percent is finer than any task bar.
      progress: progress === null ? null : Math.round(progress * 100) / 100,
      watching: folders.length === 0 ? 'none' : isPaused ? 'paused' : 'on',
    };
    const now = JSON.stringify(activity);
    if (now === told) return;
    told = now;
    onActivity(activity);
  }

  function take(document: DocumentSummary): void {
    const was = working.has(document.id);
    if (isWorking(document)) {
      working.set(document.id, document.progress);
      return;
    }
    working.delete(document.id);
    if (!was || !batch) return;
    if (document.state === 'ready') batch.numReady += 1;
    else batch.numFailed += 1;
  }

  return {
    library(event) {
      if (event.type === 'reset') {
        working.clear();
        for (const document of event.documents) if (isWorking(document)) working.set(document.id, document.progress);
      } else if (event.type === 'changed') take(event.document);
      else working.delete(event.documentId);
      tell();
    },
    jobs(list) {
      const before = jobs;
      jobs = new Map(
        list.map((job) => [job.turnId, { job, sinceMs: before.get(job.turnId)?.sinceMs ?? nowMs() }] as const),
      );
      for (const [turnId, { job, sinceMs }] of before) {
        const now = jobs.get(turnId)?.job;
        const wasRunning = job.state === 'reading' || job.state === 'joining';
        // One that has come to its end leaves the list.
        if (!wasRunning || (now && now.state !== 'failed')) continue;
        const { chatId } = job;
        onEnded({ type: 'job', chatId, turnId: job.turnId, isDone: !now, elapsedMs: nowMs() - sinceMs });
      }
      tell();
    },
    folders(list) {
      folders = list;
      tell();
    },
  };
}
