/**
 * The documents that wait to be read. Two readers run at a time where the computer has two cores, one document is embedded
 * at a time, and both overlap: while one document is embedded, the next is being read. Videos wait for their network in a
 * lane of their own, and so do recordings for one another: to hear one takes minutes, and no document is to wait for that.
 */
import { realpath, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { type IngestProgress, ingestDocument } from '../../ingest/ingest.ts';
import { readerVersions } from '../../ingest/reader-versions.ts';
import { documentKindOf } from '../../ingest/readers/kind.ts';
import { sentenceFor, stateFor } from '../../ingest/reasons.ts';
import type { Source } from '../../ingest/source.ts';
import { QuothError } from '../contract/errors.ts';
import type { DocumentId, DocumentState } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { DocumentTable, StoredDocument } from '../store/document-table.ts';
import type { PassageTable } from '../store/passage-table.ts';
import type { MeaningService } from './meaning.ts';
import { createSemaphore } from './semaphore.ts';

export type QueueParts = {
  outside: Outside;
  documents: DocumentTable;
  passages: PassageTable;
  meaning: MeaningService;
  captionLanguages: () => readonly string[];
  /** Told of each step; `document` is as stored, `progress` from 0 to 1 within its state. */
  onChange: (document: StoredDocument, progress: number) => void;
  /** Nothing waits and nothing runs any more. */
  onQuiet: () => void;
};

export type IngestQueue = {
  /**
   * Queues a document, or finds it queued already. Resolves with it at its end, whatever that is. `quietly`: a ready one stays
   * as it is until its new text is there, and if there is none.
   */
  add(id: DocumentId, options?: { quietly: boolean }): Promise<StoredDocument>;
  /** Stops work on a document and takes it out of the queue. Resolves when nothing of it runs any more. */
  drop(id: DocumentId): Promise<void>;
  has(id: DocumentId): boolean;
  progressOf(id: DocumentId): number;
  isBusy(): boolean;
  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void>;
  close(): Promise<void>;
};

type Job = {
  id: DocumentId;
  controller: AbortController;
  progress: number;
  isQuiet: boolean;
  ended: Promise<StoredDocument>;
};

/** More would gain little, and each may take as much memory as a reader is allowed. */
const numReaders = Math.min(2, availableParallelism());
/** Those being read, one being embedded, one more that is a video or waits between the two. */
const numWorkers = numReaders + 2;

/** A quiet reading that ended so is tried again after the next start. */
const passing: ReadonlySet<string> = new Set(['missing', 'locked', 'crashed', 'outside']);

export function createIngestQueue(parts: QueueParts): IngestQueue {
  const { outside, documents, passages, meaning } = parts;
  const jobs = new Map<DocumentId, Job>();
  const workers = createSemaphore(numWorkers);
  const lanes = {
    file: createSemaphore(numReaders),
    video: createSemaphore(1),
    recording: createSemaphore(1),
    embedding: createSemaphore(1),
  };
  const underway = new Map<string, Promise<void>>();
  let closed = false;

  /** What a failed step is to the person; the state of the document if even that cannot be stored. */
  function end(id: DocumentId, state: DocumentState, reason: string, detail: string): StoredDocument | null {
    try {
      return documents.setState(id, state, { reason, detail });
    } catch (error) {
      outside.log('error', 'the end of a document could not be stored', { id, error: String(error) });
      return documents.find(id);
    }
  }

  async function run(job: Job): Promise<StoredDocument> {
    const { id } = job;
    const { signal } = job.controller;
    let leaveWorkers: (() => void) | undefined;
    let leaveLane: (() => void) | undefined;
    try {
      const isRecording = documentKindOf(documents.find(id)?.name ?? '') === 'recording';
      // Recordings that wait for one another would otherwise take the places of all workers.
      if (!isRecording) leaveWorkers = await workers.enter();
      signal.throwIfAborted();
      const before = documents.find(id);
      if (!before) throw new QuothError('not-found', 'This document is not in the library any more.');
      leaveLane = await lanes[isRecording ? 'recording' : before.sourceType].enter();
      signal.throwIfAborted();
      const source = await sourceNow(before, job.isQuiet);
      if (!source && job.isQuiet) return before;
      if (!source) {
        end(id, stateFor('outside'), sentenceFor('outside'), 'outside: It is a link.');
        return tell(id);
      }
      const meant = await meaning.get();
      const request = { documentId: id, source, knownHash: isOutdated(before) ? null : before.contentHash };
      const ingestOutside = {
        readFile: outside.readFile,
        fetch: outside.fetch,
        store: passages,
        index: meant?.index ?? { add: async () => {}, remove: async () => {} },
        embedder: meant?.embedder ?? null,
        captionLanguages: parts.captionLanguages(),
        underway,
        log: outside.log,
      };
      let state: DocumentState = before.state;
      for await (const step of ingestDocument(request, ingestOutside, signal)) {
        if (step.state === 'embedding' && state !== 'embedding') {
          leaveLane();
          leaveLane = await lanes.embedding.enter();
          signal.throwIfAborted();
        }
        note(job, step, state);
        state = step.state === 'unchanged' ? 'ready' : step.state;
        if (step.state === 'ready' && !step.hasVectors) void meaning.fill(signal);
      }
    } catch (error) {
      if (signal.aborted) throw new QuothError('cancelled', 'The document was removed or Quoth was closed.');
      const known =
        error instanceof QuothError ? error.message : 'Something went wrong inside Quoth. Please try again.';
      outside.log('error', 'a document could not be taken in', { id, error: String(error) });
      if (!job.isQuiet) end(id, 'failed', known, String(error));
    } finally {
      leaveLane?.();
      leaveWorkers?.();
      jobs.delete(id);
      if (jobs.size === 0) parts.onQuiet();
    }
    return tell(id);
  }

  function tell(id: DocumentId): StoredDocument {
    const document = documents.find(id);
    if (!document) throw new QuothError('not-found', 'This document was removed while it was being read.');
    parts.onChange(document, 0);
    return document;
  }

  /** Stores a change of state; progress inside one is only told. */
  function note(job: Job, step: IngestProgress, state: DocumentState): void {
    const { id } = job;
    if (job.isQuiet && step.state !== 'ready') {
      noteQuietly(id, step);
      return;
    }
    if (step.state === 'reading' || step.state === 'embedding') {
      job.progress = Math.min(1, Math.max(0, step.progress));
      const document = step.state === state ? documents.find(id) : documents.setState(id, step.state);
      if (document) parts.onChange(document, job.progress);
      return;
    }
    job.progress = 0;
    if (step.state === 'unchanged') documents.setState(id, 'ready');
    else if ('reason' in step) {
      documents.setFacts(id, { kind: step.kind });
      end(id, step.state, step.sentence, `${step.reason}: ${step.detail}`);
    }
  }

  /** A document that today's reader cannot read keeps what an older one has read; it is not tried at every start. */
  function noteQuietly(id: DocumentId, step: IngestProgress): void {
    if (!('reason' in step) || passing.has(step.reason)) return;
    outside.log('info', 'a document stays as it was read before', { id, reason: step.reason });
    const document = documents.find(id);
    if (document) documents.setFacts(id, { readerVersion: readerVersions[document.kind] });
  }

  /**
   * The document's source as it is now, its size and date noted. Null for a path that is a link: whatever was handed in was
   * resolved, so it was put there since, or lay in a folder and led out of it. `asStored`: null also for a file that has changed,
   * which is for those who look for changes.
   */
  async function sourceNow(document: StoredDocument, asStored: boolean): Promise<Source | null> {
    const { id, location, name } = document;
    if (document.sourceType === 'video')
      return { type: 'video', address: location, videoId: new URL(location).searchParams.get('v') ?? '' };
    const resolved = await realpath(location).catch(() => location);
    if (resolved !== location) return null;
    const facts = await stat(location).catch(() => null);
    const { sizeBytes: size, modifiedAtMs } = document;
    if (asStored && (facts?.size !== size || facts.mtimeMs !== modifiedAtMs)) return null;
    if (facts) documents.setFacts(id, { sizeBytes: facts.size, modifiedAtMs: facts.mtimeMs });
    const sizeBytes = facts?.size ?? document.sizeBytes;
    return { type: 'file', path: location, name, sizeBytes, modifiedAtMs: facts?.mtimeMs ?? document.modifiedAtMs };
  }

  return {
    add(id, { quietly } = { quietly: false }) {
      const there = jobs.get(id);
      if (there) return there.ended;
      if (closed) return Promise.reject(new QuothError('closed', 'Quoth is closing.'));
      const job: Job = {
        id,
        controller: new AbortController(),
        progress: 0,
        isQuiet: quietly,
        ended: Promise.resolve(null as never),
      };
      jobs.set(id, job);
      job.ended = run(job);
      job.ended.catch(() => {}); // whoever cares has the promise; a removed document's end concerns nobody
      return job.ended;
    },
    async drop(id) {
      const job = jobs.get(id);
      job?.controller.abort();
      await job?.ended.catch(() => {});
    },
    has: (id) => jobs.has(id),
    progressOf: (id) => jobs.get(id)?.progress ?? 0,
    isBusy: () => jobs.size > 0,
    async idle() {
      while (jobs.size > 0) await Promise.allSettled([...jobs.values()].map(({ ended }) => ended));
    },
    async close() {
      closed = true;
      for (const { controller } of jobs.values()) controller.abort();
      await this.idle();
    },
  };
}

function isOutdated({ kind, readerVersion }: StoredDocument): boolean {
  return readerVersion < readerVersions[kind];
}
