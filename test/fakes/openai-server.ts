/** An OpenAI-compatible server of a few lines on a real port: a test says how it answers, and how it fails. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Received = {
  method: string;
  path: string;
  authorization: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire
  body: any;
};

export type OpenAiServer = {
  address: string;
  host: string;
  received: Received[];
  /** Connections that are being answered. */
  numRunning(): number;
  /** Answers the next requests for a chat; `stream` of words unless a test says otherwise. */
  onChat: (request: Received, response: ServerResponse) => unknown;
  onModels: (request: Received, response: ServerResponse) => unknown;
  close(): Promise<void>;
};

export const sendJson = (response: ServerResponse, status: number, value: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
};

/** Words as a server streams them. `end` false: the stream stays open. */
export function streamWords(response: ServerResponse, words: string[], { end = true, usage = true } = {}): void {
  const send = (value: unknown): void => void response.write(`data: ${JSON.stringify(value)}\n\n`);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const frame = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'big' };
  send({ ...frame, choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] });
  for (const content of words) send({ ...frame, choices: [{ index: 0, delta: { content }, finish_reason: null }] });
  if (!end) return;
  send({ ...frame, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  if (usage) send({ ...frame, choices: [], usage: { prompt_tokens: 20, completion_tokens: words.length } });
  response.end('data: [DONE]\n\n');
}

export async function startOpenAiServer(): Promise<OpenAiServer> {
  let numRunning = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const text = Buffer.concat(pieces).toString();
    const received: Received = {
      method: request.method ?? '',
      path: request.url ?? '',
      authorization: request.headers.authorization,
      body: text === '' ? null : JSON.parse(text),
    };
    server.received.push(received);
    numRunning += 1;
    response.once('close', () => {
      numRunning -= 1;
    });
    if (received.path.endsWith('/models')) server.onModels(received, response);
    else server.onChat(received, response);
  };
  const http = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  const server: OpenAiServer = {
    address: `http://${host}/v1`,
    host,
    received: [],
    numRunning: () => numRunning,
    onChat: (_request, response) => streamWords(response, ['Hello', ' there', '.']),
    onModels: (_request, response) =>
      sendJson(response, 200, { object: 'list', data: [{ id: 'big', object: 'model', max_model_len: 16_384 }] }),
    async close() {
      http.closeAllConnections();
      await new Promise<void>((resolve) => http.close(() => resolve()));
    },
  };
  return server;
}
