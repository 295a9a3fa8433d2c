/** The HTTP server of the local API, on 127.0.0.1 only. What it serves is written down in README.md. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { App } from '../../app/app.ts';
import { QuothError } from '../../app/contract/errors.ts';
import type { Log } from '../../app/outside.ts';
import { type Admission, admit, type RequestFacts } from './admit.ts';
import { readJson } from './body.ts';
import { answerChat } from './chat.ts';
import { libraryModel } from './chat-request.ts';
import { answerEmbeddings } from './embeddings.ts';
import { ApiRefusal, toApiError } from './errors.ts';
import { createLimits } from './limits.ts';
import { createMcpHttp } from './mcp-http.ts';
import { sendError, sendJson } from './send-json.ts';

export type LocalApiOptions = {
  app: Pick<App, 'handlers' | 'programs' | 'library'>;
  /** 0 = any free one. */
  port: number;
  accepts: (key: string) => boolean;
  version: string;
  nowMs: () => number;
  log: Log;
};

export type LocalApiServer = { port: number; close(): Promise<void> };

const maxConnections = 64;
const maxHeaderBytes = 16 * 1024;
const headersTimeoutMs = 10_000;
/** For the request to come in whole; its answer may take as long as it is being written. */
const requestTimeoutMs = 60_000;
const keepAliveTimeoutMs = 30_000;
/** Nothing that is asked for here takes longer, unless it hangs. */
const answerDeadlineMs = 15 * 60_000;

function factsOf({ method, url, headers }: IncomingMessage): RequestFacts {
  const fetchSite = headers['sec-fetch-site'];
  return {
    method: method ?? '',
    target: url ?? '',
    host: headers.host,
    origin: headers.origin,
    fetchSite: Array.isArray(fetchSite) ? fetchSite.join() : fetchSite,
    authorization: headers.authorization,
    contentType: headers['content-type'],
  };
}

/** Fails with `busy` and one sentence when the port is taken. */
export async function startLocalApi(options: LocalApiOptions): Promise<LocalApiServer> {
  const { app, version, nowMs, log } = options;
  const limits = createLimits(nowMs);
  const closing = new AbortController();
  const startedAt = Math.floor(nowMs() / 1000);
  const answerMcp = createMcpHttp({ app: () => app, version });
  let port = options.port;

  const server: Server = createServer({ maxHeaderSize: maxHeaderBytes }, (request, response) => {
    void answer(request, response);
  });
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.maxConnections = maxConnections;
  server.on('clientError', (_error, socket) => socket.destroy());

  function refuse(response: ServerResponse, refusal: Extract<Admission, { type: 'refused' }>): void {
    const { status, code, message, allow } = refusal;
    // The body is not read: end the connection, or a large one would be taken in to its end.
    response.setHeader('Connection', 'close');
    if (allow) response.setHeader('Allow', allow);
    if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
    sendError(response, new ApiRefusal(status, code, message).answer);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const left = new AbortController();
    response.once('close', () => left.abort());
    response.once('error', () => left.abort());
    const admission = admit(factsOf(request), { port, accepts: options.accepts });
    if (admission.type === 'refused') {
      if (admission.status === 401 && limits.wrongKey())
        return refuse(response, {
          ...admission,
          status: 429,
          code: 'rate_limit_exceeded',
          message: 'There were too many wrong keys. Please wait a minute.',
        });
      return refuse(response, admission);
    }
    const signal = AbortSignal.any([left.signal, closing.signal, AbortSignal.timeout(answerDeadlineMs)]);
    let leave: (() => void) | undefined;
    try {
      leave = limits.enter();
      await serve(admission, request, response, signal);
      // A deadline of ours, or the door shut: whoever waits is told.
      if (signal.aborted && !response.headersSent && !response.destroyed)
        throw new ApiRefusal(503, 'stopped', 'The answer was stopped before it ended.');
    } catch (thrown) {
      if (response.destroyed) return;
      const error = toApiError(thrown);
      if (error.status === 500) log('error', 'A request of another program failed', { error: String(thrown) });
      if (!request.complete) response.setHeader('Connection', 'close');
      if (response.headersSent) response.destroy();
      else sendError(response, error);
    } finally {
      leave?.();
    }
  }

  async function serve(
    { route, name }: Extract<Admission, { type: 'admitted' }>,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    if (route === 'models') return sendJson(response, 200, { object: 'list', data: await listModels() });
    if (route === 'model') {
      const found = (await listModels()).find(({ id }) => id === name);
      if (!found) throw new ApiRefusal(404, 'model_not_found', 'There is no such model in use.', 'model');
      return sendJson(response, 200, found);
    }
    const body = await readJson(request);
    if (route === 'chat')
      return answerChat(
        body,
        response,
        { app, nowMs, newId: () => `chatcmpl-${randomUUID().replaceAll('-', '')}` },
        signal,
      );
    if (route === 'embeddings') return answerEmbeddings(body, response, app.programs, signal);
    return answerMcp(body, request, response, signal);
  }

  async function listModels() {
    const { chat, embedder } = await app.programs.inUse();
    const model = (id: string, more: object) => ({
      id,
      object: 'model',
      created: startedAt,
      owned_by: 'quoth',
      ...more,
    });
    return [
      ...(chat ? [model(chat.id, { quoth: { name: chat.name, role: 'chat' } })] : []),
      ...(embedder ? [model(embedder.id, { quoth: { name: embedder.name, role: 'embedder' } })] : []),
      // Without a chat model, too: then its answers are made of quotes.
      model(libraryModel, { quoth: { name: 'Your documents, with proof', role: 'library' } }),
    ];
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE' || error.code === 'EACCES';
      const sentence = `Port ${port} is used by another program, or not allowed. Please choose another one.`;
      reject(inUse ? new QuothError('busy', sentence, { cause: error }) : error);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, resolve);
  });
  const address = server.address();
  if (address && typeof address === 'object') port = address.port;

  return {
    port,
    async close() {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
