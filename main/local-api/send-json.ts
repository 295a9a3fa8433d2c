import type { ServerResponse } from 'node:http';
import type { ApiError } from './errors.ts';
import { plainHeaders } from './headers.ts';

export function sendJson(response: ServerResponse, status: number, value: unknown, more: Record<string, string> = {}) {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    ...plainHeaders,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.byteLength,
    ...more,
  });
  response.end(body);
}

export function sendError(response: ServerResponse, { status, error, retryAfter }: ApiError): void {
  sendJson(response, status, { error }, retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) });
}
