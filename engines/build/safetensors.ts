/** Reads a safetensors file: the table of tensors, checked before anything is allocated by its numbers. */
import { safetensorsTypes } from './block-types.ts';
import {
  damaged,
  type FileBytes,
  findOverlap,
  matrixShape,
  maxTensorBytes,
  maxTensors,
  openFileBytes,
} from './checkpoint.ts';
import { parseStrictJson } from './strict-json.ts';

/** The published library's own limit. */
const maxHeaderBytes = 100_000_000;

export type SafetensorsTensor = {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly type: string;
  readonly offset: number;
  readonly sizeBytes: number;
};

export type Safetensors = { readonly tensors: readonly SafetensorsTensor[]; readonly file: FileBytes };

/** Opens a safetensors file. The caller closes `file`. */
export async function openSafetensors(path: string): Promise<Safetensors> {
  const file = await openFileBytes(path);
  try {
    return { tensors: await readTensors(file), file };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readTensors(file: FileBytes): Promise<SafetensorsTensor[]> {
  const { path } = file;
  const headerSize = (await file.at(0, 8)).readBigUInt64LE(0);
  if (headerSize > BigInt(maxHeaderBytes)) throw damaged(path, `its header claims ${headerSize} bytes`);
  const headerBytes = Number(headerSize);
  const text = await file.at(8, headerBytes);
  let header: unknown;
  try {
    header = parseStrictJson(text);
  } catch (cause) {
    throw damaged(path, `its header ${cause instanceof Error ? cause.message : 'is no JSON'}`, cause);
  }
  if (!isObject(header)) throw damaged(path, 'its header is no object');
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  if (entries.length > maxTensors) throw damaged(path, `it claims ${entries.length} tensors`);

  const start = 8 + headerBytes;
  const dataBytes = file.sizeBytes - start;
  const tensors = entries.map(([name, entry]) => tensorOf(path, name, entry, start, dataBytes));
  const shared = findOverlap(tensors);
  if (shared !== null) throw damaged(path, `the tensors ${shared[0]} and ${shared[1]} share bytes`);
  return tensors;
}

function tensorOf(path: string, name: string, entry: unknown, start: number, dataBytes: number): SafetensorsTensor {
  if (!isObject(entry)) throw damaged(path, `the tensor ${name} is not described`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const valueBytes = typeof dtype === 'string' ? safetensorsTypes.get(dtype) : undefined;
  if (valueBytes === undefined) throw damaged(path, `the type of the tensor ${name} is unknown`);
  if (!Array.isArray(shape) || shape.length > 8) throw damaged(path, `the shape of the tensor ${name} is impossible`);
  const matrix = matrixShape(shape as number[]);
  if (matrix === null) throw damaged(path, `the shape of the tensor ${name} is impossible`);
  const isPlace = (place: unknown): place is number => Number.isSafeInteger(place) && (place as number) >= 0;
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isPlace)) {
    throw damaged(path, `the tensor ${name} has no place`);
  }
  const [begin, endExclusive] = offsets as [number, number];
  const sizeBytes = matrix.rows * matrix.columns * valueBytes;
  if (sizeBytes > maxTensorBytes) throw damaged(path, `the tensor ${name} is too large`);
  if (endExclusive - begin !== sizeBytes) throw damaged(path, `the bytes of the tensor ${name} do not fit its shape`);
  if (endExclusive > dataBytes) throw damaged(path, `it ends before the tensor ${name} does`);
  return { name, ...matrix, type: (dtype as string).toLowerCase(), offset: start + begin, sizeBytes };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
