/** One request to a server elsewhere: with a deadline, a bounded answer, and no way to another host. */
import { QuothError } from '../contract/errors.ts';
import type { Outside } from '../outside.ts';
import { describeHost } from './address.ts';
import { cutOff, fromFetch, fromStatus, late, malformed, movedAway } from './faults.ts';

export type RemoteRequest = {
  url: URL;
  key: string | null;
  /** POSTed as JSON; absent = GET. */
  body?: unknown;
  /** Until the answer's head is there. */
  headDeadlineMs: number;
  /** For the errors' sentences. */
  model: string | null;
  signal: AbortSignal;
};

export type RemoteAnswer = {
  contentType: string;
  /** The body, piece by piece. Ends with an error when nothing comes for `silenceMs`, or when it was cut off. */
  pieces(silenceMs: number): AsyncGenerator<Uint8Array>;
  /** The whole body as JSON. */
  json(maxBytes: number, deadlineMs: number): Promise<unknown>;
};

export type AskRemote = (request: RemoteRequest) => Promise<RemoteAnswer>;

/** On the same host only: from /v1 to /v1/, say. */
const maxRedirects = 3;
const maxErrorBytes = 64 * 1024;
const errorDeadlineMs = 5_000;

/** Where a status is not 2xx, `refusal` of the thrown error's cause has what the server said. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`The server answered ${status}.`);
    this.status = status;
    this.body = body;
  }
}

/** `isOffline`: the person forbids that anything leaves this computer. */
export function createAskRemote(outside: Pick<Outside, 'fetch'>, isOffline: () => boolean): AskRemote {
  return async (request) => {
    const { host, isLoopback } = describeHost(request.url);
    if (isOffline() && !isLoopback)
      throw new QuothError(
        'denied',
        `Quoth is set to stay offline, so nothing was sent to ${host}. Use a model of this computer, or allow the network in Settings.`,
      );
    // Our own, so that a request that is given up is torn down whatever the reason is.
    const ours = new AbortController();
    const signal = AbortSignal.any([request.signal, ours.signal]);
    const response = await withDeadline(send(request, outside.fetch, signal), request.headDeadlineMs, ours, host).catch(
      (thrown: unknown) => {
        ours.abort();
        throw request.signal.aborted ? cancelled() : fromFetch(thrown, host);
      },
    );
    if (!response.ok) {
      const body = await readText(response, maxErrorBytes, errorDeadlineMs, ours, host).catch(() => '');
      ours.abort();
      const error = fromStatus(response.status, body, host, request.model);
      throw new QuothError(error.code, error.message, { cause: new Refusal(response.status, body) });
    }
    return {
      contentType: response.headers.get('content-type') ?? '',
      pieces: (silenceMs) => readPieces(response, silenceMs, ours, host, request.signal),
      async json(maxBytes, deadlineMs) {
        const text = await readText(response, maxBytes, deadlineMs, ours, host);
        try {
          return JSON.parse(text);
        } catch (cause) {
          throw malformed(host, cause);
        }
      },
    };
  };
}

function cancelled(): QuothError {
  return new QuothError('cancelled', 'The work was stopped before it ended.');
}

async function send(request: RemoteRequest, fetch: Outside['fetch'], signal: AbortSignal): Promise<Response> {
  let { url } = request;
  const { body, key } = request;
  const headers: Record<string, string> = { accept: 'application/json, text/event-stream' };
  if (key) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  for (let numRedirects = 0; ; numRedirects++) {
    const response = await fetch(url.href, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
      credentials: 'omit',
      signal,
    });
    const to = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
    if (to === null) return response;
    await response.body?.cancel().catch(() => {});
    const next = URL.canParse(to, url.href) ? new URL(to, url.href) : null;
    // The same scheme, host and port: a key must not go anywhere else, nor anybody's words.
    if (!next || next.origin !== url.origin || next.username !== '' || numRedirects >= maxRedirects)
      throw movedAway(url.host);
    url = next;
  }
}

async function withDeadline<T>(work: Promise<T>, deadlineMs: number, ours: AbortController, host: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(late(host, Math.round(deadlineMs / 1000)));
      ours.abort();
    }, deadlineMs);
  });
  work.catch(() => {}); // after the deadline nobody waits for it
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

async function* readPieces(
  response: Response,
  silenceMs: number,
  ours: AbortController,
  host: string,
  outer: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const next = await withDeadline(reader?.read() ?? Promise.resolve(null), silenceMs, ours, host);
      if (!next || next.done) return;
      yield next.value;
    }
  } catch (thrown) {
    if (outer.aborted) throw cancelled();
    throw thrown instanceof QuothError ? thrown : cutOff(host, thrown);
  } finally {
    // Leaving the loop ends the request: the server stops to compute.
    ours.abort();
    reader?.cancel().catch(() => {});
  }
}

async function readText(
  response: Response,
  maxBytes: number,
  deadlineMs: number,
  ours: AbortController,
  host: string,
): Promise<string> {
  const read = async (): Promise<string> => {
    const pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const piece of readPieces(response, deadlineMs, ours, host, new AbortController().signal)) {
      sizeBytes += piece.byteLength;
      if (sizeBytes > maxBytes) throw malformed(host);
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString();
  };
  return withDeadline(read(), deadlineMs, ours, host);
}
