/** Files that tests write and find: tiny checkpoints of their own, given data, the built addon, fetched models. */
import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
export const sharedData = join(root, '..', 'shared', 'data');
export const hasShared = existsSync(join(sharedData, 'README.md'));

/** The plan of an installed model of the catalogue, or null: found by its first bytes, wherever in the model's folder. */
export function installedPlan(id: string): string | null {
  const models = process.env.QUOTH_MODELS;
  if (models === undefined || !existsSync(models)) return null;
  const files = readdirSync(models, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of files) {
    const path = join(entry.parentPath, entry.name);
    if (!path.slice(models.length).includes(id)) continue;
    const file = openSync(path, 'r');
    const magic = Buffer.alloc(8);
    readSync(file, magic, 0, 8, 0);
    closeSync(file);
    if (magic.toString('latin1') === 'QUOTHPLN') return path;
  }
  return null;
}

/** A folder with spaces and Japanese in its name, removed after the body. */
export async function withFolder<Result>(body: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'quoth 山田 太郎 '));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes little-endian pieces one after the other. */
export function bytesOf(
  ...pieces: (Uint8Array | string | { u32: number } | { u64: number | bigint } | { f32: number })[]
) {
  return Buffer.concat(
    pieces.map((piece) => {
      if (typeof piece === 'string') return Buffer.from(piece, 'utf8');
      if (piece instanceof Uint8Array) return piece;
      const bytes = Buffer.alloc('u64' in piece ? 8 : 4);
      if ('u32' in piece) bytes.writeUInt32LE(piece.u32);
      else if ('f32' in piece) bytes.writeFloatLE(piece.f32);
      else bytes.writeBigUInt64LE(BigInt(piece.u64));
      return bytes;
    }),
  );
}

export function ggufText(text: string): Buffer {
  return bytesOf({ u64: Buffer.byteLength(text) }, text);
}

export type GgufTensorSpec = { name: string; dimensions: (number | bigint)[]; type: number; offset: number | bigint };

/** A GGUF file of what it is told, right or wrong. */
export function ggufFile(file: {
  magic?: string;
  version?: number;
  numTensors?: number | bigint;
  numMetadata?: number | bigint;
  metadata?: Buffer[];
  tensors?: GgufTensorSpec[];
  dataBytes?: number;
}): Buffer {
  const metadata = file.metadata ?? [];
  const tensors = file.tensors ?? [];
  const head = bytesOf(
    file.magic ?? 'GGUF',
    { u32: file.version ?? 3 },
    { u64: file.numTensors ?? tensors.length },
    { u64: file.numMetadata ?? metadata.length },
    ...metadata,
    ...tensors.flatMap(({ name, dimensions, type, offset }) => [
      ggufText(name),
      bytesOf({ u32: dimensions.length }, ...dimensions.map((u64) => ({ u64 }))),
      bytesOf({ u32: type }, { u64: offset }),
    ]),
  );
  const padding = Buffer.alloc((32 - (head.length % 32)) % 32);
  return Buffer.concat([head, padding, Buffer.alloc(file.dataBytes ?? 0)]);
}

/** A safetensors file with this header and so many bytes after it. */
export function safetensorsFile(header: unknown, dataBytes: number): Buffer {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  return bytesOf({ u64: Buffer.byteLength(text) }, text, Buffer.alloc(dataBytes));
}

/** Numbers that look like weights, the same for the same seed. */
export function randomNumbers(count: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 0.2;
  });
}

export async function writeTo(folder: string, name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}
