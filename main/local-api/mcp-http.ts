/** MCP over Streamable HTTP: every POST is answered by a server of its own, for there is nothing to remember between them. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';
import { createMcpServer, type McpParts } from './mcp.ts';

export type AnswerMcp = (
  body: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
) => Promise<void>;

const requestId = z.union([z.string().max(200), z.number()]);
const initialize = z.object({ method: z.literal('initialize') });
const cancelled = z.object({
  method: z.literal('notifications/cancelled'),
  params: z.object({ requestId }),
});
const withId = z.object({ id: requestId });

/**
 * A session's id is only there so that a client which gives up a call can be told from the others: what it sends then comes as
 * another request.
 */
export function createMcpHttp(parts: Omit<McpParts, 'signal'>): AnswerMcp {
  const running = new Map<string, AbortController>();

  return async (body, request, response, outer) => {
    const session = request.headers['mcp-session-id'];
    const keyOf = (id: string | number): string => JSON.stringify([session, id]);
    const givenUp = cancelled.safeParse(body);
    if (givenUp.success) running.get(keyOf(givenUp.data.params.requestId))?.abort();
    if (initialize.safeParse(body).success) response.setHeader('Mcp-Session-Id', randomUUID());

    const controller = new AbortController();
    const identified = withId.safeParse(body);
    const key = typeof session === 'string' && identified.success ? keyOf(identified.data.id) : null;
    if (key !== null) running.set(key, controller);
    const signal = AbortSignal.any([outer, controller.signal]);

    const transport = new StreamableHTTPServerTransport();
    const server = createMcpServer({ ...parts, signal });
    const ended = new Promise<void>((resolve) => {
      if (response.closed) resolve();
      response.once('close', resolve);
      // A call that was given up has no answer: its connection ends with it.
      controller.signal.addEventListener('abort', () => response.end(), { once: true });
    });
    try {
      await server.connect(transport as Parameters<typeof server.connect>[0]);
      await transport.handleRequest(request, response, body);
      await ended; // its place among those who run is free when the answer is out
    } finally {
      if (key !== null && running.get(key) === controller) running.delete(key);
      await server.close();
    }
  };
}
