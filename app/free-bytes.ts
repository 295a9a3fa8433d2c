import { statfs } from 'node:fs/promises';

/** Free space for this user where a folder lies; null where it cannot be told. */
export async function freeBytes(folder: string): Promise<number | null> {
  try {
    const found = await statfs(folder);
    return found.bavail * found.bsize;
  } catch {
    return null;
  }
}
