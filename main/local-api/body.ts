/** The body of a request as JSON: bounded in size and in time. */
import type { IncomingMessage } from 'node:http';
import { ApiRefusal } from './errors.ts';

/** A conversation of 1,000,000 tokens, or 2,000 texts to embed, are less. */
const maxBodyBytes = 16 << 20;
const bodyDeadlineMs = 30_000;

export async function readJson(request: IncomingMessage): Promise<unknown> {
  const tooLarge = new ApiRefusal(413, 'request_too_large', 'The body is larger than 16 MB.');
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge;
  const timer = setTimeout(() => request.destroy(new Error('the body came too slowly')), bodyDeadlineMs);
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      sizeBytes += piece.byteLength;
      if (sizeBytes > maxBodyBytes) throw tooLarge;
      pieces.push(piece);
    }
  } finally {
    clearTimeout(timer);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces)));
  } catch {
    throw new ApiRefusal(400, 'invalid_json', 'The body is no JSON.');
  }
}
