/**
 * The file that a plan is written to before it takes its place, and its journal: which tensors are whole, with their
 * hashes. A build that was interrupted goes on from there.
 *
 * What is trusted: the journal says what the bytes of a tensor must hash to, and they are read and hashed again before
 * they count; so a file that was cut, or that a lost power left half on the disk, costs only the tensors it concerns. That
 * the bytes are of this checkpoint is known by the name of the file: a hash of the plan's header and tokenizer and of what
 * the caller says it is made from (names, sizes and times of the checkpoint's files). Whoever can write beside a plan can
 * write the plan, so the journal is no worse than that.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ModelError } from '../model-error.ts';
import type { PlanSection } from './format.ts';

export type PartialPlan = {
  readonly path: string;
  readonly file: FileHandle;
  /** Bytes of the file when it was opened. */
  readonly fileBytes: number;
  /** The hashes of the sections that are whole, by tensor. */
  readonly finished: ReadonlyMap<number, string>;
  /** Remembers that a tensor's section is written. */
  finish(tensorIndex: number, sha256: string): Promise<void>;
  /** Puts the whole plan in its place. */
  publish(): Promise<void>;
  /** Closes it; `keep` leaves it for the next build if a tensor in it is whole. */
  leave(keep: boolean): Promise<void>;
};

const hexDigits = 16;

/**
 * Opens the file beside `out`. `madeFrom` undefined: a new file that nobody goes on with. Otherwise one that an earlier
 * build of the same left is taken up, and those of other builds into the same place are removed.
 */
export async function openPartialPlan(
  out: string,
  madeFrom: string | undefined,
  sections: readonly PlanSection[],
  signal?: AbortSignal,
): Promise<PartialPlan> {
  await refusePlace(out);
  const name = (madeFrom ?? randomBytes(hexDigits / 2).toString('hex')).slice(0, hexDigits);
  const path = `${out}.${name}.partial`;
  const journalPath = `${path}.journal`;
  if (madeFrom !== undefined) await removeOthers(out, path);
  const { file, isTakenUp } = await openOrMake(path);
  try {
    const { size } = await file.stat();
    const journal = isTakenUp ? await readJournal(journalPath, sections.length) : [];
    const finished = new Map<number, string>();
    for (const [index, sha256] of journal) {
      if (await holds(file, sections[index]!, sha256, signal)) finished.set(index, sha256);
    }
    let numFinished = finished.size;
    await writeFile(journalPath, textOf(finished));
    const log = await open(journalPath, 'a');
    return {
      path,
      file,
      fileBytes: size,
      finished,
      async finish(tensorIndex, sha256) {
        numFinished++;
        await log.appendFile(lineOf(tensorIndex, sha256));
      },
      async publish() {
        await log.close();
        await file.sync();
        await file.close();
        await rename(path, out).catch((cause: unknown) => {
          // Two builds of the same write the same bytes to the same file: the first puts it in place for both.
          if (!isCode(cause, 'ENOENT')) throw cause;
        });
        await rm(journalPath, { force: true });
      },
      async leave(keep) {
        await file.close().catch(() => {});
        await log.close().catch(() => {});
        if (keep && numFinished > 0) return;
        await rm(path, { force: true });
        await rm(journalPath, { force: true });
      },
    };
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
}

/** Told before the work, not at its end. */
async function refusePlace(out: string): Promise<void> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ModelError('invalid-input', `The plan cannot be written to ${out}: ${why}.`, { cause });
  };
  if ((await kindOf(out)) === 'folder') refuse('there is a folder of that name');
  if ((await kindOf(dirname(out))) !== 'folder') refuse(`there is no folder ${dirname(out)}`);
  await access(dirname(out), constants.W_OK).catch((cause: unknown) =>
    refuse('the folder may not be written to', cause),
  );
}

async function kindOf(path: string): Promise<'folder' | 'other' | null> {
  const found = await stat(path).catch(() => null);
  if (found === null) return null;
  return found.isDirectory() ? 'folder' : 'other';
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === code;
}

async function openOrMake(path: string): Promise<{ file: FileHandle; isTakenUp: boolean }> {
  try {
    return { file: await open(path, 'wx+'), isTakenUp: false };
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
    return { file: await open(path, 'r+'), isTakenUp: true };
  }
}

/** What builds of something else into the same place left behind is of no use any more. */
async function removeOthers(out: string, ours: string): Promise<void> {
  const folder = dirname(out);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(out)}.`) || name.startsWith(basename(ours))) continue;
    if (/^\.[0-9a-f]{16}\.partial(\.journal)?$/.test(name.slice(basename(out).length))) await rm(join(folder, name));
  }
}

function lineOf(tensorIndex: number, sha256: string): string {
  return `${tensorIndex} ${sha256}\n`;
}

function textOf(finished: ReadonlyMap<number, string>): string {
  return [...finished].map(([index, sha256]) => lineOf(index, sha256)).join('');
}

/** The last word on each tensor; a line that was cut counts for nothing. */
async function readJournal(path: string, numTensors: number): Promise<Map<number, string>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const journal = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [, index, sha256] = /^(\d{1,9}) ([0-9a-f]{64})$/.exec(line) ?? [];
    if (sha256 !== undefined && Number(index) < numTensors) journal.set(Number(index), sha256);
  }
  return journal;
}

const chunkBytes = 4 * 1024 * 1024;

async function holds(file: FileHandle, section: PlanSection, sha256: string, signal?: AbortSignal): Promise<boolean> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, section.sizeBytes));
  for (let done = 0; done < section.sizeBytes; ) {
    if (signal?.aborted) throw new ModelError('cancelled', 'Building the plan was cancelled.');
    const wanted = Math.min(chunk.length, section.sizeBytes - done);
    const { bytesRead } = await file.read(chunk, 0, wanted, section.offset + done);
    if (bytesRead === 0) return false;
    hash.update(chunk.subarray(0, bytesRead));
    done += bytesRead;
  }
  return hash.digest('hex') === sha256;
}
