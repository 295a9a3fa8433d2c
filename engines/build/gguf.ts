/** Reads GGUF v2 and v3: metadata and the table of tensors, all checked before anything is allocated by their numbers. */
import { isUtf8 } from 'node:buffer';
import { basename } from 'node:path';
import { ModelError } from '../model-error.ts';
import { ggufTypes } from './block-types.ts';
import {
  damaged,
  type FileBytes,
  findOverlap,
  matrixShape,
  maxTensorBytes,
  maxTensors,
  openFileBytes,
} from './checkpoint.ts';

/** Strings of a tokenizer are short, but a chat template may be long. */
const maxStringBytes = 16 * 1024 * 1024;
const maxMetadata = 65_536;
const maxArrayItems = 16 * 1024 * 1024;
/** Everything before the tensors; the largest known vocabularies take 12 MiB. */
const maxHeadBytes = 512 * 1024 * 1024;

export type GgufValue = number | boolean | string | readonly number[] | readonly string[];

export type GgufTensor = {
  /** The file's own name. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly type: string;
  readonly offset: number;
  readonly sizeBytes: number;
};

export type Gguf = {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  readonly file: FileBytes;
};

/** Opens a GGUF file. The caller closes `file`. */
export async function openGguf(path: string): Promise<Gguf> {
  const file = await openFileBytes(path);
  try {
    return { ...(await readHead(file)), file };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readHead(file: FileBytes): Promise<Omit<Gguf, 'file'>> {
  const { path } = file;
  const input = createInput(file);
  if ((await input.bytes(4)).toString('latin1') !== 'GGUF') throw damaged(path, 'it does not begin with GGUF');
  const version = await input.u32();
  if (version !== 2 && version !== 3) {
    throw new ModelError(
      'unsupported-model',
      `${basename(path)}: GGUF of version ${version} is not read, only 2 and 3.`,
    );
  }
  const numTensors = await input.count('tensors', maxTensors);
  const numMetadata = await input.count('metadata', maxMetadata);

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < numMetadata; i++) {
    const key = await input.name();
    if (metadata.has(key)) throw damaged(path, `it has ${key} twice`);
    metadata.set(key, await readValue(input, path, await input.u32()));
  }

  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || alignment < 1 || alignment > 65_536 || (alignment & (alignment - 1)) !== 0) {
    throw damaged(path, 'its alignment is no power of two');
  }
  const heads: Omit<GgufTensor, 'name'>[] = [];
  const names: string[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < numTensors; i++) {
    const name = await input.name();
    if (seen.has(name)) throw damaged(path, `it has the tensor ${name} twice`);
    seen.add(name);
    names.push(name);
    heads.push(await readTensorHead(input, path, name, alignment));
  }

  const start = Math.ceil(input.position() / alignment) * alignment;
  const tensors = heads.map(
    (head, index): GgufTensor => ({ ...head, name: names[index]!, offset: start + head.offset }),
  );
  for (const tensor of tensors) {
    if (tensor.offset + tensor.sizeBytes > file.sizeBytes) {
      throw damaged(path, `it ends before the tensor ${tensor.name} does`);
    }
  }
  const shared = findOverlap(tensors);
  if (shared !== null) throw damaged(path, `the tensors ${shared[0]} and ${shared[1]} share bytes`);
  return { metadata, tensors };
}

async function readTensorHead(
  input: Input,
  path: string,
  name: string,
  alignment: number,
): Promise<Omit<GgufTensor, 'name'>> {
  const numDimensions = await input.u32();
  if (numDimensions < 1 || numDimensions > 4) throw damaged(path, `the tensor ${name} has ${numDimensions} dimensions`);
  const dimensions: number[] = [];
  for (let d = 0; d < numDimensions; d++) dimensions.unshift(await input.u64());
  const shape = matrixShape(dimensions);
  if (shape === null) throw damaged(path, `the shape of the tensor ${name} is impossible`);
  const typeNumber = await input.u32();
  const type = ggufTypes.get(typeNumber);
  if (type === undefined) {
    throw new ModelError(
      'unsupported-model',
      `${basename(path)}: the tensor ${name} has a type (${typeNumber}) that is not read here.`,
    );
  }
  if (shape.columns % type.values !== 0)
    throw damaged(path, `the columns of ${name} are no whole blocks of ${type.name}`);
  const sizeBytes = (shape.columns / type.values) * type.bytes * shape.rows;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes > maxTensorBytes)
    throw damaged(path, `the tensor ${name} is too large`);
  const offset = await input.u64();
  if (offset % alignment !== 0) throw damaged(path, `the tensor ${name} is not aligned`);
  return { ...shape, type: type.name, offset, sizeBytes };
}

const scalarBytes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

async function readValue(input: Input, path: string, type: number): Promise<GgufValue> {
  if (type === 8) return input.text(maxStringBytes);
  if (type === 9) {
    const itemType = await input.u32();
    const numItems = await input.count('items of a list', maxArrayItems);
    if (itemType === 8) {
      const items: string[] = [];
      for (let i = 0; i < numItems; i++) items.push(await input.text(maxStringBytes));
      return items;
    }
    const bytes = scalarBytes[itemType];
    if (bytes === undefined) throw damaged(path, `a list has items of the unknown type ${itemType}`);
    const block = await input.bytes(bytes * numItems);
    return Array.from({ length: numItems }, (_, i) => Number(scalarOf(block, i * bytes, itemType)));
  }
  const bytes = scalarBytes[type];
  if (bytes === undefined) throw damaged(path, `a value has the unknown type ${type}`);
  return scalarOf(await input.bytes(bytes), 0, type);
}

function scalarOf(from: Buffer, at: number, type: number): number | boolean {
  if (type === 0) return from.readUInt8(at);
  if (type === 1) return from.readInt8(at);
  if (type === 2) return from.readUInt16LE(at);
  if (type === 3) return from.readInt16LE(at);
  if (type === 4) return from.readUInt32LE(at);
  if (type === 5) return from.readInt32LE(at);
  if (type === 6) return from.readFloatLE(at);
  if (type === 7) return from.readUInt8(at) !== 0;
  if (type === 10) return Number(from.readBigUInt64LE(at));
  if (type === 11) return Number(from.readBigInt64LE(at));
  return from.readDoubleLE(at);
}

type Input = ReturnType<typeof createInput>;

/** Reads forward through the head of the file, by windows of a megabyte. */
function createInput(file: FileBytes) {
  const windowBytes = 1024 * 1024;
  let window: Buffer = Buffer.alloc(0);
  let windowStart = 0;
  let position = 0;

  const bytes = async (sizeBytes: number): Promise<Buffer> => {
    if (position + sizeBytes > file.sizeBytes) throw damaged(file.path, 'it is shorter than it says');
    if (position + sizeBytes > maxHeadBytes) throw damaged(file.path, 'what stands before its tensors is too large');
    if (position < windowStart || position + sizeBytes > windowStart + window.length) {
      window = await file.at(position, Math.min(Math.max(windowBytes, sizeBytes), file.sizeBytes - position));
      windowStart = position;
    }
    const from = position - windowStart;
    position += sizeBytes;
    return window.subarray(from, from + sizeBytes);
  };
  const u64 = async (): Promise<number> => {
    const value = (await bytes(8)).readBigUInt64LE(0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(file.path, 'a size in it is past all bounds');
    return Number(value);
  };
  const text = async (mostBytes: number, strict = false): Promise<string> => {
    const sizeBytes = await u64();
    if (sizeBytes > mostBytes) throw damaged(file.path, 'a text in it is too long');
    const found = await bytes(sizeBytes);
    if (strict && !isUtf8(found)) throw damaged(file.path, 'a name in it is no UTF-8');
    return found.toString('utf8');
  };
  return {
    bytes,
    u64,
    position: () => position,
    u32: async (): Promise<number> => (await bytes(4)).readUInt32LE(0),
    /** A count of things that take at least a byte each. */
    async count(what: string, most: number): Promise<number> {
      const count = await u64();
      if (count > most || count > file.sizeBytes - position) throw damaged(file.path, `it claims ${count} ${what}`);
      return count;
    },
    text,
    /** What things are told apart by: UTF-8 and nothing else, or two could look the same. */
    name: (): Promise<string> => text(65_535, true),
  };
}
