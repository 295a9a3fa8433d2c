/**
 * Takes a whole profile off the disk: what a person wrote and read must not be found there afterwards, as far as a program
 * can see to that. Every file is overwritten before it is removed; a disk that writes elsewhere what is overwritten (an SSD, a
 * file system that copies) is beyond it.
 *
 * A note is written first, so that an end of the process in between only delays it: `finishWipe` goes on at the next start.
 */
import { type FileHandle, lstat, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** What Quoth puts into a profile's folder, and nothing else: a person may have chosen a folder that holds more. */
const ours = /^(quoth\.db.*|quoth\.log|quoth\.old\.log|keys\.json|local-api\.json|index|dropped|samples)$/;
const noteName = 'quoth.forgetting';
const pieceBytes = 1 << 20;

/** Overwrites and removes all of a profile that nobody has open any more. */
export async function wipeProfile(profileFolder: string): Promise<void> {
  const note = path.join(profileFolder, noteName);
  await writeFile(note, '', { mode: 0o600 });
  try {
    for (const name of await readdir(profileFolder)) if (ours.test(name)) await wipe(path.join(profileFolder, name));
  } finally {
    // Also where it failed: the person is told, and what they add from now on must not go at the next start.
    await rm(note, { force: true });
  }
}

/** Goes on where an end of the process has left a wipe. */
export async function finishWipe(profileFolder: string): Promise<void> {
  const isBegun = await stat(path.join(profileFolder, noteName)).then(
    () => true,
    () => false,
  );
  if (isBegun) await wipeProfile(profileFolder);
}

/** A file or a folder with all that lies in it. Links are removed, what they lead to stays as it is. */
async function wipe(name: string): Promise<void> {
  const found = await lstat(name).catch(() => null);
  if (!found) return;
  if (found.isDirectory()) for (const inner of await readdir(name)) await wipe(path.join(name, inner));
  else if (found.isFile() && found.nlink === 1) await overwrite(name, found.size);
  await rm(name, { recursive: true, force: true, maxRetries: 3 });
}

async function overwrite(name: string, sizeBytes: number): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(name, 'r+');
    const zeros = new Uint8Array(Math.min(sizeBytes, pieceBytes));
    for (let at = 0; at < sizeBytes; at += zeros.length)
      await file.write(zeros, 0, Math.min(zeros.length, sizeBytes - at), at);
    await file.datasync();
  } finally {
    await file?.close();
  }
}
