/**
 * Reads one file in a disposable process: a parser may hang, eat all memory or die, and must cost only its own file.
 *
 * How the process is started is an argument: `main/processes.ts` forks `readers/reader-main.ts`, tests use
 * `readers/node-spawner.ts`.
 */

import {
  limitsFor,
  listenLimits,
  type ReaderLimits,
  type ReaderMessage,
  type ReaderRequest,
  scanLimits,
} from './reader-process.ts';
import { documentKindOf } from './readers/kind.ts';
import {
  type Box,
  type DocumentKind,
  documentKinds,
  type FailureReason,
  failureReasons,
  type ReadFile,
  type ReadResult,
  type Section,
} from './source.ts';

/** A started reader process, as far as the core sees it. `kill` is for good (SIGKILL) and may be called again. */
export type ReaderChild = {
  send(request: ReaderRequest): void;
  /** What the process says; it parsed an untrusted file, so the message's shape is checked here. */
  onMessage(listener: (message: unknown) => void): void;
  /** Called once when the process has ended or could not be started. `code` is null for a signal. */
  onExit(listener: (end: { code: number | null; signal: string | null }) => void): void;
  kill(): void;
  /** Resident memory in bytes; null where the system does not tell or the process has gone. */
  memoryBytes(): Promise<number | null>;
};

/**
 * Starts a fresh reader. `path` is the one file it may open, beside what lies in `folders`. The spawner should hold V8's heap below
 * `limits.memoryBytes` and should deny the process whatever else the system lets it deny.
 */
export type SpawnReader = (limits: ReaderLimits, path: string, folders: readonly string[]) => ReaderChild;

export type RunReaderOptions = {
  /** Other limits than `limitsFor`, for tests. */
  limits?: (sizeBytes: number) => ReaderLimits;
  /** How often the memory of the reader is looked at. */
  memoryPollMs?: number;
};

/** V8 ends a process that passes its heap limit with an abort: that is hunger, not a crash of the parser. */
const outOfMemoryCodes = [134, 137];
const outOfMemorySignals = ['SIGABRT', 'SIGKILL'];

/**
 * A `ReadFile` over disposable processes. It never throws: every end, including a leaving caller, is a `ReadResult`. A
 * leaving caller gets `crashed` with the detail "stopped", which it will not look at.
 */
export function createReadFile(spawnReader: SpawnReader, options: RunReaderOptions = {}): ReadFile {
  const chooseLimits = options.limits ?? limitsFor;
  const memoryPollMs = options.memoryPollMs ?? 100;

  return (source, { signal, onProgress, wordsOf, scanFolders, speech }) =>
    new Promise((resolve) => {
      const kind = documentKindOf(source.name);
      const limits = chooseLimits(source.sizeBytes);
      if (signal.aborted) return resolve(failed(kind, 'crashed', 'stopped'));

      let child: ReaderChild;
      try {
        child = spawnReader(limits, source.path, [...(scanFolders ?? []), ...(speech ? [speech.folder] : [])]);
      } catch (error) {
        return resolve(failed(kind, 'crashed', `The reader could not be started: ${describe(error)}`));
      }

      let ended = false;
      let highestBytes = 0;
      const end = (result: ReadResult) => {
        if (ended) return;
        ended = true;
        clearTimeout(deadline);
        clearInterval(memoryPoll);
        signal.removeEventListener('abort', onAbort);
        child.kill();
        resolve(result);
      };
      const onAbort = () => end(failed(kind, 'crashed', 'stopped'));
      const startedMs = performance.now();
      let endsAtMs = startedMs + limits.deadlineMs;
      const onDeadline = () => {
        const seconds = Math.round((performance.now() - startedMs) / 1000);
        end(failed(kind, 'too-slow', `It was not read after ${seconds} s.`));
      };
      let deadline = setTimeout(onDeadline, limits.deadlineMs);
      // A scanned page gets its own time on top, so that a thin file of many scans is read; a reader gone astray gains no more.
      const grantScan = () => {
        endsAtMs = Math.min(
          endsAtMs + scanLimits.pageClockMs,
          startedMs + limits.deadlineMs + scanLimits.documentClockMs,
        );
        clearTimeout(deadline);
        deadline = setTimeout(onDeadline, endsAtMs - performance.now());
      };
      // A recording has as much time as it has stretches, but none more than its own: one that hangs is found in minutes.
      const grantListening = () => {
        const nowMs = performance.now();
        endsAtMs = Math.min(
          Math.max(endsAtMs, nowMs + listenLimits.stretchClockMs),
          startedMs + listenLimits.documentClockMs,
        );
        clearTimeout(deadline);
        deadline = setTimeout(onDeadline, endsAtMs - nowMs);
      };
      const memoryPoll = setInterval(() => {
        child.memoryBytes().then(
          (bytes) => {
            highestBytes = Math.max(highestBytes, bytes ?? 0);
            if (highestBytes > limits.memoryBytes) end(tooHungry(kind, limits));
          },
          () => {}, // not knowing the memory is no fault of the file; the heap limit still holds
        );
      }, memoryPollMs);
      signal.addEventListener('abort', onAbort, { once: true });

      child.onMessage((message) => {
        if (ended || !isReaderMessage(message)) return;
        if (message.type === 'progress') {
          if (message.isScanning === true) grantScan();
          if (message.isListening === true) grantListening();
          onProgress?.(Math.min(1, Math.max(0, message.done)));
        } else end(message.result);
      });
      child.onExit(({ code, signal: exitSignal }) => {
        const outOfMemory =
          (code !== null && outOfMemoryCodes.includes(code)) ||
          (exitSignal !== null && outOfMemorySignals.includes(exitSignal));
        if (outOfMemory) end(tooHungry(kind, limits));
        else end(failed(kind, 'crashed', `The reader ended with ${exitSignal ?? `code ${code}`}.`));
      });
      try {
        const { path, name, sizeBytes } = source;
        const kits = { ...(scanFolders ? { scanFolders } : {}), ...(speech ? { speech } : {}) };
        child.send({ type: 'read', path, name, sizeBytes, ...(wordsOf ? { wordsOf } : {}), ...kits });
      } catch (error) {
        end(failed(kind, 'crashed', `The reader did not take the file: ${describe(error)}`));
      }
    });
}

/**
 * The reader parsed an untrusted file and may speak for it: what it says is taken only if every field is what it should be.
 */
function isReaderMessage(message: unknown): message is ReaderMessage {
  if (!isObject(message)) return false;
  if (message.type === 'progress') return Number.isFinite(message.done);
  return message.type === 'result' && isReadResult(message.result);
}

function isReadResult(result: unknown): result is ReadResult {
  if (!isObject(result) || !isOneOf(fileKinds, result.kind)) return false;
  if (result.type === 'failed') return isOneOf(failureReasons, result.reason) && isText(result.detail, 100_000);
  if (result.type !== 'read' || !isText(result.title, 10_000) || !Array.isArray(result.sections)) return false;
  if (
    result.scannedPages !== undefined &&
    !(Array.isArray(result.scannedPages) && result.scannedPages.every(isScanned))
  )
    return false;
  if (result.unread !== undefined && !(Array.isArray(result.unread) && result.unread.every(isUnreadPart))) return false;
  return (result.numPages === null || isCount(result.numPages)) && result.sections.every(isSection);
}

function isUnreadPart(part: unknown): boolean {
  return isObject(part) && isText(part.name, 1000) && isOneOf(failureReasons, part.reason);
}

function isScanned(scanned: unknown): boolean {
  if (!isObject(scanned) || !isCount(scanned.page) || !Array.isArray(scanned.words)) return false;
  if (scanned.confidence !== undefined && !(Number(scanned.confidence) >= 0 && Number(scanned.confidence) <= 100))
    return false;
  if (scanned.languages !== undefined && !isNames(scanned.languages)) return false;
  return scanned.words.every((word) => isObject(word) && isText(word.text, 1000) && isBox(word.box));
}

function isNames(names: unknown): boolean {
  return Array.isArray(names) && names.length <= 100 && names.every((name) => isText(name, 20));
}

function isBox(box: unknown): box is Box {
  return Array.isArray(box) && box.length === 4 && box.every((side) => Number.isFinite(side));
}

function isNamedCell(cell: unknown): boolean {
  return isObject(cell) && isText(cell.column, 10_000) && isText(cell.text) && isBox(cell.box);
}

function isSection(section: unknown): section is Section {
  if (!isObject(section) || !isText(section.text) || !isObject(section.locator)) return false;
  if (section.heading !== null && !isText(section.heading, 10_000)) return false;
  if (section.label !== undefined && !isText(section.label, 1000)) return false;
  if (section.row !== undefined && !isTableRow(section.row)) return false;
  if (section.speaker !== undefined && !isText(section.speaker, 200)) return false;
  const { type, page, paragraph, startSeconds, endSeconds } = section.locator;
  if (type === 'time') return isSeconds(startSeconds) && isSeconds(endSeconds);
  return (type === 'page' && isCount(page)) || (type === 'paragraph' && isCount(paragraph));
}

function isTableRow(row: unknown): boolean {
  if (!isObject(row) || !Number.isSafeInteger(row.table)) return false;
  if (row.header !== undefined && !isText(row.header)) return false;
  if (row.title !== undefined && !isText(row.title, 10_000)) return false;
  if (row.named !== undefined && !(Array.isArray(row.named) && row.named.every(isNamedCell))) return false;
  return row.cells === undefined || (isObject(row.cells) && isText(row.cells.first, 20) && isText(row.cells.last, 20));
}

function isSeconds(value: unknown): boolean {
  return Number.isFinite(value) && Number(value) >= 0;
}

const fileKinds: readonly DocumentKind[] = documentKinds.filter((kind) => kind !== 'youtube');

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown, mostCharacters = Number.POSITIVE_INFINITY): value is string {
  return typeof value === 'string' && value.length <= mostCharacters;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1;
}

function isOneOf(list: readonly string[], value: unknown): boolean {
  return typeof value === 'string' && list.includes(value);
}

function tooHungry(kind: DocumentKind, limits: ReaderLimits): ReadResult {
  return failed(kind, 'too-hungry', `It needed more than ${Math.round(limits.memoryBytes / 1e6)} MB of memory.`);
}

function failed(kind: DocumentKind, reason: FailureReason, detail: string): ReadResult {
  return { type: 'failed', kind, reason, detail };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
