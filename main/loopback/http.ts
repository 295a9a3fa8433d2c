/**
 * The HTTP server of the loopback shell: the picture's files, uploads, recordings and the port. The interface is written down in
 * `app/contract/shell.ts`.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';
import { WebSocketServer } from 'ws';
import { QuothError, toErrorMessage } from '../../app/contract/errors.ts';
import type { Port } from '../../app/contract/port.ts';
import { maxMessageBytes } from '../../app/contract/shell.ts';
import type { Log } from '../../app/outside.ts';
import { answerRecording } from '../recording-file.ts';
import { readStaticFile, securityHeaders } from '../static-files.ts';
import { createTickets } from '../tickets.ts';
import { type Admission, admit, type RequestFacts } from './admit.ts';
import { socketPort } from './socket-port.ts';
import { storeUpload } from './upload.ts';

export type HttpOptions = {
  token: string;
  /** 0 = any free one. */
  port: number;
  rendererFolder: string;
  droppedFolder: string;
  issueTicket: (path: string) => string;
  /** Where the file of a recording of the library lies; null for every other document. */
  recordingOf: (documentId: string) => Promise<string | null>;
  onPort: (port: Port) => void;
  log: Log;
};

export type HttpServer = { port: number; close(): Promise<void> };

const maxUploadsAtOnce = 4;
const maxPorts = 16;
/** A player has one or two open at a time. */
const maxRecordingsAtOnce = 12;
/** A working day: a film that was begun can be seen to its end. */
const recordingTicketMs = 12 * 60 * 60_000;
const maxConnections = 64;
const maxHeaderBytes = 16 * 1024;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 15 * 60_000;

const statuses: Partial<Record<string, number>> = {
  'invalid-input': 400,
  unsupported: 413,
  'disk-full': 507,
  busy: 503,
};

function factsOf(request: IncomingMessage, isUpgrade: boolean): RequestFacts {
  const { headers } = request;
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    host: headers.host,
    origin: headers.origin,
    authorization: headers.authorization,
    contentType: headers['content-type'],
    site: headers['sec-fetch-site']?.toString(),
    protocols: isUpgrade ? (headers['sec-websocket-protocol'] ?? '') : null,
  };
}

/** Starts the server on 127.0.0.1 only. Fails with `busy` and one sentence when the wanted port is in use. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  let port = options.port;
  let numUploads = 0;
  let numRecordings = 0;
  const recordings = createTickets({ randomBytes, nowMs: Date.now, lifetimeMs: recordingTicketMs });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    handleProtocols: () => 'quoth.v1',
  });

  const server: Server = createServer({ maxHeaderSize: maxHeaderBytes }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      options.log('error', 'A request failed', { error });
      response.destroy();
    });
  });
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.maxConnections = maxConnections;
  server.on('upgrade', upgrade);
  server.on('clientError', (_error, socket) => socket.destroy());

  const wsOrigins = (): string => `ws://127.0.0.1:${port} ws://localhost:${port}`;

  function sendJson(response: ServerResponse, status: number, value: unknown): void {
    response.writeHead(status, { ...securityHeaders(), 'Content-Type': 'application/json; charset=utf-8' });
    response.end(JSON.stringify(value));
  }

  function refuse(response: ServerResponse, refusal: Extract<Admission, { type: 'refused' }>): void {
    // The body is not read: end the connection, or a large one would be taken in to its end.
    response.setHeader('Connection', 'close');
    sendJson(response, refusal.status, { error: { code: 'denied', message: refusal.message } });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const admission = admit(factsOf(request, false), { port, token: options.token });
    if (admission.type === 'refused') return refuse(response, admission);
    if (admission.type === 'upload') return upload(admission.path, request, response);
    if (admission.type === 'recording-ticket') {
      const file = await options.recordingOf(admission.documentId);
      if (file !== null) return sendJson(response, 201, { ticket: recordings.issue(file) });
      return sendJson(response, 404, { error: { code: 'not-found', message: 'The recording is not where it was.' } });
    }
    if (admission.type === 'recording') return play(admission.ticket, request, response);
    if (admission.type === 'port')
      return refuse(response, { type: 'refused', status: 426, message: 'Upgrade needed.' });
    const { status, headers, body } = await readStaticFile(options.rendererFolder, admission.path, wsOrigins());
    response.writeHead(status, { ...headers, 'Content-Length': body.byteLength });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  async function play(ticket: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (numRecordings >= maxRecordingsAtOnce)
      return refuse(response, { type: 'refused', status: 503, message: 'Too many recordings are open.' });
    numRecordings += 1;
    response.once('close', () => {
      numRecordings -= 1;
    });
    const { status, headers, body } = await answerRecording(recordings.redeem(ticket) ?? null, {
      range: request.headers.range,
      withBody: request.method === 'GET',
    });
    if (response.destroyed) return void body?.destroy();
    response.writeHead(status, headers);
    // A player leaves as soon as it jumps elsewhere: that is no fault.
    if (body) pipeline(body, response, () => undefined);
    else response.end();
  }

  async function upload(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (numUploads >= maxUploadsAtOnce) {
      response.setHeader('Connection', 'close');
      return sendJson(response, 503, { error: { code: 'busy', message: 'Other files are coming in; please wait.' } });
    }
    numUploads += 1;
    try {
      const length = request.headers['content-length'];
      const sizeBytes = length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : Number.NaN;
      const file = await storeUpload(options.droppedFolder, path, sizeBytes, request);
      sendJson(response, 201, { ticket: options.issueTicket(file) });
    } catch (thrown) {
      if (request.destroyed && !response.writable) return;
      const error = toErrorMessage(thrown);
      if (error.code === 'internal') options.log('error', 'An upload failed', { error: thrown });
      response.setHeader('Connection', 'close');
      sendJson(response, statuses[error.code] ?? 500, { error });
    } finally {
      numUploads -= 1;
    }
  }

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    let admission = admit(factsOf(request, true), { port, token: options.token });
    if (admission.type === 'port' && sockets.clients.size >= maxPorts)
      admission = { type: 'refused', status: 503, message: 'Too many windows are open.' };
    if (admission.type !== 'port') {
      const status = admission.type === 'refused' ? admission.status : 404;
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => options.onPort(socketPort(opened)));
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE' || error.code === 'EACCES';
      reject(
        inUse
          ? new QuothError('busy', `Port ${port} is in use or not allowed; choose another with --port.`, {
              cause: error,
            })
          : error,
      );
    });
    server.listen({ host: '127.0.0.1', port: options.port, exclusive: true }, resolve);
  });
  const address = server.address();
  if (address && typeof address === 'object') port = address.port;

  return {
    port,
    async close() {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
