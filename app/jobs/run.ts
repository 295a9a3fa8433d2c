/** One job's whole story: from the documents to the answer, whose every line has its quote. */
import { setImmediate } from 'node:timers/promises';
import type { StoredPassage } from '../../ingest/store.ts';
import type { ReadPassages } from '../chats/finish.ts';
import { asLine } from '../chats/markdown.ts';
import { verifyCitations } from '../chats/verify.ts';
import type { Answer, Coverage, DocumentId, JobTask } from '../contract/types.ts';
import type { JobTable, StoredJob } from '../store/job-table.ts';
import { comparePieces, readPieces, writeComparison } from './compare.ts';
import type { Courtesy } from './courtesy.ts';
import { findMentions, findNear, type Near, writeMentions } from './mentions.ts';
import type { ModelHand } from './model-hand.ts';
import { cutParts, type Part, type PassagesOf } from './parts.ts';
import { linesFor, noteKey, summariseDocument } from './summarise.ts';
import { type JobWords, jobWords } from './words.ts';
import { createPage, type Line, type Page, type Planned, type Worker } from './worker.ts';

/** What the library says of the documents of a task. */
export type Scope = {
  readable: { id: DocumentId; title: string; numPassages: number }[];
  unread: Coverage['unread'];
};

export type RunParts = {
  notes: Pick<JobTable, 'note' | 'saveNote'>;
  scopeOf: (task: JobTask) => Promise<Scope>;
  passagesOf: PassagesOf;
  readPassages: ReadPassages & ((ids: number[]) => StoredPassage[]);
  openModel: () => Promise<ModelHand | null>;
  /** Null while no embedder is installed. */
  near: () => Promise<Omit<Near, 'passages'> | null>;
  courtesy: Courtesy;
  nowMs: () => number;
};

export type Progress = {
  state: 'reading' | 'joining';
  numParts: number;
  numRead: number;
  document: string | null;
};

/** Characters of a part where no model reads it: some pages. */
const partCharacters = 8000;
const mostUnreadNamed = 50;
/** Lines of each document that stand before what differs, where a model can write them. */
const linesBeforeComparison = 3;

/** Runs a job until it is done, or as far as it came when `signal` aborted: the answer says how far. */
export async function runJob(
  job: StoredJob,
  parts: RunParts,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Answer> {
  const startMs = parts.nowMs();
  const words = jobWords[job.language];
  const { task } = job;
  const scope = await parts.scopeOf(task);
  const model = task.type === 'mentions' || scope.readable.length === 0 ? null : await parts.openModel();
  const { documents, coverage } = await plan(scope, parts.passagesOf, model, task);
  const progress: Progress = { state: 'reading', numParts: coverage.numParts, numRead: 0, document: null };
  const tell = (part: Partial<Progress>): void => onProgress({ ...Object.assign(progress, part) });
  tell({});

  const read = new Set<Part>();
  const reread = new Set<DocumentId>();
  const worker: Worker = {
    words,
    signal,
    model,
    passagesOf: parts.passagesOf,
    notes: {
      read: (part) => parts.notes.note(job.turnId, noteKey(part, model?.id ?? '')),
      save: (part, lines) => parts.notes.saveNote(job.turnId, part.documentId, noteKey(part, model?.id ?? ''), lines),
    },
    async breathe() {
      await setImmediate();
      await parts.courtesy.quiet(signal);
    },
    onBegin: ({ title }) => tell({ document: title }),
    onRead(part, numPassages, inOwnWords) {
      if (numPassages < part.numPassages) noteLoss(part);
      if (inOwnWords) coverage.numInOwnWords += 1;
      if (read.has(part)) return;
      read.add(part);
      coverage.numPassages += numPassages;
      coverage.numRead = read.size;
      tell({ numRead: read.size });
    },
    onJoin: () => tell({ state: 'joining', document: null }),
  };
  /** Removed or read anew while the job was on its way. */
  function noteLoss({ documentId, title }: Part): void {
    if (reread.has(documentId)) return;
    reread.add(documentId);
    coverage.unread.push({ documentId, title, reason: 'It changed, or was removed, while it was being read.' });
  }

  const page = createPage();
  if (coverage.numParts === 0) page.paragraph(words.nothing);
  else await tasks[task.type](worker, page, documents, task, parts);
  if (model?.isLost()) page.paragraph(words.modelFailed);
  coverage.numDocuments = new Set([...read].map(({ documentId }) => documentId)).size;
  writeCoverage(page, words, coverage);
  const elapsedMs = parts.nowMs() - startMs;
  return {
    text: page.text(),
    citations: verifyCitations(page.citations, parts.readPassages),
    refused: false,
    writtenBy: model && coverage.numInOwnWords < coverage.numRead ? 'model' : 'quotes',
    end: signal.aborted ? 'stopped' : 'complete',
    timings: {
      retrieveMs: 0,
      ttftMs: elapsedMs,
      decodeTokensPerSecond: 0,
      numPromptTokens: 0,
      numCachedTokens: 0,
      numOutputTokens: 0,
    },
    ...(model?.sentTo ? { sentTo: { ...model.sentTo, numPassages: coverage.numRead } } : {}),
    job: { task, coverage },
  };
}

type Run = (worker: Worker, page: Page, documents: Planned[], task: JobTask, parts: RunParts) => Promise<void>;

const summarise: Run = async (worker, page, documents) => {
  if (!worker.model) page.paragraph(worker.words.noModel);
  const sections: { title: string; lines: Line[] }[] = [];
  for (const document of documents) {
    const howMany = linesFor(document.parts.length, documents.length);
    const lines = await summariseDocument(worker, document, howMany);
    if (lines.length > 0) sections.push({ title: document.title, lines });
    if (worker.signal.aborted) break;
  }
  worker.onJoin();
  for (const { title, lines } of sections) {
    if (documents.length > 1) page.heading(title);
    page.list(lines.map((line) => page.say(line)));
  }
};

const mentions: Run = async (worker, page, documents, task, parts) => {
  if (task.type !== 'mentions') return;
  const found = await findMentions(worker, documents, task.words);
  worker.onJoin();
  const meaning = worker.signal.aborted ? null : await parts.near();
  let near: Line[] = [];
  try {
    if (meaning)
      near = await findNear(worker, documents, task.words, found, { ...meaning, passages: parts.readPassages });
  } catch {
    // The engine died, say: what has the words is all there.
  }
  writeMentions(page, worker.words, task.words, found, near);
};

const compare: Run = async (worker, page, documents) => {
  const [first, second] = documents;
  if (!first || !second) return;
  const reader = worker.model ? { ...worker, ...silent } : worker;
  const [one, other] = [await readPieces(reader, first), await readPieces(reader, second)];
  // Half a document would seem to lack what stands in its other half.
  const comparison = worker.signal.aborted ? null : await comparePieces(one, other);
  if (worker.model) {
    page.heading(worker.words.inShort);
    for (const document of [first, second]) {
      const lines = await summariseDocument(worker, document, linesBeforeComparison);
      page.paragraph(`**${asLine(document.title)}**`);
      page.list(lines.map((line) => page.say(line)));
    }
  }
  worker.onJoin();
  if (comparison) writeComparison(page, worker.words, [first.title, second.title], comparison);
};

/** Where the model reads as well, that is the progress that counts: the first reading takes no time. */
const silent: Pick<Worker, 'onBegin' | 'onRead'> = { onBegin: () => {}, onRead: () => {} };

const tasks: Record<JobTask['type'], Run> = { summarise, mentions, compare };

/** The documents in parts, and a coverage of which nothing is read yet. */
async function plan(
  { readable, unread }: Scope,
  passagesOf: PassagesOf,
  model: ModelHand | null,
  task: JobTask,
): Promise<{ documents: Planned[]; coverage: Coverage }> {
  const coverage: Coverage = {
    numParts: 0,
    numRead: 0,
    numDocuments: 0,
    numPassages: 0,
    numInOwnWords: 0,
    unread: [...unread],
  };
  const documents: Planned[] = [];
  const reads = model !== null && task.type !== 'mentions';
  const sizeOf = reads ? (text: string) => model.countTokens(text) + 2 : (text: string) => text.length;
  for (const document of readable) {
    const cut = await cutParts(document, passagesOf, sizeOf, reads ? model.partTokens : partCharacters);
    const numThere = cut.reduce((sum, { numPassages }) => sum + numPassages, 0);
    if (numThere < document.numPassages) {
      const reason = `${document.numPassages - numThere} of its passages are damaged on the disk; it is being read again.`;
      coverage.unread.push({ documentId: document.id, title: document.title, reason });
    }
    coverage.numParts += cut.length;
    if (cut.length > 0) documents.push({ id: document.id, title: document.title, parts: cut });
  }
  return { documents, coverage };
}

/** The last lines of every result: how much was read, and what was not, with the reason. */
function writeCoverage(page: Page, words: JobWords, coverage: Coverage): void {
  page.paragraph(`*${words.coverage(coverage)}*`);
  if (coverage.unread.length === 0) return;
  page.paragraph(`*${words.notRead}:*`);
  const items = coverage.unread
    .slice(0, mostUnreadNamed)
    .map(({ title, reason }) => `${asLine(title)}: ${asLine(reason)}`);
  const numMore = coverage.unread.length - items.length;
  page.list(numMore > 0 ? [...items, words.andMore(numMore)] : items);
}
