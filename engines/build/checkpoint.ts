/** What every checkpoint reader yields, and what they share. Every number in a checkpoint is untrusted. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Model, Prompts } from '../architectures/architecture.ts';
import type { TensorShapes } from '../graph/types.ts';
import { ModelError } from '../model-error.ts';
import type { PairIds } from '../tokenizer/pair.ts';
import type { TokenizerJson } from '../tokenizer/types.ts';

export type CheckpointTensor = {
  /** Its Hugging Face name, whatever the file calls it. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Names of safetensors and of GGUF's blocks, in lower case; linears kept in groups: see grouped-types.ts. */
  readonly type: string;
  readonly sizeBytes: number;
  /** Linears kept in groups: column i of those sorted by group is this column of the tensor. Absent = they are sorted. */
  readonly columnOrder?: Int32Array;
};

export type Checkpoint = {
  /** What the checkpoint calls itself. */
  readonly name: string;
  readonly model: Model;
  readonly tensors: readonly CheckpointTensor[];
  /** The tensor's bytes, row-major, as the file has them. */
  read(name: string): Promise<Uint8Array>;
  /** Some of those bytes, of a tensor whose rows stand one after the other. Absent = tensors are read whole. */
  readRange?(name: string, offset: number, sizeBytes: number): Promise<Uint8Array>;
  /** What the graph sees of the tensors; absent = `tensors`. */
  readonly shapes?: TensorShapes;
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

/** Names in `why` come from the file: they neither steer a terminal nor fill a window. */
export function damaged(path: string, why: string, cause?: unknown): ModelError {
  const shown = why.slice(0, 500).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '\ufffd');
  return new ModelError('invalid-checkpoint', `${basename(path)} is damaged: ${shown}.`, { cause });
}

/** For PyTorch's own files: a pickle is a program. */
export function pickled(path: string): ModelError {
  return new ModelError(
    'unsupported-model',
    `${basename(path)} is a Python pickle, which can run programs when it is read; convert it to safetensors, or take the model's safetensors files.`,
  );
}

/** A file opened for reads at places; nothing is allocated before its size says that the bytes can be there. */
export type FileBytes = {
  readonly path: string;
  readonly sizeBytes: number;
  at(offset: number, sizeBytes: number): Promise<Buffer>;
  /** Fills `bytes` from `offset` on. */
  into(bytes: Uint8Array, offset: number): Promise<void>;
  close(): Promise<void>;
};

/** Opens a file, or what a link points to. Nothing else is opened: a pipe would never answer. */
export async function openFileBytes(path: string): Promise<FileBytes> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ModelError('invalid-checkpoint', `${basename(path)} cannot be opened.`, { cause });
  });
  if (!found.isFile()) throw new ModelError('invalid-checkpoint', `${basename(path)} is not a file.`);
  const file: FileHandle = await open(path, 'r');
  const size = found.size;
  const check = (offset: number, sizeBytes: number) => {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(sizeBytes) || offset < 0 || sizeBytes < 0) {
      throw damaged(path, 'a place in it is no number');
    }
    if (offset + sizeBytes > size) throw damaged(path, 'it is shorter than it says');
  };
  const into = async (bytes: Uint8Array, offset: number): Promise<void> => {
    check(offset, bytes.length);
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0) throw damaged(path, 'it became shorter while it was read');
      done += bytesRead;
    }
  };
  return {
    path,
    sizeBytes: size,
    async at(offset, sizeBytes) {
      check(offset, sizeBytes);
      const bytes = Buffer.allocUnsafeSlow(sizeBytes);
      await into(bytes, offset);
      return bytes;
    },
    into,
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
