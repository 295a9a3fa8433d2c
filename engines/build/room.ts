/** Refuses a build before it starts where the disk or the memory will not do. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ModelError } from '../model-error.ts';

/** What there is; null = it cannot be told. Handed in by tests. */
export type Room = {
  diskBytes(folder: string): Promise<number | null>;
  memoryBytes(): number | null;
};

export const thisMachine: Room = {
  async diskBytes(folder) {
    try {
      const found = await statfs(folder);
      return found.bavail * found.bsize;
    } catch {
      return null;
    }
  },
  // Of the container where this process lives in one.
  memoryBytes: () => process.availableMemory?.() ?? null,
};

/** A disk filled to the last byte stops everything else on it. */
const spareDiskBytes = 64e6;

/** Node, the program and its graph. */
const ownMemoryBytes = 150e6;

/** Pieces in flight stand twice, in JavaScript and in the builder's arithmetic, read and packed. */
export function memoryNeeded(inFlightBytes: number, peakPieceBytes: number): number {
  return ownMemoryBytes + 2 * Math.max(inFlightBytes, peakPieceBytes) + peakPieceBytes;
}

/** Fails with `disk-full` or `out-of-memory`, and one sentence with both numbers. */
export async function refuseWithoutRoom(
  room: Room,
  needs: { readonly out: string; readonly diskBytes: number; readonly memoryBytes: number },
): Promise<void> {
  const folder = dirname(needs.out);
  const disk = await room.diskBytes(folder);
  const wanted = needs.diskBytes + spareDiskBytes;
  if (disk !== null && disk < wanted) {
    throw new ModelError(
      'disk-full',
      `The plan takes ${inWords(wanted)} more on the disk of ${folder}, where ${inWords(disk)} are free.`,
    );
  }
  const memory = room.memoryBytes();
  if (memory !== null && memory < needs.memoryBytes) {
    throw new ModelError(
      'out-of-memory',
      `Building this plan takes ${inWords(needs.memoryBytes)} of memory, and ${inWords(memory)} are free.`,
    );
  }
}

function inWords(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
