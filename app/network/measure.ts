/** How much a request and its answer are, as far as can be seen from above the connection. */

type Input = Parameters<typeof globalThis.fetch>[0];

/** The bytes of a request's body; null for a stream, which only the reading would tell. */
export async function sizeOfBody(input: Input, init: RequestInit): Promise<number | null> {
  const { body } = init;
  if (body === undefined || body === null) {
    if (!(input instanceof Request) || !input.body) return 0;
    return (await input.clone().arrayBuffer()).byteLength;
  }
  if (typeof body === 'string') return Buffer.byteLength(body);
  if (body instanceof URLSearchParams) return Buffer.byteLength(body.toString());
  if (body instanceof Blob) return body.size;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return body.byteLength;
  return null;
}

/** About the bytes of a request's head: its line and the headers that were asked for. */
export function headBytesOf(url: URL, input: Input, init: RequestInit): number {
  const asked = input instanceof Request ? input : null;
  const headers = new Headers(init.headers ?? asked?.headers);
  const method = init.method ?? asked?.method ?? 'GET';
  return (
    Buffer.byteLength(`${method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n\r\n`) + sizeOf(headers)
  );
}

function sizeOf(headers: Headers): number {
  let numBytes = 0;
  for (const [name, value] of headers) numBytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 4;
  return numBytes;
}

/** True for this computer by its number or its one reserved name. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}

export type Measured = {
  onBytes(numBytes: number): void;
  /** Exactly once: all was read, the reader left, or it broke off. */
  onEnd(how: 'done' | 'stopped' | 'failed'): void;
};

/** The same response, whose bytes are counted as they are read. */
export function measure(response: Response, { onBytes, onEnd }: Measured): Response {
  onBytes(Buffer.byteLength(`HTTP/1.1 ${response.status} ${response.statusText}\r\n\r\n`) + sizeOf(response.headers));
  if (!response.body) {
    onEnd('done');
    return response;
  }
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const counted = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            onEnd('done');
            controller.close();
          } else {
            onBytes(value.byteLength);
            controller.enqueue(value);
          }
        } catch (error) {
          onEnd('failed');
          controller.error(error);
        }
      },
      async cancel(reason) {
        onEnd('stopped');
        await reader.cancel(reason);
      },
    },
    // Nothing is read ahead of whoever reads: what is not wanted is not fetched.
    { highWaterMark: 0 },
  );
  const { status, statusText, headers, url, redirected } = response;
  const same = new Response(counted, { status, statusText, headers });
  Object.defineProperties(same, { url: { value: url }, redirected: { value: redirected } });
  return same;
}
