import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DownloadRequest, download } from '../../../app/models/download.ts';
import { pieceBytes } from '../../../app/models/pieces.ts';

/** Nine pieces and a bit. */
const content = randomBytes(9 * pieceBytes + 12_345);
const hash = { algorithm: 'sha256' as const, hex: createHash('sha256').update(content).digest('hex') };

let folder: string;
let server: Server;
let sent: { from: number; numBytes: number }[];
let etag: string | null;
let ranges: boolean;
let request: DownloadRequest;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quoth repair 山田 '));
  sent = [];
  etag = '"one"';
  ranges = true;
  server = createServer((asked, response) => {
    const match = /bytes=(\d+)-(\d*)/.exec(asked.headers.range ?? '');
    const same = asked.headers['if-range'] === undefined || asked.headers['if-range'] === etag;
    const isPart = ranges && match !== null && same;
    const from = isPart ? Number(match[1]) : 0;
    const end = isPart && match[2] ? Number(match[2]) + 1 : content.length;
    sent.push({ from, numBytes: end - from });
    const headers: Record<string, string | number> = { 'content-length': end - from };
    if (etag) headers.etag = etag;
    if (isPart) headers['content-range'] = `bytes ${from}-${end - 1}/${content.length}`;
    response.writeHead(isPart ? 206 : 200, headers).end(content.subarray(from, end));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model`;
  request = { address, destination: join(folder, 'model'), sizeBytes: content.length, hash };
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

function fetchFile(wanted: DownloadRequest, stopAt = Number.POSITIVE_INFINITY): Promise<void> {
  const controller = new AbortController();
  return download(wanted, {
    fetch: globalThis.fetch,
    signal: controller.signal,
    onProgress: (doneBytes) => doneBytes >= stopAt && controller.abort(),
    waitMs: () => 1,
  });
}

/** Stops at half of it and turns a bit of what has arrived. */
async function stopAndTurn(wanted: DownloadRequest, place: number): Promise<void> {
  await expect(fetchFile(wanted, content.length / 2)).rejects.toMatchObject({ code: 'cancelled' });
  const partial = join(folder, 'model.partial');
  const bytes = await readFile(partial);
  bytes[place]! ^= 1;
  await writeFile(partial, bytes);
  sent = [];
}

async function expectWhole(): Promise<void> {
  expect(Buffer.compare(await readFile(join(folder, 'model')), content)).toBe(0);
  expect(await readdir(folder)).toEqual(['model']);
}

describe('a download of which the disk lost something', () => {
  it('fetches the one wrong piece again, and nothing else', async () => {
    await stopAndTurn(request, 2 * pieceBytes + 7);
    await fetchFile(request);
    await expectWhole();
    const again = sent.slice(1);
    expect(again.map(({ from }) => from)).toContain(2 * pieceBytes);
    // The rest, the wrong piece, and at most the one where it was stopped and the one at the end, of which no hash is known.
    expect(again.every(({ numBytes }) => numBytes <= pieceBytes)).toBe(true);
    expect(again.length).toBeLessThanOrEqual(3);
  });

  it('mends it also where no hash of the whole is known', async () => {
    const wanted = { ...request, hash: null };
    await stopAndTurn(wanted, 3 * pieceBytes);
    await fetchFile(wanted);
    await expectWhole();
    expect(sent.slice(1).map(({ from }) => from)).toContain(3 * pieceBytes);
  });

  it('begins anew where the server has no ranges, or proves nothing of its file', async () => {
    for (const change of [() => (ranges = false), () => (etag = null)]) {
      [ranges, etag] = [true, '"one"'];
      await rm(join(folder, 'model'), { force: true });
      await stopAndTurn(request, 5);
      change();
      await fetchFile(request);
      await expectWhole();
    }
  });

  it('puts no piece of another file into it', async () => {
    await stopAndTurn(request, 5);
    etag = '"two"';
    await fetchFile(request);
    await expectWhole();
    expect(sent.some(({ from, numBytes }) => from === 0 && numBytes === content.length)).toBe(true);
  });
});
