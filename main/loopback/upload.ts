/** Files that a browser sends: stored in the profile under their content's hash, with a name that any system allows. */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { QuothError } from '../../app/contract/errors.ts';
import { maxUploadBytes } from '../../app/contract/shell.ts';

/** Names that Windows takes for devices, with any extension. */
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i;
/** Most file systems allow 255 bytes; some room for names that we put beside it. */
const maxNameBytes = 200;
/** What stays free on the disk for the database while a file comes in. */
const reserveBytes = 200_000_000;

/** The last part of a relative path, as a file name that is allowed on Windows, macOS and Linux. */
export function safeFileName(relativePath: string): string {
  const last = relativePath.normalize('NFC').split(/[\\/]/).at(-1) ?? '';
  const cleaned = last
    // Control characters, those that Windows forbids, and marks that turn the reading direction (they can hide a suffix).
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    .replace(/[\u0000-\u001f\u007f<>:"|?*\u202a-\u202e\u2066-\u2069]/g, '_')
    .replace(/[. ]+$/, '')
    .replace(/^ +/, '');
  const named = cleaned === '' || cleaned === '.' || cleaned === '..' ? 'file' : cleaned;
  const allowed = reserved.test(named) ? `_${named}` : named;
  if (Buffer.byteLength(allowed) <= maxNameBytes) return allowed;
  const extension = path.extname(allowed).slice(0, 20);
  let stem = '';
  for (const character of path.basename(allowed, path.extname(allowed))) {
    if (Buffer.byteLength(stem + character + extension) > maxNameBytes) break;
    stem += character;
  }
  return `${stem}${extension}`;
}

/**
 * Stores a body of `sizeBytes` and gives its absolute path. The same bytes under the same name have the same path, so
 * that dropping a file twice is one document.
 */
export async function storeUpload(
  droppedFolder: string,
  relativePath: string,
  sizeBytes: number,
  body: Readable,
): Promise<string> {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw new QuothError('invalid-input', 'The size of the file is missing.');
  if (sizeBytes > maxUploadBytes)
    throw new QuothError('unsupported', 'The file is larger than 2 GB; Quoth cannot take it.');
  await mkdir(droppedFolder, { recursive: true, mode: 0o700 });
  const disk = await statfs(droppedFolder);
  if (disk.bavail * disk.bsize < sizeBytes + reserveBytes)
    throw new QuothError('disk-full', 'There is not enough space on the disk for this file.');

  const partial = path.join(droppedFolder, `${randomBytes(12).toString('hex')}.partial`);
  const hash = createHash('sha256');
  let received = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      if (received > sizeBytes) return done(new QuothError('invalid-input', 'The file is longer than was said.'));
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(body, measure, createWriteStream(partial, { flags: 'wx', mode: 0o600 }));
    if (received !== sizeBytes) throw new QuothError('invalid-input', 'The file did not arrive as a whole.');
    const folder = path.join(droppedFolder, hash.digest('hex').slice(0, 32));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = path.join(folder, safeFileName(relativePath));
    await rename(partial, file);
    return path.resolve(file);
  } catch (error) {
    await rm(partial, { force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new QuothError('disk-full', 'There is not enough space on the disk for this file.', { cause: error });
    throw error;
  }
}
