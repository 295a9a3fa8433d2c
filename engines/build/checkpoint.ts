/** What every checkpoint reader yields, and what they share. Every number in a checkpoint is untrusted. */
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Model, Prompts } from '../architectures/architecture.ts';
import { ModelError } from '../model-error.ts';
import type { PairIds } from '../tokenizer/pair.ts';
import type { TokenizerJson } from '../tokenizer/types.ts';

export type CheckpointTensor = {
  /** Its Hugging Face name, whatever the file calls it. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Names of safetensors and of GGUF's blocks, in lower case. */
  readonly type: string;
  readonly sizeBytes: number;
};

export type Checkpoint = {
  /** What the checkpoint calls itself. */
  readonly name: string;
  readonly model: Model;
  readonly tensors: readonly CheckpointTensor[];
  /** The tensor's bytes, row-major, as the file has them. */
  read(name: string): Promise<Uint8Array>;
  readonly tokenizer: TokenizerJson | null;
  /** The chat template (Jinja). */
  readonly template: string | null;
  readonly startIds: readonly number[];
  readonly stopIds: readonly number[];
  /** Embedders: what they want before a question and a passage. */
  readonly prompts?: Prompts | null;
  /** Rerankers: what stands around and between two texts. */
  readonly pair?: PairIds | null;
  close(): Promise<void>;
};

/** The most tensors and the largest text of a checkpoint that are believed; the largest known models have a tenth. */
export const maxTensors = 100_000;
export const maxTensorBytes = 2 ** 36;

export function damaged(path: string, why: string, cause?: unknown): ModelError {
  return new ModelError('invalid-checkpoint', `${basename(path)} is damaged: ${why}.`, { cause });
}

/** A file opened for reads at places; nothing is allocated before its size says that the bytes can be there. */
export type FileBytes = {
  readonly path: string;
  readonly sizeBytes: number;
  at(offset: number, sizeBytes: number): Promise<Buffer>;
  close(): Promise<void>;
};

export async function openFileBytes(path: string): Promise<FileBytes> {
  const file: FileHandle = await open(path, 'r');
  const { size, isFile } = await file.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
  if (!isFile) {
    await file.close();
    throw new ModelError('invalid-checkpoint', `${basename(path)} is not a file.`);
  }
  return {
    path,
    sizeBytes: size,
    async at(offset, sizeBytes) {
      if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(sizeBytes) || offset < 0 || sizeBytes < 0) {
        throw damaged(path, 'a place in it is no number');
      }
      if (offset + sizeBytes > size) throw damaged(path, 'it is shorter than it says');
      const bytes = Buffer.allocUnsafe(sizeBytes);
      for (let done = 0; done < sizeBytes; ) {
        const { bytesRead } = await file.read(bytes, done, sizeBytes - done, offset + done);
        if (bytesRead === 0) throw damaged(path, 'it became shorter while it was read');
        done += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

/** Rows and columns of a tensor of any number of dimensions, the last being the columns. Null when past 2^53. */
export function matrixShape(dimensions: readonly number[]): { rows: number; columns: number } | null {
  const columns = dimensions.at(-1) ?? 1;
  const rows = dimensions.slice(0, -1).reduce((product, size) => product * size, 1);
  const count = rows * columns;
  const sound = dimensions.every((size) => Number.isSafeInteger(size) && size > 0) && Number.isSafeInteger(count);
  return sound ? { rows, columns } : null;
}

type Range = { readonly name: string; readonly offset: number; readonly sizeBytes: number };

/** The names of two tensors that share bytes, or null. */
export function findOverlap(ranges: readonly Range[]): [string, string] | null {
  const sorted = [...ranges].sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1]!, sorted[i]!];
    if (before.offset + before.sizeBytes > after.offset) return [before.name, after.name];
  }
  return null;
}
