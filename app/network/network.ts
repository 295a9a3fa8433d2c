/**
 * The one way out. Every connection of the application to another computer is made here, so that one switch stops them all
 * and one ledger knows them all.
 *
 * `fetchFor` gives what is shaped like `fetch`: `app.ts` hands it to whoever needs the network, with the reason why. Nothing
 * else in Quoth may connect to anywhere; test/lint/network.test.ts looks after that.
 */
import { QuothError } from '../contract/errors.ts';
import type { Connection, ConnectionPurpose } from '../contract/types.ts';
import type { ConnectionTable } from '../store/connection-table.ts';
import { headBytesOf, isLoopbackHost, measure, sizeOfBody } from './measure.ts';

export type Fetch = typeof globalThis.fetch;

export type Network = {
  /**
   * `fetch` for one purpose. While Quoth is to stay offline it fails with `network-off`, and so does what is under way; a server on
   * this computer (127.0.0.1) is reached all the same. Redirections are followed one by one, each an entry of its own; never from
   * https to http, and with no credentials to another host.
   */
  fetchFor(purpose: ConnectionPurpose): Fetch;
  /** A connection that another program makes for us: refused and noted like our own, its size unknown. */
  around<Result>(purpose: ConnectionPurpose, host: string, work: () => Promise<Result>): Promise<Result>;
  /** To be called when Quoth is told to stay offline: ends what is under way to other computers. */
  cut(): void;
};

export type NetworkParts = {
  /** The runtime's own. */
  fetch: Fetch;
  ledger: ConnectionTable;
  isOffline: () => boolean;
};

/** As browsers and Node have it. */
const maxRedirects = 20;
/** A long download is noted now and then: an end of the process must not make it look like nothing. */
const noteEveryBytes = 16e6;

export function networkOff(): QuothError {
  return new QuothError(
    'network-off',
    'Quoth is set to stay offline, so nothing was sent. Turn that off in the settings, under Privacy, and try again.',
  );
}

export function createNetwork({ fetch, ledger, isOffline }: NetworkParts): Network {
  const underWay = new Set<AbortController>();

  /** One request without its redirections. */
  async function once(purpose: ConnectionPurpose, url: URL, input: Parameters<Fetch>[0], init: RequestInit) {
    const isAway = !isLoopbackHost(url.hostname);
    const id = ledger.begin(url.host, purpose);
    let status: number | null = null;
    let sentBytes: number | null = null;
    let receivedBytes = 0;
    const note = (outcome: Connection['outcome']): void =>
      ledger.note(id, { outcome, status, sentBytes, receivedBytes });
    if (isAway && isOffline()) {
      sentBytes = 0;
      note('refused');
      throw networkOff();
    }
    const controller = new AbortController();
    if (isAway) underWay.add(controller);
    const theirs = init.signal ?? (input instanceof Request ? input.signal : undefined);
    const signal = theirs ? AbortSignal.any([theirs, controller.signal]) : controller.signal;
    const end = (outcome: Connection['outcome']): void => {
      underWay.delete(controller);
      note(outcome);
    };
    const whyNot = (): Connection['outcome'] => (signal.aborted ? 'stopped' : 'failed');
    try {
      const bodyBytes = await sizeOfBody(input, init);
      sentBytes = bodyBytes === null ? null : bodyBytes + headBytesOf(url, input, init);
      const response = await fetch(input, { ...init, redirect: 'manual', signal });
      status = response.status;
      let notedBytes = 0;
      return measure(response, {
        onBytes(numBytes) {
          receivedBytes += numBytes;
          if (receivedBytes - notedBytes < noteEveryBytes) return;
          notedBytes = receivedBytes;
          note('open');
        },
        onEnd: (how) => end(how === 'failed' ? whyNot() : how),
      });
    } catch (error) {
      end(whyNot());
      throw error;
    }
  }

  async function follow(purpose: ConnectionPurpose, input: Parameters<Fetch>[0], init: RequestInit): Promise<Response> {
    let url = new URL(input instanceof Request ? input.url : input);
    const mode = init.redirect ?? (input instanceof Request ? input.redirect : 'follow');
    let response = await once(purpose, url, input, init);
    if (mode === 'manual') return response;
    // From here on in parts that can be sent again.
    let next: RequestInit = input instanceof Request ? await partsOf(input, init) : init;
    for (let redirects = 0; isRedirect(response.status) && response.headers.has('location'); redirects++) {
      const target = new URL(response.headers.get('location')!, url);
      await response.body?.cancel();
      if (mode === 'error') throw new TypeError(`${url.host} points elsewhere, which was not expected.`);
      if (redirects >= maxRedirects) throw new TypeError(`${url.host} points from one address to the next.`);
      if (!/^https?:$/.test(target.protocol) || (url.protocol === 'https:' && target.protocol !== 'https:'))
        throw new TypeError(`${url.host} points to an address that is not secure.`);
      next = redirected(next, response.status, target.origin !== url.origin);
      url = target;
      response = await once(purpose, url, url.href, next);
    }
    return response;
  }

  return {
    fetchFor: (purpose) => async (input, init) => follow(purpose, input, init ?? {}),
    async around(purpose, host, work) {
      const id = ledger.begin(host, purpose);
      const note = (outcome: Connection['outcome'], bytes: number | null): void =>
        ledger.note(id, { outcome, status: null, sentBytes: bytes, receivedBytes: bytes });
      if (isOffline()) {
        note('refused', 0);
        throw networkOff();
      }
      try {
        const result = await work();
        note('done', null);
        return result;
      } catch (error) {
        note('failed', null);
        throw error;
      }
    },
    cut() {
      for (const controller of underWay) controller.abort(networkOff());
      underWay.clear();
    },
  };
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

/** A request in parts, its body left out: one that has to be sent again after a redirection is refused instead. */
async function partsOf(request: Request, init: RequestInit): Promise<RequestInit> {
  const { method, headers, signal } = request;
  return { method, headers, signal, ...(request.body ? { body: new ReadableStream() } : {}), ...init };
}

/** What is asked of the next address, by the rules of the Fetch standard. */
function redirected(init: RequestInit, status: number, isOtherOrigin: boolean): RequestInit {
  const headers = new Headers(init.headers);
  if (isOtherOrigin) for (const name of ['authorization', 'cookie', 'proxy-authorization']) headers.delete(name);
  const method = (init.method ?? 'GET').toUpperCase();
  const becomesGet = (status === 303 && method !== 'HEAD') || (status < 303 && method === 'POST');
  if (!becomesGet) {
    if (init.body instanceof ReadableStream) throw new TypeError('What was sent cannot be sent again elsewhere.');
    return { ...init, headers };
  }
  for (const name of ['content-type', 'content-length', 'content-encoding', 'content-language']) headers.delete(name);
  const { body: _body, ...rest } = init;
  return { ...rest, method: 'GET', headers };
}
