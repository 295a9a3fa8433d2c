/**
 * A YouTube on this computer: replays captured answers over real HTTP. `fetch` is what the application gets instead of the
 * real one; it sends every request for a YouTube host to the server and refuses all others.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type FakeRequest = {
  method: string;
  host: string;
  path: string;
  query: URLSearchParams;
  body: string;
  cookie: string;
};
export type FakeAnswer = {
  status?: number;
  type?: string;
  body: string | Uint8Array;
  headers?: Record<string, string>;
};

export type YouTubeServer = {
  fetch: typeof globalThis.fetch;
  /** What was asked, in order. */
  requests: FakeRequest[];
  close(): Promise<void>;
};

/** `answer` decides what each request gets; null = 404, 'hang' = never anything, 'cut' = the connection ends. */
export async function startYouTubeServer(
  answer: (request: FakeRequest) => FakeAnswer | null | 'hang' | 'cut',
): Promise<YouTubeServer> {
  const requests: FakeRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    void readBody(incoming).then((body) => {
      const url = new URL(incoming.url ?? '/', 'http://local');
      const host = String(incoming.headers['x-original-host'] ?? '');
      const cookie = incoming.headers.cookie ?? '';
      const request = {
        method: incoming.method ?? '',
        host,
        path: url.pathname,
        query: url.searchParams,
        body,
        cookie,
      };
      requests.push(request);
      reply(outgoing, answer(request));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const fetch: typeof globalThis.fetch = async (input, init) => {
    const asked = new Request(input, init);
    const url = new URL(asked.url);
    if (!/(^|\.)(youtube\.com|youtu\.be)$/.test(url.hostname)) throw new Error(`${url.hostname} is not YouTube.`);
    const headers = new Headers(asked.headers);
    headers.set('x-original-host', url.hostname);
    const body = asked.method === 'GET' ? undefined : await asked.text();
    const { signal, redirect } = init ?? {};
    return globalThis.fetch(`http://127.0.0.1:${port}${url.pathname}${url.search}`, {
      method: asked.method,
      headers,
      body,
      signal,
      redirect,
    });
  };
  return {
    fetch,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function reply(outgoing: ServerResponse, answer: FakeAnswer | null | 'hang' | 'cut'): void {
  if (answer === 'hang') return;
  if (answer === 'cut') {
    outgoing.destroy();
    return;
  }
  outgoing.writeHead(answer ? (answer.status ?? 200) : 404, {
    'content-type': answer?.type ?? 'text/plain',
    ...answer?.headers,
  });
  outgoing.end(answer?.body ?? 'not found');
}
