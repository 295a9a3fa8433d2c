/**
 * Fetches one large file so that nothing is lost: what has arrived stays on the disk beside a note of where it came
 * from, and the next attempt asks for the rest. A finished file has been checked by size and hash.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { QuothError } from '../contract/errors.ts';
import { openPieces, type PieceRecorder, type Pieces } from './pieces.ts';
import { repair } from './repair.ts';

export type FileHash = { algorithm: 'sha256' | 'sha512'; hex: string };

export type DownloadRequest = {
  address: string;
  /** Where the finished file goes; unfinished, it is this with `.partial` behind it. */
  destination: string;
  /** Null where only the server knows it. */
  sizeBytes: number | null;
  hash: FileHash | null;
};

export type DownloadOptions = {
  fetch: typeof globalThis.fetch;
  signal: AbortSignal;
  /** Told how many bytes of the file are on the disk, often. */
  onProgress: (doneBytes: number) => void;
  /** Told when all has arrived and is being checked. */
  onCheck?: () => void;
  /** A server that says nothing for so long is given up for this attempt. */
  silenceMs?: number;
  /** The wait before attempt n + 1, when the last one brought nothing new. */
  waitMs?: (attempt: number) => number;
};

/** Attempts that bring nothing new, one after the other, before the download is given up. */
const maxFruitless = 5;

const note = z.object({ address: z.string(), validator: z.string().nullable(), totalBytes: z.number().nullable() });
type Note = z.infer<typeof note>;

/** What a hash says of npm ("sha512-" and base64), as a `FileHash`. */
export function hashFromIntegrity(integrity: string): FileHash {
  const match = /^(sha256|sha512)-([A-Za-z0-9+/=]+)$/.exec(integrity);
  if (!match) throw new QuothError('internal', 'The catalogue names a hash that is not understood.');
  const hex = Buffer.from(match[2]!, 'base64').toString('hex');
  return { algorithm: match[1] as FileHash['algorithm'], hex };
}

/** The hash of a file, in hexadecimal. */
export async function hashFile(path: string, algorithm: FileHash['algorithm'], signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(piece);
  return hash.digest('hex');
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}

async function readNote(path: string): Promise<Note | null> {
  try {
    return note.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null; // no note, or a torn one: the download begins anew
  }
}

/** A validator that proves the bytes are the same ones: a strong ETag, else the date. */
function validatorOf(headers: Headers): string | null {
  const etag = headers.get('etag');
  if (etag && !etag.startsWith('W/')) return etag;
  return headers.get('last-modified');
}

/** Where the bytes of a 206 begin and how many the whole has, or `null` where it does not say. */
function parseContentRange(headers: Headers): { start: number; total: number | null } | null {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  return match && { start: Number(match[1]), total: match[2] === '*' ? null : Number(match[2]) };
}

function refusal(status: number): QuothError {
  if (status === 404 || status === 410)
    return new QuothError('not-found', 'The model is no longer offered at its address. Please choose another one.');
  if (status === 401 || status === 403)
    return new QuothError('denied', 'The server refuses to hand out this model. Please choose another one.');
  return new QuothError('offline', `The server answered with an error (${status}). Please try again later.`);
}

/** One attempt's answer, or an error that another attempt may not have. */
type Attempt = { finished: boolean; totalBytes: number | null };

async function attempt(
  request: DownloadRequest,
  partial: string,
  pieces: Pieces,
  options: DownloadOptions,
): Promise<Attempt> {
  const notePath = `${partial}.json`;
  const known = await readNote(notePath);
  let haveBytes = known?.address === request.address ? await sizeOf(partial) : 0;
  // Without a validator the server may have another file by now; only a hash would show it at the end.
  if (known && !known.validator && !request.hash) haveBytes = 0;

  const silence = new AbortController();
  const silenceMs = options.silenceMs ?? 30_000;
  let timer = setTimeout(() => silence.abort(), silenceMs);
  const signal = AbortSignal.any([options.signal, silence.signal]);
  let file: FileHandle | undefined;
  let recorder: PieceRecorder | undefined;
  try {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (haveBytes > 0) {
      headers.range = `bytes=${haveBytes}-`;
      if (known?.validator) headers['if-range'] = known.validator;
    }
    const response = await options.fetch(request.address, { headers, signal, redirect: 'follow' });
    if (response.status === 416) {
      await response.body?.cancel();
      if (haveBytes > 0 && known?.totalBytes === haveBytes) return { finished: true, totalBytes: haveBytes };
      await rm(partial, { force: true });
      return { finished: false, totalBytes: null };
    }
    if (response.status !== 200 && response.status !== 206) {
      await response.body?.cancel();
      throw refusal(response.status);
    }
    const validator = validatorOf(response.headers);
    const range = response.status === 206 ? parseContentRange(response.headers) : null;
    const another = known?.validator && validator && known.validator !== validator;
    if (response.status === 206 && (range?.start !== haveBytes || another)) {
      await response.body?.cancel();
      await rm(partial, { force: true }); // it sends something else than was asked for: begin anew
      return { finished: false, totalBytes: null };
    }
    if (response.status === 200) haveBytes = 0;
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    const totalBytes =
      range?.total ?? (Number.isFinite(length) ? haveBytes + length : null) ?? request.sizeBytes ?? null;
    if (request.sizeBytes !== null && totalBytes !== null && totalBytes !== request.sizeBytes) {
      await response.body?.cancel();
      throw new QuothError('unreadable', 'The server offers another file than the one that was expected.');
    }
    file = await open(partial, haveBytes > 0 ? 'r+' : 'w+');
    const written: Note = { address: request.address, validator, totalBytes };
    await writeFile(notePath, JSON.stringify(written));
    recorder = await pieces.record(file, haveBytes);
    options.onProgress(haveBytes);
    for await (const piece of response.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silenceMs);
      if (totalBytes !== null && haveBytes + piece.length > totalBytes)
        throw new QuothError('unreadable', 'The server sent more than it announced.');
      await file.write(piece, 0, piece.length, haveBytes);
      await recorder.push(piece);
      haveBytes += piece.length;
      options.onProgress(haveBytes);
    }
    await file.datasync();
    return { finished: totalBytes === null || haveBytes === totalBytes, totalBytes };
  } finally {
    clearTimeout(timer);
    await recorder?.close();
    await file?.close();
  }
}

/** True for what another attempt may not meet again: a cut connection, a silent server, an error of its own. */
function mayPass(error: unknown): boolean {
  if (error instanceof QuothError) return error.code === 'offline';
  const code = (error as { code?: unknown }).code;
  return code !== 'ENOSPC' && code !== 'EACCES' && code !== 'EROFS' && code !== 'EDQUOT';
}

function inWords(error: unknown): QuothError {
  if (error instanceof QuothError) return error;
  const code = (error as { code?: unknown }).code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new QuothError('disk-full', 'The disk is full. Please free some space; the download will go on from here.', {
      cause: error,
    });
  if (code === 'EACCES' || code === 'EROFS')
    return new QuothError('denied', 'Quoth may not write to its models folder.', { cause: error });
  return new QuothError('offline', 'The connection broke off. Please try again; the download will go on from here.', {
    cause: error,
  });
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}

/**
 * Fetches a file, going on where an earlier attempt ended, and checks it. Leaves `destination` whole or not at all.
 *
 * Fails with `cancelled` (what arrived is kept), `offline`, `disk-full`, `denied`, `not-found`, or `unreadable` when what
 * arrived is not what was promised (it is thrown away then).
 */
export async function download(request: DownloadRequest, options: DownloadOptions): Promise<void> {
  const partial = `${request.destination}.partial`;
  const pieces = openPieces(`${partial}.pieces`);
  const waitMs = options.waitMs ?? ((count: number) => Math.min(30_000, 500 * 2 ** count));
  let anew = false;
  let repaired = false;
  let mostBytes = await sizeOf(partial);
  for (let fruitless = 0; ; ) {
    const before = await sizeOf(partial);
    let failure: unknown = new QuothError('offline', 'The server sent less than it announced. Please try again.');
    let finished = false;
    try {
      finished = (await attempt(request, partial, pieces, options)).finished;
    } catch (error) {
      if (options.signal.aborted) throw new QuothError('cancelled', 'The download was stopped.', { cause: error });
      if (!mayPass(error)) throw inWords(error);
      failure = error;
    }
    if (finished) {
      options.onCheck?.();
      if (await isWhole(request, partial, pieces, options.signal)) break;
      if (!repaired) {
        // What the disk changed is fetched again alone; a server without ranges, or with another file, gives nothing.
        repaired = true;
        const isMended = await mend(request, partial, pieces, options);
        if (isMended && (await isWhole(request, partial, pieces, options.signal))) break;
      }
      // A piece of an earlier attempt may be at fault: once from the beginning, then it is the server's.
      await rm(partial, { force: true });
      if (anew || before === 0)
        throw new QuothError(
          'unreadable',
          'What the server sent is not the file that was expected (its hash differs).',
        );
      anew = true;
      continue;
    }
    const nowBytes = await sizeOf(partial);
    fruitless = nowBytes > mostBytes ? 0 : fruitless + 1;
    mostBytes = Math.max(mostBytes, nowBytes);
    if (fruitless >= maxFruitless) throw inWords(failure);
    await pause(waitMs(fruitless), options.signal);
    if (options.signal.aborted) throw new QuothError('cancelled', 'The download was stopped.');
  }
  await rename(partial, request.destination);
  await rm(`${partial}.json`, { force: true });
  await pieces.remove();
}

async function isWhole(
  { sizeBytes, hash }: DownloadRequest,
  partial: string,
  pieces: Pieces,
  signal: AbortSignal,
): Promise<boolean> {
  const size = await sizeOf(partial);
  if (sizeBytes !== null && size !== sizeBytes) return false;
  if (hash) return (await hashFile(partial, hash.algorithm, signal)) === hash.hex;
  return (await pieces.check(partial, size, signal)).wrong.length === 0;
}

/** Fetches again what is not as it arrived. False where that could not be done, or would not help. */
async function mend(
  request: DownloadRequest,
  partial: string,
  pieces: Pieces,
  options: DownloadOptions,
): Promise<boolean> {
  const validator = (await readNote(`${partial}.json`))?.validator ?? null;
  try {
    return await repair({ address: request.address, partial, validator, pieces }, options);
  } catch (error) {
    if (options.signal.aborted) throw new QuothError('cancelled', 'The download was stopped.', { cause: error });
    return false;
  }
}

/** What there is of a download that is not finished, or of one that is. */
export async function arrivedBytes(destination: string): Promise<number> {
  return Math.max(await sizeOf(destination), await sizeOf(`${destination}.partial`));
}
