/**
 * The HTTP server of the loopback shell: the picture's files, uploads and the port. The interface is written down in
 * `app/contract/shell.ts`.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { QuothError, toErrorMessage } from '../../app/contract/errors.ts';
import type { Port } from '../../app/contract/port.ts';
import { maxMessageBytes } from '../../app/contract/shell.ts';
import type { Log } from '../../app/outside.ts';
import { readStaticFile, securityHeaders } from '../static-files.ts';
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
  onPort: (port: Port) => void;
  log: Log;
};

export type HttpServer = { port: number; close(): Promise<void> };

const maxUploadsAtOnce = 4;
const maxPorts = 16;
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
    protocols: isUpgrade ? (headers['sec-websocket-protocol'] ?? '') : null,
  };
}

/** Starts the server on 127.0.0.1 only. Fails with `busy` and one sentence when the wanted port is in use. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  let port = options.port;
  let numUploads = 0;
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
    if (admission.type === 'port')
      return refuse(response, { type: 'refused', status: 426, message: 'Upgrade needed.' });
    const { status, headers, body } = await readStaticFile(options.rendererFolder, admission.path, wsOrigins());
    response.writeHead(status, { ...headers, 'Content-Length': body.byteLength });
    response.end(request.method === 'HEAD' ? undefined : body);
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
