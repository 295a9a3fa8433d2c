import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createNetwork, type Fetch } from '../../../app/network/network.ts';
import { createConnectionTable } from '../../../app/store/connection-table.ts';
import { createProfile, openStore } from '../store/profile.ts';

/** A network on a new profile; hosts under `.test` are answered by `answer`, everything else by the runtime. */
function open(answer: (url: URL, init: RequestInit) => Response | Promise<Response>) {
  const { database } = openStore(createProfile());
  const ledger = createConnectionTable(database, { nowMs: Date.now });
  const asked: { url: string; init: RequestInit }[] = [];
  let offline = false;
  const fake: Fetch = async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    asked.push({ url: url.href, init });
    return url.hostname.endsWith('.test') ? answer(url, init) : fetch(input, init);
  };
  const network = createNetwork({ fetch: fake, ledger, isOffline: () => offline });
  return {
    network,
    ledger,
    asked,
    goOffline() {
      offline = true;
      network.cut();
    },
  };
}

const text = (words: string, init: ResponseInit = {}) => new Response(words, init);
const to = (location: string, status = 302) => new Response(null, { status, headers: { location } });

describe('the one way out', () => {
  it('a request is noted with its host, purpose, sizes and end, and its path is not', async () => {
    const { network, ledger } = open(() => text('twelve bytes'));
    const fetch = network.fetchFor('model');
    const response = await fetch('https://models.test/secret/path?q=1', { method: 'POST', body: 'hello' });
    expect(ledger.list(10, null)[0]).toMatchObject({ outcome: 'open', host: 'models.test', purpose: 'model' });
    expect(await response.text()).toBe('twelve bytes');
    const [entry] = ledger.list(10, null);
    expect(entry).toMatchObject({ outcome: 'done', status: 200 });
    expect(entry!.sentBytes).toBeGreaterThan(5);
    expect(entry!.receivedBytes).toBeGreaterThanOrEqual(12 + 'HTTP/1.1 200'.length);
    expect(entry!.endedAtMs).toBeGreaterThanOrEqual(entry!.startedAtMs);
    expect(JSON.stringify(ledger.list(10, null))).not.toContain('secret');
  });

  it('a response is the same to its reader: status, headers, address, body', async () => {
    const { network } = open(() => text('{"a":1}', { status: 201, headers: { 'x-one': 'two' } }));
    const response = await network.fetchFor('other')('https://a.test/');
    expect(response.status).toBe(201);
    expect(response.headers.get('x-one')).toBe('two');
    expect(await response.json()).toEqual({ a: 1 });
  });

  it('answers without a body are complete at once', async () => {
    const { network, ledger } = open(() => new Response(null, { status: 204 }));
    expect((await network.fetchFor('other')('https://a.test/')).status).toBe(204);
    expect(ledger.list(1, null)[0]).toMatchObject({ outcome: 'done', status: 204 });
  });

  it('while Quoth is to stay offline nothing is asked, and the refusal is noted', async () => {
    const { network, ledger, asked, goOffline } = open(() => text(''));
    goOffline();
    await expect(network.fetchFor('video')('https://www.youtube.test/')).rejects.toMatchObject({ code: 'network-off' });
    expect(asked).toEqual([]);
    expect(ledger.list(1, null)[0]).toMatchObject({ outcome: 'refused', sentBytes: 0, receivedBytes: 0, status: null });
  });

  it('a download that is under way ends when Quoth goes offline', async () => {
    const { network, ledger, goOffline } = open(
      (_url, { signal }) =>
        new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new TextEncoder().encode('begun'));
              signal?.addEventListener('abort', () => controller.error(signal.reason));
            },
          }),
        ),
    );
    const response = await network.fetchFor('model')('https://a.test/big');
    const reader = response.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('begun');
    const rest = reader.read();
    goOffline();
    await expect(rest).rejects.toMatchObject({ code: 'network-off' });
    expect(ledger.list(1, null)[0]).toMatchObject({ outcome: 'stopped' });
  });

  it('a reader that leaves is noted as a stop, a connection that breaks as a failure', async () => {
    const { network, ledger } = open((url) => {
      if (url.pathname === '/broken') throw new TypeError('fetch failed');
      return text('a long text');
    });
    await (await network.fetchFor('other')('https://a.test/')).body!.cancel();
    expect(ledger.list(1, null)[0]).toMatchObject({ outcome: 'stopped' });
    await expect(network.fetchFor('other')('https://a.test/broken')).rejects.toThrow('fetch failed');
    expect(ledger.list(1, null)[0]).toMatchObject({ outcome: 'failed', status: null });
    const controller = new AbortController();
    controller.abort();
    const left = network.fetchFor('other')('https://a.test/broken', { signal: controller.signal });
    await expect(left).rejects.toThrow();
    expect(ledger.list(1, null)[0]).toMatchObject({ outcome: 'stopped' });
  });

  it('another program’s connection is noted without sizes, and refused offline', async () => {
    const { network, ledger, goOffline } = open(() => text(''));
    expect(await network.around('model', 'npm', async () => 'found')).toBe('found');
    expect(ledger.list(1, null)[0]).toMatchObject({
      host: 'npm',
      outcome: 'done',
      sentBytes: null,
      receivedBytes: null,
    });
    goOffline();
    let isAsked = false;
    const asking = network.around('model', 'npm', async () => {
      isAsked = true;
    });
    await expect(asking).rejects.toMatchObject({ code: 'network-off' });
    expect(isAsked).toBe(false);
  });
});

describe('redirections', () => {
  it('are followed one by one, each an entry of its own', async () => {
    const { network, ledger } = open((url) => (url.host === 'a.test' ? to('https://b.test/x') : text('there')));
    const response = await network.fetchFor('model')('https://a.test/');
    expect(await response.text()).toBe('there');
    expect(ledger.list(10, null).map(({ host, status }) => [host, status])).toEqual([
      ['b.test', 200],
      ['a.test', 302],
    ]);
  });

  it('do not carry credentials to another host, and keep them on the same', async () => {
    const { network, asked } = open((url) =>
      url.pathname === '/1' ? to('/2') : url.pathname === '/2' ? to('https://b.test/3') : text(''),
    );
    await network.fetchFor('other')('https://a.test/1', { headers: { authorization: 'Bearer x', range: 'bytes=5-' } });
    const sent = asked.map(({ init }) => new Headers(init.headers));
    expect(sent.map((headers) => headers.get('authorization'))).toEqual(['Bearer x', 'Bearer x', null]);
    expect(sent.map((headers) => headers.get('range'))).toEqual(['bytes=5-', 'bytes=5-', 'bytes=5-']);
  });

  it('lead nowhere that is less secure, and not on and on', async () => {
    const { network } = open((url) => (url.pathname === '/down' ? to('http://a.test/') : to('https://a.test/again')));
    const fetch = network.fetchFor('other');
    await expect(fetch('https://a.test/down')).rejects.toThrow('not secure');
    await expect(fetch('https://a.test/again')).rejects.toThrow('from one address to the next');
  });

  it('turn a post into a get, as browsers do, and are shown or refused where that is asked for', async () => {
    const { network, asked } = open((url) => (url.pathname === '/1' ? to('/2', 303) : text('')));
    const fetch = network.fetchFor('other');
    await fetch('https://a.test/1', { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } });
    expect(asked[1]!.init).toMatchObject({ method: 'GET' });
    expect(asked[1]!.init.body).toBeUndefined();
    expect(new Headers(asked[1]!.init.headers).has('content-type')).toBe(false);
    expect((await fetch('https://a.test/1', { redirect: 'manual' })).status).toBe(303);
    await expect(fetch('https://a.test/1', { redirect: 'error' })).rejects.toThrow('points elsewhere');
  });

  it('stop where Quoth goes offline between two of them', async () => {
    const scene = open(() => {
      scene.goOffline();
      return to('https://b.test/');
    });
    await expect(scene.network.fetchFor('other')('https://a.test/')).rejects.toMatchObject({ code: 'network-off' });
    expect(scene.asked).toHaveLength(1);
  });
});

describe('with a real server', () => {
  let server: Server;
  let address = '';
  beforeAll(async () => {
    const answer: RequestListener = (request, response) => {
      if (request.url === '/to') response.writeHead(302, { location: '/there' }).end();
      else request.pipe(response);
    };
    server = createServer(answer).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  it('this computer is reached while Quoth stays offline: nothing leaves it', async () => {
    const { network, goOffline, ledger } = open(() => text(''));
    goOffline();
    const response = await network.fetchFor('remote-model')(address, { method: 'POST', body: 'to myself' });
    expect(await response.text()).toBe('to myself');
    expect(ledger.list(1, null)[0]).toMatchObject({ outcome: 'done', host: new URL(address).host });
    expect((await network.fetchFor('remote-model')(`${address}/to`)).status).toBe(200);
  });

  it('a Request object is taken as fetch takes it', async () => {
    const { network, ledger } = open(() => text(''));
    const request = new Request(address, { method: 'POST', body: 'a request', headers: { 'x-a': 'b' } });
    expect(await (await network.fetchFor('other')(request)).text()).toBe('a request');
    expect(ledger.list(1, null)[0]!.sentBytes).toBeGreaterThan(9);
    const redirected = await network.fetchFor('other')(new Request(`${address}/to`));
    expect(redirected.url).toBe(`${address}/there`);
  });
});

describe('the ledger', () => {
  it('is kept over an end of the process, where what was open counts as failed', () => {
    const profile = createProfile();
    const first = openStore(profile);
    createConnectionTable(first.database, { nowMs: () => 5 }).begin('a.test', 'model');
    first.database.close();
    const again = createConnectionTable(openStore(profile).database, { nowMs: () => 9 });
    expect(again.list(10, null)).toMatchObject([{ host: 'a.test', outcome: 'failed', startedAtMs: 5 }]);
  });

  it('comes in pieces, and is empty after it was cleared', () => {
    const { database } = openStore(createProfile());
    onTestFinished(() => database.close());
    const ledger = createConnectionTable(database, { nowMs: () => 1 });
    for (let n = 1; n <= 5; n++) ledger.begin(`host-${n}.test`, 'other');
    const newest = ledger.list(2, null);
    expect(newest.map(({ host }) => host)).toEqual(['host-5.test', 'host-4.test']);
    expect(ledger.list(9, newest[1]!.id).map(({ host }) => host)).toEqual([
      'host-3.test',
      'host-2.test',
      'host-1.test',
    ]);
    expect(ledger.count()).toBe(5);
    ledger.clear();
    expect(ledger.list(9, null)).toEqual([]);
    ledger.note(newest[0]!.id, { outcome: 'done', status: 200, sentBytes: 1, receivedBytes: 1 });
    expect(ledger.count()).toBe(0);
  });
});
