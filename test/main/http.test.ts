import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Port } from '../../app/contract/port.ts';
import { type HttpServer, startHttp } from '../../main/loopback/http.ts';
import { safeFileName } from '../../main/loopback/upload.ts';

const token = 'a-token-of-this-test';
let folder = '';
let server: HttpServer;
const ports: Port[] = [];
const issued: string[] = [];
const recordings: Record<string, string> = {};

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'quoth http 山田 '));
  await mkdir(path.join(folder, 'renderer', 'assets'), { recursive: true });
  await writeFile(path.join(folder, 'renderer', 'index.html'), '<!doctype html><title>Quoth</title>');
  await writeFile(path.join(folder, 'renderer', 'assets', 'index-1a_B.js'), 'export {};');
  await writeFile(path.join(folder, 'secret.js'), 'a secret');
  await writeFile(path.join(folder, 'renderer', '.hidden.js'), 'a secret');
  await symlink(path.join(folder, 'secret.js'), path.join(folder, 'renderer', 'link.js'));
  server = await startHttp({
    token,
    port: 0,
    rendererFolder: path.join(folder, 'renderer'),
    droppedFolder: path.join(folder, 'dropped'),
    issueTicket: (file) => {
      issued.push(file);
      return `ticket-${issued.length}`;
    },
    recordingOf: async (documentId) => recordings[documentId] ?? null,
    onPort: (port) => ports.push(port),
    log: () => undefined,
  });
});

afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

type Answer = { status: number; headers: http.IncomingHttpHeaders; text: string };

/** A request with exactly these headers and this target: `fetch` would tidy both. */
function ask(
  method: string,
  target: string,
  headers: http.OutgoingHttpHeaders,
  body?: Buffer | string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: '127.0.0.1', port: server.port, method, path: target, headers, setHost: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const own = (): string => `127.0.0.1:${server.port}`;
const bearer = `Bearer ${token}`;
const binary = 'application/octet-stream';

describe('the table of who may ask for what', () => {
  // host, origin, authorization, method, target, content type → status. `own` stands for this server's host.
  type Row = [string | undefined, string | undefined, string | undefined, string, string, string | undefined, number];
  const rows: Row[] = [
    ['own', undefined, undefined, 'GET', '/', undefined, 200],
    ['own', 'own', undefined, 'GET', '/', undefined, 200],
    ['own', undefined, undefined, 'HEAD', '/', undefined, 200],
    ['localhost', 'localhost', undefined, 'GET', '/', undefined, 200],
    ['own', undefined, undefined, 'GET', '/assets/index-1a_B.js', undefined, 200],
    ['own', undefined, undefined, 'GET', '/?from=history', undefined, 200],
    // names that are not ours: a rebound DNS name, another port, tricks with the form
    [undefined, undefined, undefined, 'GET', '/', undefined, 400],
    ['evil.example', undefined, undefined, 'GET', '/', undefined, 403],
    ['127.0.0.1', undefined, undefined, 'GET', '/', undefined, 403],
    ['127.0.0.1:1', undefined, undefined, 'GET', '/', undefined, 403],
    ['127.0.0.1.evil.example', undefined, undefined, 'GET', '/', undefined, 403],
    ['evil.example', 'own', bearer, 'PUT', '/files?path=a.txt', binary, 403],
    // other sites
    ['own', 'http://evil.example', undefined, 'GET', '/', undefined, 403],
    ['own', 'null', undefined, 'GET', '/', undefined, 403],
    ['own', 'https-own', undefined, 'GET', '/', undefined, 403],
    ['own', 'http://127.0.0.1:1', undefined, 'GET', '/', undefined, 403],
    ['own', 'localhost', undefined, 'GET', '/', undefined, 403],
    ['own', 'http://evil.example', bearer, 'PUT', '/files?path=a.txt', binary, 403],
    ['own', 'null', bearer, 'PUT', '/files?path=a.txt', binary, 403],
    ['own', undefined, bearer, 'PUT', '/files?path=a.txt', binary, 403],
    // the token
    ['own', 'own', undefined, 'PUT', '/files?path=a.txt', binary, 401],
    ['own', 'own', 'Bearer ', 'PUT', '/files?path=a.txt', binary, 401],
    ['own', 'own', 'Bearer wrong', 'PUT', '/files?path=a.txt', binary, 401],
    ['own', 'own', `Bearer ${token}x`, 'PUT', '/files?path=a.txt', binary, 401],
    ['own', 'own', `Basic ${token}`, 'PUT', '/files?path=a.txt', binary, 401],
    ['own', 'own', `Bearer ${token.toUpperCase()}`, 'PUT', '/files?path=a.txt', binary, 401],
    ['own', 'own', undefined, 'PUT', `/files?path=a.txt&token=${token}`, binary, 401],
    // methods and types
    ['own', 'own', bearer, 'PUT', '/files?path=a.txt', binary, 201],
    ['own', 'own', bearer, 'PUT', '/files?path=a.txt', 'text/plain', 415],
    ['own', 'own', bearer, 'PUT', '/files?path=a.txt', undefined, 415],
    ['own', 'own', bearer, 'PUT', '/files', binary, 400],
    ['own', 'own', bearer, 'POST', '/files?path=a.txt', binary, 405],
    ['own', 'own', bearer, 'GET', '/files?path=a.txt', binary, 405],
    ['own', 'own', bearer, 'DELETE', '/', undefined, 405],
    ['own', 'own', bearer, 'POST', '/', undefined, 405],
    ['own', 'own', bearer, 'OPTIONS', '/', undefined, 405],
    // what is not there, or not to be had
    ['own', undefined, undefined, 'GET', '/port', undefined, 404],
    ['own', undefined, undefined, 'GET', '/nothing.js', undefined, 404],
    ['own', undefined, undefined, 'GET', '/link.js', undefined, 404],
    ['own', undefined, undefined, 'GET', '/.hidden.js', undefined, 404],
    ['own', undefined, undefined, 'GET', '/assets', undefined, 404],
    ['own', undefined, undefined, 'GET', 'http://evil.example/', undefined, 400],
  ];

  it.each(rows)(
    'host %s, origin %s, %s, %s %s, %s → %i',
    async (host, origin, authorization, method, target, type, status) => {
      const named = (name: string | undefined): string | undefined =>
        name === 'own' ? own() : name === 'localhost' ? `localhost:${server.port}` : name;
      const headers: http.OutgoingHttpHeaders = {};
      const hostName = named(host);
      if (hostName !== undefined) headers.host = hostName;
      if (origin === 'https-own') headers.origin = `https://${own()}`;
      else if (origin === 'own' || origin === 'localhost') headers.origin = `http://${named(origin)}`;
      else if (origin !== undefined) headers.origin = origin;
      if (authorization !== undefined) headers.authorization = authorization;
      if (type !== undefined) headers['content-type'] = type;
      const body = method === 'PUT' ? 'Some words.' : undefined;
      if (body) headers['content-length'] = body.length;
      const before = issued.length;
      const answer = await ask(method, target, headers, body);
      expect(answer.status).toBe(status);
      expect(issued.length - before).toBe(status === 201 ? 1 : 0);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      expect(answer.headers['set-cookie']).toBeUndefined();
    },
  );
});

describe('the picture’s files', () => {
  it('come with a policy that lets no foreign script run', async () => {
    const { headers } = await ask('GET', '/', { host: own() });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
  });

  const up = [
    '..',
    '%2e%2e',
    '%252e%252e',
    '..%2f',
    '..\\',
    '..%5c',
    '%c0%ae%c0%ae',
    '\u2025',
    '....',
    '..;',
    '.%2e',
    '%2e.',
  ];
  const ends = [
    'secret.js',
    'secret.js%00',
    'secret.js%00.html',
    'secret.js::$DATA',
    'secret.js.',
    'renderer/../secret.js',
  ];
  const starts = ['/', '//', '/assets/', '/assets/../', '/./', '/C:', '/%2f', '/\\\\server\\share\\', '/~/'];
  const targets = starts.flatMap((start) => up.flatMap((one) => ends.map((end) => `${start}${one}/${end}`)));

  it(`are all that can be read, whatever the path (${targets.length} ways out)`, async () => {
    for (const target of targets) {
      const answer = await ask('GET', encodeURI(target).replaceAll('%25', '%'), { host: own() });
      expect(answer.text, target).not.toContain('a secret');
      expect([400, 403, 404], target).toContain(answer.status);
    }
  });
});

describe('an upload', () => {
  const put = (name: string, body: string, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> =>
    ask(
      'PUT',
      `/files?path=${encodeURIComponent(name)}`,
      {
        host: own(),
        origin: `http://${own()}`,
        authorization: bearer,
        'content-type': binary,
        'content-length': Buffer.byteLength(body),
        ...headers,
      },
      body,
    );

  it('is stored whole under its own name, and answered with a ticket', async () => {
    const answer = await put("ordner/Bericht '#%&[] 🎉 山田.txt", 'Wörter');
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.text)).toEqual({ ticket: `ticket-${issued.length}` });
    const file = issued.at(-1) ?? '';
    expect(path.basename(file)).toBe("Bericht '#%&[] 🎉 山田.txt");
    expect(await readFile(file, 'utf8')).toBe('Wörter');
  });

  it('stays inside its folder, whatever its name', async () => {
    for (const name of ['../../../evil.txt', '..\\..\\evil.txt', '/etc/evil.txt', 'C:\\evil.txt', '..', '.', 'a/..']) {
      expect((await put(name, name)).status).toBe(201);
      expect(path.relative(path.join(folder, 'dropped'), issued.at(-1) ?? '').startsWith('..')).toBe(false);
    }
  });

  it('of the same file has the same path', async () => {
    await put('same.txt', 'same words');
    await put('same.txt', 'same words');
    expect(issued.at(-1)).toBe(issued.at(-2));
  });

  it('without its size, or larger than is taken, is refused and leaves nothing', async () => {
    const before = (await readdir(path.join(folder, 'dropped'))).length;
    const chunked = await ask(
      'PUT',
      '/files?path=a.txt',
      {
        host: own(),
        origin: `http://${own()}`,
        authorization: bearer,
        'content-type': binary,
        'transfer-encoding': 'chunked',
      },
      'words',
    );
    expect(chunked.status).toBe(400);
    const huge = await put('a.txt', '', { 'content-length': 3 * 1024 ** 3 }).catch(() => ({ status: 413 }));
    expect(huge.status).toBe(413);
    expect((await readdir(path.join(folder, 'dropped'))).length).toBe(before);
  });

  it('has a name that Windows allows too', () => {
    expect(safeFileName('CON')).toBe('_CON');
    expect(safeFileName('nul.txt')).toBe('_nul.txt');
    expect(safeFileName('COM1.tar.gz')).toBe('_COM1.tar.gz');
    expect(safeFileName('console.txt')).toBe('console.txt');
    expect(safeFileName('a<b>:"c|?*.txt')).toBe('a_b___c___.txt');
    expect(safeFileName('name. . ')).toBe('name');
    expect(safeFileName('')).toBe('file');
    expect(safeFileName('evil\u202efdp.exe')).toBe('evil_fdp.exe');
    const long = safeFileName(`${'漢'.repeat(300)}.pdf`);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(200);
    expect(long.endsWith('.pdf')).toBe(true);
  });
});

describe('the port', () => {
  type Try = { origin?: string; host?: string; protocols: string[]; path?: string };
  const open = (attempt: Try): Promise<WebSocket | number> =>
    new Promise((resolve) => {
      const { origin = `http://${own()}`, host = own(), protocols, path: target = '/port' } = attempt;
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}${target}`, protocols, {
        headers: { host, ...(origin === '' ? {} : { origin }) },
      });
      socket.once('open', () => resolve(socket));
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.once('error', () => resolve(0));
    });
  const good = ['quoth.v1', `token.${token}`];

  it.each([
    ['no token', { protocols: ['quoth.v1'] }, 401],
    ['a wrong token', { protocols: ['quoth.v1', 'token.wrong'] }, 401],
    ['another version', { protocols: ['quoth.v2', `token.${token}`] }, 400],
    ['another site', { protocols: good, origin: 'http://evil.example' }, 403],
    ['no site', { protocols: good, origin: '' }, 403],
    ['a rebound name', { protocols: good, host: 'evil.example', origin: 'http://evil.example' }, 403],
    ['another path', { protocols: good, path: '/' }, 404],
  ])('is refused to a socket with %s', async (_what, attempt, status) => {
    const before = ports.length;
    expect(await open(attempt)).toBe(status);
    expect(ports.length).toBe(before);
  });

  it('carries JSON both ways, in order, and tells its end', async () => {
    const socket = await open({ protocols: good });
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
    const port = ports.at(-1)!;
    socket.send(JSON.stringify({ n: 1 }));
    socket.send(JSON.stringify({ n: 2 }));
    const received: unknown[] = [];
    await new Promise<void>((resolve) =>
      port.onMessage((message) => {
        received.push(message);
        if (received.length === 2) resolve();
      }),
    );
    expect(received).toEqual([{ n: 1 }, { n: 2 }]);
    const answered = new Promise((resolve) => socket.once('message', (bytes) => resolve(JSON.parse(String(bytes)))));
    port.send({ text: 'Wörter' });
    expect(await answered).toEqual({ text: 'Wörter' });
    const closed = new Promise<void>((resolve) => port.onClose(resolve));
    socket.terminate();
    await closed;
  });

  it('closes on what is no JSON, and on a message past the limit', async () => {
    for (const bad of ['{', Buffer.from([1, 2, 3]), 'x'.repeat(16 * 1024 * 1024 + 1)]) {
      const socket = await open({ protocols: good });
      if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
      ports.at(-1)!.onMessage(() => undefined);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => undefined);
      socket.send(bad);
      await closed;
    }
  });
});

it('a port in use is one sentence with what to do', async () => {
  const again = startHttp({
    token,
    port: server.port,
    rendererFolder: folder,
    droppedFolder: folder,
    issueTicket: () => '',
    recordingOf: async () => null,
    onPort: () => undefined,
    log: () => undefined,
  });
  await expect(again).rejects.toMatchObject({
    code: 'busy',
    message: expect.stringMatching(/^Port \d+ is in use.*--port\.$/),
  });
});
