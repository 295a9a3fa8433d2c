/** The bytes of recordings for a player: by a ticket, in ranges, of files of the library alone. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingOfAddress } from '../../main/electron/guard.ts';
import { type HttpServer, startHttp } from '../../main/loopback/http.ts';
import { answerRecording, rangeOf } from '../../main/recording-file.ts';
import { createTickets } from '../../main/tickets.ts';

const token = 'a-token-of-this-test';
const bytes = randomBytes(300_000);
let folder = '';
let talk = '';
let server: HttpServer;
const files = new Map<string, string>();

beforeAll(async () => {
  folder = await realpath(await mkdtemp(path.join(os.tmpdir(), 'quoth 山田 太郎 ')));
  talk = path.join(folder, 'talk é.mp3');
  await writeFile(talk, bytes);
  await writeFile(path.join(folder, 'empty.mp4'), '');
  await writeFile(path.join(folder, 'secret.txt'), 'a secret');
  await mkdir(path.join(folder, 'folder.mp3'));
  await symlink(path.join(folder, 'secret.txt'), path.join(folder, 'link.mp3'));
  files.set('doc_talk', talk);
  for (const name of ['empty.mp4', 'folder.mp3', 'link.mp3', 'gone.mp3'])
    files.set(`doc_${name.split('.')[0]}`, path.join(folder, name));
  server = await startHttp({
    ...{ token, port: 0, rendererFolder: folder, droppedFolder: folder },
    issueTicket: () => '',
    recordingOf: async (documentId) => files.get(documentId) ?? null,
    onPort: () => undefined,
    log: () => undefined,
  });
});
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

type Answer = { status: number; headers: http.IncomingHttpHeaders; body: Buffer };

function ask(method: string, target: string, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
  const own = { host: `127.0.0.1:${server.port}`, ...headers };
  return new Promise((resolve, reject) => {
    http
      .request({ host: '127.0.0.1', port: server.port, method, path: target, headers: own }, (response) => {
        buffer(response).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          reject,
        );
      })
      .on('error', reject)
      .end();
  });
}

const own = () => ({ origin: `http://127.0.0.1:${server.port}`, authorization: `Bearer ${token}` });
async function ticketFor(documentId: string): Promise<string> {
  const { status, body } = await ask('POST', `/recordings?document=${documentId}`, own());
  expect(status).toBe(201);
  return (JSON.parse(String(body)) as { ticket: string }).ticket;
}

describe('A range', () => {
  it.each<[string | null | undefined, number, ReturnType<typeof rangeOf>]>([
    [undefined, 100, { type: 'whole' }],
    [null, 100, { type: 'whole' }],
    ['bytes=0-', 100, { type: 'part', first: 0, last: 99 }],
    ['bytes=10-19', 100, { type: 'part', first: 10, last: 19 }],
    ['bytes=99-', 100, { type: 'part', first: 99, last: 99 }],
    ['bytes=-10', 100, { type: 'part', first: 90, last: 99 }],
    ['bytes=-1000', 100, { type: 'part', first: 0, last: 99 }],
    ['bytes=90-1000', 100, { type: 'part', first: 90, last: 99 }],
    ['bytes=100-', 100, { type: 'unsatisfiable' }],
    ['bytes=100-200', 100, { type: 'unsatisfiable' }],
    ['bytes=-0', 100, { type: 'unsatisfiable' }],
    ['bytes=0-', 0, { type: 'unsatisfiable' }],
    ['bytes=-5', 0, { type: 'unsatisfiable' }],
    ['bytes=999999999999999-', 100, { type: 'unsatisfiable' }],
    // None, or none that is one: as if nothing had been said.
    ['', 100, { type: 'whole' }],
    ['bytes=', 100, { type: 'whole' }],
    ['bytes=-', 100, { type: 'whole' }],
    ['bytes=5-2', 100, { type: 'whole' }],
    ['bytes=0-1,5-6', 100, { type: 'whole' }],
    ['bytes=a-b', 100, { type: 'whole' }],
    ['bytes=1.5-9', 100, { type: 'whole' }],
    ['bytes=+1-9', 100, { type: 'whole' }],
    ['bytes=--1', 100, { type: 'whole' }],
    ['bytes=0x1-', 100, { type: 'whole' }],
    ['bytes=1e3-', 100, { type: 'whole' }],
    ['items=0-5', 100, { type: 'whole' }],
    ['bytes=9999999999999999999999-', 100, { type: 'whole' }],
    [`bytes=${'0-1,'.repeat(100_000)}`, 100, { type: 'whole' }],
  ])('%j of %i bytes', (header, sizeBytes, expected) => {
    expect(rangeOf(header, sizeBytes)).toEqual(expected);
  });
});

describe('A recording', () => {
  it('comes whole, in parts, and as its head alone, with the policy of the page', async () => {
    const address = `/recordings/${await ticketFor('doc_talk')}`;
    const whole = await ask('GET', address);
    expect(whole.status).toBe(200);
    expect(whole.body.equals(bytes)).toBe(true);
    expect(whole.headers).toMatchObject({
      ...{ 'content-type': 'audio/mpeg', 'content-length': '300000', 'accept-ranges': 'bytes' },
      ...{ 'cache-control': 'no-store', 'cross-origin-resource-policy': 'same-origin' },
      'x-content-type-options': 'nosniff',
    });
    const part = await ask('GET', address, { range: 'bytes=1000-1999' });
    expect(part.status).toBe(206);
    expect(part.headers['content-range']).toBe('bytes 1000-1999/300000');
    expect(part.body.equals(bytes.subarray(1000, 2000))).toBe(true);
    const last = await ask('GET', address, { range: 'bytes=-5' });
    expect(last.body.equals(bytes.subarray(-5))).toBe(true);
    const head = await ask('HEAD', address, { range: 'bytes=10-' });
    expect(head).toMatchObject({ status: 206, headers: { 'content-length': '299990' } });
    expect(head.body).toHaveLength(0);
    const past = await ask('GET', address, { range: 'bytes=300000-' });
    expect(past).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */300000' } });
    const both = await ask('GET', address, { range: 'bytes=0-1,4-5' });
    expect(both).toMatchObject({ status: 200, headers: { 'content-length': '300000' } });
  });

  it('is given to nobody without its ticket, and a ticket to nobody without the token', async () => {
    const { origin, authorization } = own();
    const asking = '/recordings?document=doc_talk';
    expect((await ask('POST', asking, { origin })).status).toBe(401);
    expect((await ask('POST', asking, { origin, authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await ask('POST', asking, { authorization })).status).toBe(403);
    expect((await ask('POST', asking, { authorization, origin: 'http://evil.example' })).status).toBe(403);
    expect((await ask('GET', asking, own())).status).toBe(405);
    for (const document of ['', '../secret.txt', '%2e%2e%2fsecret.txt', 'a b', 'x'.repeat(101)])
      expect((await ask('POST', `/recordings?document=${encodeURIComponent(document)}`, own())).status).toBe(400);
    expect((await ask('POST', '/recordings?document=doc_other', own())).status).toBe(404);

    const ticket = await ticketFor('doc_talk');
    const strangers = ['a'.repeat(32), ticket.toLowerCase() === ticket ? 'b'.repeat(32) : ticket.toLowerCase()];
    for (const other of strangers) expect((await ask('GET', `/recordings/${other}`)).status).toBe(404);
    for (const target of [
      `/recordings/${ticket}x`,
      `/recordings/../recordings/${ticket}`,
      `/recordings/${ticket}?a`,
      '/recordings/',
    ])
      expect((await ask('GET', target)).status, target).toBe(404);
    expect((await ask('GET', `/recordings/${ticket}`, { host: 'evil.example' })).status).toBe(403);
    expect((await ask('GET', `/recordings/${ticket}`, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await ask('GET', `/recordings/${ticket}`, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await ask('GET', `/recordings/${ticket}`, { 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect((await ask('DELETE', `/recordings/${ticket}`)).status).toBe(405);
  });

  it('is a file of its own: no link, no folder, nothing that is gone', async () => {
    for (const id of ['doc_folder', 'doc_link', 'doc_gone']) {
      const { status, body } = await ask('GET', `/recordings/${await ticketFor(id)}`);
      expect(status, id).toBe(404);
      expect(String(body)).not.toContain('secret');
    }
    const empty = `/recordings/${await ticketFor('doc_empty')}`;
    expect(await ask('GET', empty)).toMatchObject({ status: 200, headers: { 'content-length': '0' } });
    expect((await ask('GET', empty, { range: 'bytes=0-' })).status).toBe(416);
  });

  it.skipIf(process.platform === 'win32')('that is a pipe is not waited for', async () => {
    const pipe = path.join(folder, 'pipe.mp3');
    execFileSync('mkfifo', [pipe]);
    expect(await answerRecording(pipe, { range: null, withBody: true })).toMatchObject({ status: 404, body: null });
  });

  it('that became shorter while it played ends early, and the server goes on', async () => {
    const short = path.join(folder, 'short.wav');
    await writeFile(short, bytes);
    const { status, headers, body } = await answerRecording(short, { range: 'bytes=0-', withBody: true });
    expect([status, headers['Content-Type']]).toEqual([206, 'audio/wav']);
    await truncate(short, 10);
    expect((await buffer(body!)).length).toBeLessThan(bytes.length);
    expect((await ask('HEAD', `/recordings/${await ticketFor('doc_talk')}`)).status).toBe(200);
  });

  it('plays for half a day by one ticket, and no longer', () => {
    let nowMs = 0;
    const tickets = createTickets({ randomBytes, nowMs: () => nowMs, lifetimeMs: 12 * 3_600_000 });
    const ticket = tickets.issue(talk);
    nowMs = 11 * 3_600_000;
    expect(tickets.redeem(ticket)).toBe(talk);
    nowMs = 12 * 3_600_000 + 1;
    expect(tickets.redeem(ticket)).toBeUndefined();
  });
});

describe('In a window of our own a recording is', () => {
  it('named by its document, below our page alone', () => {
    expect(recordingOfAddress('app://quoth/recordings/doc_1')).toBe('doc_1');
    for (const address of [
      'app://quoth/recordings/',
      'app://quoth/recordings/../index.html',
      'app://quoth/recordings/doc_1/x',
      'app://quoth/recordings/doc_1?x',
      'app://quoth/recordings/%2e%2e',
      'app://evil/recordings/doc_1',
      'https://quoth/recordings/doc_1',
      `app://quoth/recordings/${'x'.repeat(101)}`,
    ])
      expect(recordingOfAddress(address), address).toBeNull();
  });
});
