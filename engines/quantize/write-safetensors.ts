/** Writes safetensors: the header first, since all sizes are known, then tensor after tensor as they come. */
import { open } from 'node:fs/promises';
import { ModelError } from '../model-error.ts';

export type SafetensorsEntry = {
  readonly name: string;
  readonly dtype: 'F16' | 'F32' | 'I32';
  readonly shape: readonly number[];
};

const valueBytes = { F16: 2, F32: 4, I32: 4 };

export function entryBytes({ dtype, shape }: SafetensorsEntry): number {
  return shape.reduce((product, size) => product * size, valueBytes[dtype]);
}

/** Files of at most `maxBytes` of tensors each, in order; a tensor is never split. */
export function shard(entries: readonly SafetensorsEntry[], maxBytes: number): SafetensorsEntry[][] {
  const shards: SafetensorsEntry[][] = [[]];
  let bytes = 0;
  for (const entry of entries) {
    const size = entryBytes(entry);
    if (bytes + size > maxBytes && shards.at(-1)!.length > 0) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(entry);
    bytes += size;
  }
  return shards;
}

export type SafetensorsFile = {
  /** Wants each of the entries once, in any order. */
  write(name: string, tensor: Uint8Array): Promise<void>;
  /** What was written is on the disk; the file is closed. */
  finish(): Promise<void>;
  /** Closes it as it is; nothing if it is closed. */
  close(): Promise<void>;
};

/** Makes a new file for these entries. */
export async function createSafetensors(path: string, entries: readonly SafetensorsEntry[]): Promise<SafetensorsFile> {
  const places = new Map<string, { offset: number; sizeBytes: number }>();
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let end = 0;
  for (const entry of entries) {
    const sizeBytes = entryBytes(entry);
    header[entry.name] = { dtype: entry.dtype, shape: entry.shape, data_offsets: [end, end + sizeBytes] };
    places.set(entry.name, { offset: end, sizeBytes });
    end += sizeBytes;
  }
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  // Padded with spaces, so that the tensors begin at a multiple of 8.
  const bytes = Buffer.concat([Buffer.alloc(8), text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8), 0);
  const file = await open(path, 'wx');
  await file.write(bytes, 0, bytes.length, 0);
  return {
    async write(name, tensor) {
      const place = places.get(name);
      if (place === undefined || place.sizeBytes !== tensor.length) {
        throw new ModelError('invalid-input', `${name} is not as large as was planned.`);
      }
      for (let at = 0; at < tensor.length; ) {
        const { bytesWritten } = await file.write(tensor, at, tensor.length - at, bytes.length + place.offset + at);
        at += bytesWritten;
      }
    },
    async finish() {
      await file.sync();
      await file.close();
    },
    close: () => file.close().catch(() => undefined),
  };
}
