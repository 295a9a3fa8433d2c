/**
 * The bytes of a recording, for the player of the window: all of them or one range (RFC 9110, 14), so that it can jump to a
 * second without what lies before it. Both shells hand them out so, with the same headers.
 */
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { securityHeaders } from './static-files.ts';

export type RecordingAnswer = {
  status: 200 | 206 | 404 | 416;
  headers: Record<string, string>;
  /** Null where there is nothing to send. It reads as fast as it is taken, and has to be read or destroyed. */
  body: Readable | null;
};

/** By the name's ending. What is none of these is offered as bytes: a player looks at them itself. */
const mediaTypes: Record<string, string> = {
  '.mp3': 'audio/mpeg',
  '.wav': 'audio/wav',
  '.m4a': 'audio/mp4',
  '.m4b': 'audio/mp4',
  '.aac': 'audio/aac',
  '.ogg': 'audio/ogg',
  '.oga': 'audio/ogg',
  '.opus': 'audio/ogg',
  '.flac': 'audio/flac',
  '.mka': 'audio/x-matroska',
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.mov': 'video/mp4',
  '.webm': 'video/webm',
  '.mkv': 'video/x-matroska',
};

/** A range of our own players is shorter; what is longer is looked at by nobody. */
const mostRangeCharacters = 100;

export type Range = { type: 'whole' } | { type: 'part'; first: number; last: number } | { type: 'unsatisfiable' };

/** Of a `Range` header. Anything but one well-formed range of bytes counts as none, as the RFC wants it. */
export function rangeOf(header: string | null | undefined, sizeBytes: number): Range {
  const match =
    header && header.length <= mostRangeCharacters ? /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim()) : null;
  const [from, to] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (!match || (from === '' && to === '')) return { type: 'whole' };
  if (from === '') {
    const numLast = Math.min(Number(to), sizeBytes);
    return numLast === 0
      ? { type: 'unsatisfiable' }
      : { type: 'part', first: sizeBytes - numLast, last: sizeBytes - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return { type: 'whole' }; // no range at all
  if (first >= sizeBytes) return { type: 'unsatisfiable' };
  return { type: 'part', first, last: to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1) };
}

/**
 * `file`: as the library knows it, absolute and resolved; null, a link, a pipe and what is gone are all "there is none". A
 * request for `HEAD` has `withBody` false.
 */
export async function answerRecording(
  file: string | null,
  request: { range: string | null | undefined; withBody: boolean },
): Promise<RecordingAnswer> {
  const handle = file === null ? null : await openFile(file);
  if (!handle || file === null) {
    const headers = { ...securityHeaders(), 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': '0' };
    return { status: 404, headers, body: null };
  }
  let isHandedOver = false;
  try {
    const { size } = await handle.stat();
    const range = rangeOf(request.range, size);
    const headers: Record<string, string> = {
      ...securityHeaders(),
      'Content-Type': mediaTypes[path.extname(file).toLowerCase()] ?? 'application/octet-stream',
      'Accept-Ranges': 'bytes',
      // It is a person's own file: no copy of it is to lie in a browser's cache.
      'Cache-Control': 'no-store',
    };
    if (range.type === 'unsatisfiable')
      return {
        status: 416,
        headers: { ...headers, 'Content-Range': `bytes */${size}`, 'Content-Length': '0' },
        body: null,
      };
    const [first, last] = range.type === 'part' ? [range.first, range.last] : [0, size - 1];
    headers['Content-Length'] = String(last - first + 1);
    if (range.type === 'part') headers['Content-Range'] = `bytes ${first}-${last}/${size}`;
    isHandedOver = request.withBody && size > 0;
    return {
      status: range.type === 'part' ? 206 : 200,
      headers,
      body: isHandedOver ? createReadStream('', { fd: handle, start: first, end: last }) : null,
    };
  } finally {
    if (!isHandedOver) await handle.close();
  }
}

async function openFile(file: string): Promise<FileHandle | null> {
  let handle: FileHandle | undefined;
  try {
    // What was put there since, and leads elsewhere, was never added.
    if ((await realpath(file)) !== file) return null;
    // O_NONBLOCK: opening a pipe to which nobody writes would wait forever. Windows has neither.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0));
    if ((await handle.stat()).isFile()) return handle;
  } catch {
    // It is gone, or may not be read.
  }
  await handle?.close();
  return null;
}
