/** Server-sent events towards a program, as fast as it reads them. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { plainHeaders } from './headers.ts';

/** A program that does not read for so long is gone. */
const slowestReadMs = 60_000;
/** A comment now and then keeps the connection while a long prompt is read. */
const keepAliveMs = 15_000;

export type EventStream = {
  /** Resolves when there is room for more. Nothing happens once the other side is gone. */
  send(value: unknown): Promise<void>;
  /** The last mark of OpenAI's streams, and the end. */
  end(): void;
};

export function openEventStream(response: ServerResponse, signal: AbortSignal): EventStream {
  response.writeHead(200, {
    ...plainHeaders,
    'Content-Type': 'text/event-stream; charset=utf-8',
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
  const timer = setInterval(() => {
    if (response.writableLength === 0) response.write(': still at work\n\n');
  }, keepAliveMs);
  response.once('close', () => clearInterval(timer));
  async function write(text: string): Promise<void> {
    if (signal.aborted || response.destroyed || response.write(text)) return;
    try {
      await once(response, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(slowestReadMs)]) });
    } catch {
      response.destroy();
    }
  }
  return {
    send: (value) => write(`data: ${JSON.stringify(value)}\n\n`),
    end() {
      clearInterval(timer);
      if (!response.destroyed) response.end('data: [DONE]\n\n');
    },
  };
}
