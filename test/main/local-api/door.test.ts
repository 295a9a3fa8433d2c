/** Who is let in, and how much at once. */
import { existsSync, statSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenApi, openApi } from './open-api.ts';

let api: OpenApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api?.remove());

type Answer = { status: number; headers: http.IncomingHttpHeaders; text: string };

/** A request with exactly these headers and this target: `fetch` would tidy both. */
function ask(method: string, path: string, headers: http.OutgoingHttpHeaders, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: '127.0.0.1', port: api.port, method, path, headers, setHost: false },
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

const json = 'application/json';
const own = (): http.OutgoingHttpHeaders => ({
  host: `127.0.0.1:${api.port}`,
  authorization: `Bearer ${api.key}`,
  'content-type': json,
});
const chat = JSON.stringify({ model: 'scripted', messages: [{ role: 'user', content: 'Hello?' }] });

describe('the table of who may ask for what', () => {
  type Row = [string, http.OutgoingHttpHeaders, string, string, number];
  const post = ['POST', '/v1/chat/completions'] as const;
  const rows: Row[] = [
    ['a program with the key', {}, ...post, 200],
    ['by the name localhost', { host: 'localhost:PORT' }, ...post, 200],
    ['with a charset', { 'content-type': 'application/json; charset=utf-8' }, ...post, 200],
    ['a program that reads the models', {}, 'GET', '/v1/models', 200],
    ['a fetch of Node, which sends this', { 'sec-fetch-mode': 'cors' }, ...post, 200],
    // names that are not ours
    ['a rebound name', { host: 'evil.example' }, ...post, 403],
    ['a rebound name with our port', { host: 'evil.example:PORT' }, ...post, 403],
    ['no port', { host: '127.0.0.1' }, ...post, 403],
    ['another port', { host: '127.0.0.1:1' }, ...post, 403],
    ['a longer name', { host: '127.0.0.1.evil.example:PORT' }, ...post, 403],
    ['all addresses', { host: '0.0.0.0:PORT' }, ...post, 403],
    ['IPv6, where nobody listens', { host: '[::1]:PORT' }, ...post, 403],
    ['a rebound name that reads', { host: 'evil.example:PORT' }, 'GET', '/v1/models', 403],
    // pages in a browser
    ['a page of another site', { origin: 'https://evil.example' }, ...post, 403],
    ['a page without an origin', { origin: 'null' }, ...post, 403],
    ['a page of this computer', { origin: 'http://127.0.0.1:PORT' }, ...post, 403],
    ['an extension', { origin: 'chrome-extension://abcdef' }, ...post, 403],
    ['a picture in a page', { 'sec-fetch-site': 'cross-site' }, 'GET', '/v1/models', 403],
    ['a frame of the same site', { 'sec-fetch-site': 'same-site' }, 'GET', '/v1/models', 403],
    ['a question before a request of a page', { origin: 'https://evil.example' }, 'OPTIONS', '/v1/models', 403],
    // the key
    ['no key', { authorization: undefined }, ...post, 401],
    ['an empty key', { authorization: 'Bearer ' }, ...post, 401],
    ['a wrong key', { authorization: 'Bearer quoth-wrong' }, ...post, 401],
    ['the key and more', { authorization: 'Bearer KEYx' }, ...post, 401],
    ['the key twice', { authorization: 'Bearer KEY KEY' }, ...post, 401],
    ['another scheme', { authorization: 'Basic KEY' }, ...post, 401],
    ['the key in the address', { authorization: undefined }, 'GET', '/v1/models?key=KEY', 401],
    ['no key, nothing there', { authorization: undefined }, 'GET', '/nothing', 401],
    ['no key for the tools', { authorization: undefined }, 'POST', '/mcp', 401],
    // methods, types, places
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, ...post, 415],
    ['plain text', { 'content-type': 'text/plain' }, ...post, 415],
    ['no type', { 'content-type': undefined }, ...post, 415],
    ['nearly JSON', { 'content-type': 'application/jsonp' }, ...post, 415],
    ['reading the chat', {}, 'GET', '/v1/chat/completions', 405],
    ['writing the models', {}, 'POST', '/v1/models', 405],
    ['deleting', {}, 'DELETE', '/v1/models/scripted', 405],
    ['listening to the tools', {}, 'GET', '/mcp', 405],
    ['the root', {}, 'GET', '/', 404],
    ['a model that is not there', {}, 'GET', '/v1/models/none', 404],
    ['a file', {}, 'GET', '/v1/../../etc/passwd', 404],
    ['a whole address', {}, 'GET', 'http://evil.example/v1/models', 404],
    ['a broken name', {}, 'GET', '/v1/models/%zz', 400],
  ];

  it.each(rows)('%s', async (_name, change, method, path, status) => {
    const filled = Object.entries({ ...own(), ...change }).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [[name, String(value).replace('PORT', String(api.port)).replaceAll('KEY', api.key)] as const],
    );
    const body = method === 'POST' ? chat : undefined;
    const answer = await ask(method, path, Object.fromEntries(filled), body);
    expect(answer.status, answer.text).toBe(status);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    if (status !== 200) expect(JSON.parse(answer.text)).toMatchObject({ error: { message: expect.any(String) } });
  });

  it('listens on 127.0.0.1 and nowhere else', async () => {
    const refused = await new Promise((resolve) => {
      const socket = net.connect({ host: '::1', port: api.port });
      socket.on('error', () => resolve(true)).on('connect', () => resolve(false));
    });
    expect(refused).toBe(true);
  });
});

describe('sizes and rates', () => {
  it('a body that says it is too large is not read', async () => {
    const answer = await ask('POST', '/v1/chat/completions', { ...own(), 'content-length': 20 << 20 }, 'x').catch(
      () => null,
    );
    expect(answer === null || answer.status === 413).toBe(true);
  });

  it('a body that is too large though it does not say so is cut off', async () => {
    const outcome = await new Promise<number | string>((resolve) => {
      const request = http.request(
        { host: '127.0.0.1', port: api.port, method: 'POST', path: '/v1/embeddings', headers: own() },
        (response) => resolve(response.resume().statusCode ?? 0),
      );
      request.on('error', () => resolve('cut'));
      const piece = Buffer.alloc(1 << 20, 0x20);
      for (let n = 0; n < 18; n++) request.write(piece);
      request.end();
    });
    expect([413, 'cut']).toContain(outcome);
  });

  it('no JSON is a malformed request', async () => {
    const answer = await ask('POST', '/v1/chat/completions', own(), '{"model":');
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text).error.code).toBe('invalid_json');
  });

  it('a ninth request at once is asked to come back, and comes in later', async () => {
    const held = Promise.withResolvers<string>();
    api.model.reply = () => held.promise;
    const eight = Array.from({ length: 8 }, () => ask('POST', '/v1/chat/completions', own(), chat));
    await expect.poll(() => api.model.numRunning()).toBe(8);
    const ninth = await ask('POST', '/v1/chat/completions', own(), chat);
    expect(ninth.status).toBe(429);
    expect(ninth.headers['retry-after']).toBe('1');
    held.resolve('Now.');
    expect((await Promise.all(eight)).map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect((await ask('POST', '/v1/chat/completions', own(), chat)).status).toBe(200);
  });

  it('who guesses keys is not listened to after a while', async () => {
    const guess = () => ask('GET', '/v1/models', { ...own(), authorization: 'Bearer guess' });
    let last = await guess();
    for (let n = 0; n < 40 && last.status === 401; n++) last = await guess();
    expect(last.status).toBe(429);
    expect((await ask('GET', '/v1/models', own())).status).toBe(200);
  });
});

describe('the switch and the key', () => {
  const signal = new AbortController().signal;
  const fileOfDoor = () => join(api.scene.outside.profileFolder, 'local-api.json');
  const modelsWith = async (port: number, key: string): Promise<number> =>
    fetch(`http://127.0.0.1:${port}/v1/models`, { headers: { authorization: `Bearer ${key}` } }).then(
      ({ status }) => status,
      () => 0,
    );

  it('a new key takes the place of the old one at once', async () => {
    const { key } = await api.app.handlers.renewLocalApiKey({}, signal);
    expect(await modelsWith(api.port, api.key)).not.toBe(200);
    expect(await modelsWith(api.port, key)).toBe(200);
    api.key = key;
  });

  it('the key is kept nowhere, only what it can be known by', async () => {
    const { DatabaseSync } = await import('node:sqlite').catch(() => ({ DatabaseSync: null }));
    if (!DatabaseSync) return;
    const { readFileSync, readdirSync } = await import('node:fs');
    const folder = api.scene.outside.profileFolder;
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    for (const file of files)
      expect(readFileSync(join(file.parentPath, file.name)).includes(api.key), file.name).toBe(false);
    expect(api.scene.logged.join('\n')).not.toContain(api.key);
  });

  it('is shut at first, opens with a key that is shown once, opens again at the next start, and shuts', async () => {
    const second = await openApi({ model: false });
    try {
      const { handlers } = second.app;
      expect(await handlers.readLocalApi({}, signal)).toMatchObject({ on: false });
      const port = second.port;
      const opened = await handlers.setLocalApi({ on: true, port }, signal);
      expect(opened).toMatchObject({ localApi: { on: true, port, problem: null }, key: null });
      expect(await modelsWith(port, second.key)).toBe(200);
      expect(statSync(join(second.scene.outside.profileFolder, 'local-api.json')).mode & 0o077).toBe(0);
      const shut = await handlers.setLocalApi({ on: false }, signal);
      expect(shut.localApi).toMatchObject({ on: false, address: null });
      expect(await modelsWith(port, second.key)).toBe(0);
      expect(existsSync(join(second.scene.outside.profileFolder, 'local-api.json'))).toBe(false);
    } finally {
      await second.remove();
    }
  });

  it('a port that another program has is told, and the door stays shut', async () => {
    const other = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as net.AddressInfo;
    const { localApi } = await api.app.handlers.setLocalApi({ on: true, port }, signal);
    expect(localApi).toMatchObject({ on: true, address: null });
    expect(localApi.problem).toContain(String(port));
    expect(existsSync(fileOfDoor())).toBe(false);
    other.close();
  });
});
