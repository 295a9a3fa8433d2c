/** Writes a plan file: one tensor after another, to a file beside the place, which it takes only when it is whole. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { ModelError } from '../model-error.ts';
import {
  alignUp,
  maxHeaderBytes,
  type PlanHeader,
  type PlanSection,
  type PlanTensor,
  planMagic,
  planPreambleBytes,
  planTensorBytes,
  planVersion,
  readPlanHeader,
} from './format.ts';
import { openPartialPlan, type PartialPlan } from './partial-plan.ts';

export type PlanWithoutSections = Omit<PlanHeader, 'tokenizer' | 'tensors'> & {
  readonly tensors: readonly Omit<PlanTensor, keyof PlanSection>[];
};

export type WritePlanOptions = {
  out: string;
  plan: PlanWithoutSections;
  tokenizer: unknown;
  /**
   * The bytes of tensor i, together as many as its type and shape ask for. Asked for in ascending order; of a tensor that
   * an earlier write finished not at all.
   */
  partsOf: (tensorIndex: number) => AsyncIterable<Uint8Array>;
  /** What the tensors are made from, in any words: given, an interrupted write of the same is taken up. */
  madeFrom?: string;
  /** Leaves what is finished when the signal comes or the disk is full, for the next write of the same. */
  keepUnfinished?: boolean;
  /** After a tensor that an interrupted write would not lose any more. */
  onFinished?: (tensorIndex: number) => void;
  /** Before the first tensor; what it throws ends the write. */
  begin?: (found: { finished: ReadonlySet<number>; fileBytes: number }) => Promise<void>;
  signal?: AbortSignal;
};

const noHash = '0'.repeat(64);

/** Bytes that are hashed and written at a time: hashing one and writing it go on together. */
const chunkBytes = 4 * 1024 * 1024;

/** The disk begins with what is written every so many bytes, so that the end does not wait for all of it. */
const syncEveryBytes = 256 * 1024 * 1024;

/**
 * Writes the plan to `out`, which exists only when all of it is on the disk. See partial-plan.ts for what is left beside it.
 *
 * Memory: one part at a time. Fails with `cancelled` when the signal says so, and `disk-full`.
 */
export async function writePlan(options: WritePlanOptions): Promise<PlanHeader> {
  const { out, plan, partsOf, signal, begin } = options;
  const tokenizerBytes = Buffer.from(JSON.stringify(options.tokenizer), 'utf8');
  const header = placeSections(plan, tokenizerBytes.length);
  const partial = await openPartialPlan(
    out,
    identityOf(header, tokenizerBytes, options.madeFrom),
    header.tensors,
    signal,
  );
  try {
    await begin?.({ finished: new Set(partial.finished.keys()), fileBytes: partial.fileBytes });
    const writer = createSectionWriter(partial.file, signal);
    const tokenizer = await writer.write(header.tokenizer, once(tokenizerBytes), 'The tokenizer');
    const tensors: PlanTensor[] = [];
    for (const [index, tensor] of header.tensors.entries()) {
      let sha256 = partial.finished.get(index);
      if (sha256 === undefined) {
        ({ sha256 } = await writer.write(tensor, partsOf(index), tensor.name));
        await partial.finish(index, sha256);
        options.onFinished?.(index);
      }
      tensors.push({ ...tensor, sha256 });
    }
    await writer.settle();
    return await publish(partial, out, { ...header, tokenizer, tensors });
  } catch (error) {
    const inWords = outOfRoom(error) ?? error;
    const code = inWords instanceof ModelError ? inWords.code : null;
    await partial.leave(options.keepUnfinished === true && (code === 'cancelled' || code === 'disk-full'));
    throw inWords;
  }
}

/** Bytes of the whole file. */
export function planFileBytes(plan: PlanWithoutSections, tokenizer: unknown): number {
  const header = placeSections(plan, Buffer.byteLength(JSON.stringify(tokenizer), 'utf8'));
  const last = header.tensors.at(-1) ?? header.tokenizer;
  return last.offset + last.sizeBytes;
}

/** The same for two writes that would leave the same file; undefined where nobody says what the tensors are made from. */
function identityOf(header: PlanHeader, tokenizer: Uint8Array, madeFrom: string | undefined): string | undefined {
  if (madeFrom === undefined) return undefined;
  return createHash('sha256').update(JSON.stringify(header)).update(tokenizer).update(madeFrom).digest('hex');
}

async function publish(partial: PartialPlan, out: string, header: PlanHeader): Promise<PlanHeader> {
  const bytes = Buffer.from(JSON.stringify(header), 'utf8');
  const preamble = Buffer.alloc(planPreambleBytes);
  preamble.write(planMagic, 'latin1');
  preamble.writeUInt32LE(planVersion, 8);
  preamble.writeUInt32LE(bytes.length, 12);
  createHash('sha256').update(bytes).digest().copy(preamble, 16);
  await writeAt(partial.file, Buffer.concat([preamble, bytes]), 0);
  const sections: readonly PlanSection[] = [header.tokenizer, ...header.tensors];
  // What lies between sections has no hash: in a file that was taken up it may be anything.
  let end = planPreambleBytes + bytes.length;
  for (const { offset, sizeBytes } of sections) {
    if (partial.fileBytes > 0) await writeAt(partial.file, new Uint8Array(offset - end), end);
    end = offset + sizeBytes;
  }
  await partial.file.truncate(end);
  await partial.publish();
  await readPlanHeader(out); // where another build of the same put it in place, or took it away
  return header;
}

function createSectionWriter(file: FileHandle, signal: AbortSignal | undefined) {
  let unsyncedBytes = 0;
  let syncing: Promise<void> = Promise.resolve();
  return {
    /** Hashes on this thread while another writes; packing goes on on others. */
    async write(section: PlanSection, parts: AsyncIterable<Uint8Array>, name: string): Promise<PlanSection> {
      const hash = createHash('sha256');
      let done = 0;
      for await (const part of parts) {
        if (done + part.length > section.sizeBytes)
          throw new ModelError('invalid-plan', `${name} is larger than planned.`);
        for (let at = 0; at < part.length; at += chunkBytes) {
          if (signal?.aborted) throw new ModelError('cancelled', 'Building the plan was cancelled.');
          const chunk = part.subarray(at, at + chunkBytes);
          const written = writeAt(file, chunk, section.offset + done + at);
          hash.update(chunk);
          await written;
        }
        done += part.length;
        unsyncedBytes += part.length;
        if (unsyncedBytes >= syncEveryBytes) {
          await syncing;
          unsyncedBytes = 0;
          syncing = file.datasync();
          syncing.catch(() => undefined); // told at the next wait for it
        }
      }
      if (signal?.aborted) throw new ModelError('cancelled', 'Building the plan was cancelled.');
      if (done !== section.sizeBytes) throw new ModelError('invalid-plan', `${name} is smaller than planned.`);
      return { ...section, sha256: hash.digest('hex') };
    },
    settle: () => syncing,
  };
}

async function writeAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, offset + at);
    at += bytesWritten;
  }
}

function outOfRoom(error: unknown): ModelError | null {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return null;
  return new ModelError('disk-full', 'The disk is full: the plan could not be written to its end.', { cause: error });
}

/** Hashes have a fixed length, so the header's size is known before they are; only the offsets' digits move it. */
function placeSections(plan: PlanWithoutSections, tokenizerBytes: number): PlanHeader {
  const sizes = plan.tensors.map((tensor) => {
    const bytes = planTensorBytes(tensor.type, tensor.rows, tensor.columns);
    if (bytes !== null) return bytes;
    throw new ModelError('unsupported-model', `${tensor.name} cannot be ${tensor.type}: ${tensor.columns} columns.`);
  });
  for (let headerBytes = 0; ; ) {
    let end = planPreambleBytes + headerBytes;
    const place = (sizeBytes: number): PlanSection => {
      const offset = alignUp(end);
      end = offset + sizeBytes;
      return { offset, sizeBytes, sha256: noHash };
    };
    const tokenizer = place(tokenizerBytes);
    const tensors = plan.tensors.map((tensor, index) => ({ ...tensor, ...place(sizes[index]!) }));
    const header: PlanHeader = { ...plan, tokenizer, tensors };
    const needed = Buffer.byteLength(JSON.stringify(header), 'utf8');
    if (needed > maxHeaderBytes)
      throw new ModelError('unsupported-model', 'The header of this plan would be too large.');
    if (needed === headerBytes) return header;
    headerBytes = needed;
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
