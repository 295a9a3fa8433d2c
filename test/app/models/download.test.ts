import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DownloadRequest, download, hashFromIntegrity } from '../../../app/models/download.ts';

const content = randomBytes(300_000);
const sha256 = createHash('sha256').update(content).digest('hex');

/** A server with the faults that real ones have. */
type Faults = {
  ranges: boolean;
  /** Cuts the connection after so many bytes of an answer; empty = never. Taken from the front, one per answer. */
  cutAfter: number[];
  etag: () => string | null;
  body: () => Buffer;
  status: number;
  silent: boolean;
};

let folder: string;
let server: Server;
let address: string;
let faults: Faults;
let cutWhen: { doneBytes: number; cut: () => void } | undefined;
let requests: { range: string | undefined; sentBytes: number }[];

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (faults.status !== 200) {
    response.writeHead(faults.status).end('no');
    return;
  }
  const body = faults.body();
  const etag = faults.etag();
  const { range } = request.headers;
  const same = !request.headers['if-range'] || request.headers['if-range'] === etag;
  const start = faults.ranges && range && same ? Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0) : 0;
  const record = { range, sentBytes: 0 };
  requests.push(record);
  if (start >= body.length && start > 0) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    return;
  }
  const rest = body.subarray(start);
  const headers: Record<string, string | number> = { 'content-length': rest.length };
  if (etag) headers.etag = etag;
  if (start > 0) headers['content-range'] = `bytes ${start}-${body.length - 1}/${body.length}`;
  response.writeHead(start > 0 ? 206 : 200, headers);
  if (faults.silent) {
    response.flushHeaders();
    return;
  }
  const cut = faults.cutAfter.shift();
  if (cut === undefined || cut >= rest.length) {
    record.sentBytes = rest.length;
    response.end(rest);
    return;
  }
  record.sentBytes = cut;
  response.write(rest.subarray(0, cut));
  // The connection is cut once these bytes are on the client's disk: what a cut swallows would be another test.
  cutWhen = { doneBytes: start + cut, cut: () => response.destroy() };
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quoth download 山田 '));
  faults = { ranges: true, cutAfter: [], etag: () => '"one"', body: () => content, status: 200, silent: false };
  requests = [];
  cutWhen = undefined;
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

function request(changes: Partial<DownloadRequest> = {}): DownloadRequest {
  return {
    address,
    destination: join(folder, 'model'),
    sizeBytes: content.length,
    hash: { algorithm: 'sha256', hex: sha256 },
    ...changes,
  };
}

function fetchFile(
  wanted: DownloadRequest,
  options: { signal?: AbortSignal; onProgress?: (doneBytes: number) => void; silenceMs?: number } = {},
): Promise<void> {
  return download(wanted, {
    fetch: globalThis.fetch,
    signal: options.signal ?? new AbortController().signal,
    onProgress: (doneBytes) => {
      if (cutWhen && doneBytes >= cutWhen.doneBytes) cutWhen.cut();
      options.onProgress?.(doneBytes);
    },
    silenceMs: options.silenceMs ?? 20_000,
    waitMs: () => 1,
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function expectWhole(): Promise<void> {
  expect(Buffer.compare(await readFile(join(folder, 'model')), content)).toBe(0);
  expect(await exists(join(folder, 'model.partial'))).toBe(false);
  expect(await exists(join(folder, 'model.partial.json'))).toBe(false);
}

describe('a download', () => {
  it('brings the file, and says how far it is', async () => {
    const progress: number[] = [];
    await fetchFile(request(), { onProgress: (doneBytes) => progress.push(doneBytes) });
    await expectWhole();
    expect(progress.at(-1)).toBe(content.length);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  it('goes on behind every cut, fetching nothing twice', async () => {
    faults.cutAfter = Array.from({ length: 20 }, () => 1 + Math.floor(Math.random() * 20_000));
    await fetchFile(request());
    await expectWhole();
    expect(requests).toHaveLength(21);
    expect(requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0)).toBe(content.length);
  });

  it('begins anew where the server has no ranges', async () => {
    faults.ranges = false;
    faults.cutAfter = [50_000, 120_000];
    await fetchFile(request());
    await expectWhole();
    expect(requests).toHaveLength(3);
  });

  it('begins anew when the file has changed on the server meanwhile', async () => {
    const old = randomBytes(content.length);
    faults.cutAfter = [100_000];
    faults.etag = () => (requests.length < 2 ? '"old"' : '"new"');
    faults.body = () => (requests.length < 1 ? old : content);
    await fetchFile(request());
    await expectWhole();
  });

  it('begins anew when a piece of an earlier attempt is wrong', async () => {
    faults.cutAfter = [100_000];
    const controller = new AbortController();
    await expect(
      fetchFile(request(), {
        signal: controller.signal,
        onProgress: (doneBytes) => {
          if (doneBytes > 50_000) controller.abort();
        },
      }),
    ).rejects.toMatchObject({ code: 'cancelled' });
    const partial = join(folder, 'model.partial');
    const bytes = await readFile(partial);
    bytes[1000]! ^= 0xff;
    await writeFile(partial, bytes);
    await fetchFile(request());
    await expectWhole();
  });

  it('keeps what has arrived when it is cancelled, and goes on from there', async () => {
    const controller = new AbortController();
    faults.cutAfter = [];
    await expect(
      fetchFile(request(), { signal: controller.signal, onProgress: (bytes) => bytes > 0 && controller.abort() }),
    ).rejects.toMatchObject({ code: 'cancelled' });
    const { size } = await stat(join(folder, 'model.partial'));
    expect(size).toBeGreaterThan(0);
    await fetchFile(request());
    await expectWhole();
    expect(requests.at(-1)?.range).toBe(size === content.length ? undefined : `bytes=${size}-`);
  });

  it('refuses wrong bytes, and leaves none of them', async () => {
    faults.body = () => randomBytes(content.length);
    await expect(fetchFile(request())).rejects.toMatchObject({ code: 'unreadable' });
    expect(await exists(join(folder, 'model'))).toBe(false);
    expect(await exists(join(folder, 'model.partial'))).toBe(false);
  });

  it('refuses a file of another size before it fetches it', async () => {
    faults.body = () => Buffer.concat([content, content]);
    await expect(fetchFile(request())).rejects.toMatchObject({ code: 'unreadable' });
    expect(await exists(join(folder, 'model'))).toBe(false);
  });

  it('gives up a server that always cuts at the same byte, keeping what it has', async () => {
    faults.ranges = false;
    faults.cutAfter = Array.from({ length: 100 }, () => 5_000);
    await expect(fetchFile(request())).rejects.toMatchObject({ code: 'offline' });
    expect(requests.length).toBeLessThan(10);
  });

  it('gives up a server that falls silent', async () => {
    faults.silent = true;
    await expect(fetchFile(request(), { silenceMs: 20 })).rejects.toMatchObject({ code: 'offline' });
  });

  it.each([
    [404, 'not-found'],
    [403, 'denied'],
    [503, 'offline'],
  ])('says what a %i means', async (status, code) => {
    faults.status = status;
    await expect(fetchFile(request())).rejects.toMatchObject({ code });
  });

  it('does without a size and a hash when there are none', async () => {
    await fetchFile(request({ sizeBytes: null, hash: null }));
    await expectWhole();
  });

  it('understands the hashes of npm', () => {
    const integrity = `sha512-${createHash('sha512').update(content).digest('base64')}`;
    expect(hashFromIntegrity(integrity)).toEqual({
      algorithm: 'sha512',
      hex: createHash('sha512').update(content).digest('hex'),
    });
    expect(() => hashFromIntegrity('md5-abc')).toThrow();
  });
});
