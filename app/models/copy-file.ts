import { open, rm } from 'node:fs/promises';

const chunkBytes = 4 * 1024 * 1024;

/**
 * Copies a file piece by piece and waits until it is on the disk. What was copied of it is removed when it fails or the
 * signal aborts. `onProgress`: the bytes so far.
 */
export async function copyWhole(
  from: string,
  to: string,
  signal: AbortSignal,
  onProgress: (doneBytes: number) => void,
): Promise<void> {
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'w');
    try {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      for (let doneBytes = 0; ; ) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(chunk, 0, chunkBytes, doneBytes);
        if (bytesRead === 0) break;
        for (let written = 0; written < bytesRead; )
          written += (await target.write(chunk, written, bytesRead - written, doneBytes + written)).bytesWritten;
        doneBytes += bytesRead;
        onProgress(doneBytes);
      }
      await target.datasync();
    } finally {
      await target.close();
    }
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}
