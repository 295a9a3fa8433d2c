/** Who may ask the loopback server for what. The rules stand in one function, so that a table can test them. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** The part of a request that decides. Header values as they came; absent = undefined. */
export type RequestFacts = {
  method: string;
  /** The path and query, as in the request line. */
  target: string;
  host: string | undefined;
  origin: string | undefined;
  authorization: string | undefined;
  contentType: string | undefined;
  /** `Sec-Fetch-Site`: whose page asks, as the browser says. */
  site?: string | undefined;
  /** `Sec-WebSocket-Protocol` of an upgrade; null for a request that is none. */
  protocols: string | null;
};

export type Admission =
  | { type: 'static'; path: string }
  | { type: 'upload'; path: string }
  | { type: 'port' }
  /** A ticket for a recording is wanted. */
  | { type: 'recording-ticket'; documentId: string }
  | { type: 'recording'; ticket: string }
  | { type: 'refused'; status: number; message: string };

const refused = (status: number, message: string): Admission => ({ type: 'refused', status, message });

/** Compares in a time that does not tell how much was right. */
function sameSecret(given: string | undefined, secret: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return given !== undefined && timingSafeEqual(hash(given), hash(secret));
}

/**
 * - `Host` must be this server by one of its own names: a foreign name that was made to resolve to 127.0.0.1 is refused.
 * - `Origin`, where there is one, must be this server; the port and uploads need one, for every browser sends it there.
 * - The port, uploads and tickets for recordings need the token. The picture's files are the same for everybody and need none.
 * - A recording needs its ticket, which stands in its address: a player sends no header of ours.
 */
export function admit(request: RequestFacts, server: { port: number; token: string }): Admission {
  const hosts = [`127.0.0.1:${server.port}`, `localhost:${server.port}`];
  if (request.host === undefined || !hosts.includes(request.host))
    return refused(403, 'This address is not one of Quoth.');
  if (request.origin !== undefined && request.origin !== `http://${request.host}`)
    return refused(403, 'Another site may not ask Quoth.');

  let url: URL;
  try {
    url = new URL(request.target, `http://${request.host}`);
  } catch {
    return refused(400, 'The request is malformed.');
  }
  if (!request.target.startsWith('/') || url.host !== request.host) return refused(400, 'The request is malformed.');

  if (request.protocols !== null) {
    if (request.method !== 'GET' || url.pathname !== '/port') return refused(404, 'There is nothing here.');
    if (request.origin === undefined) return refused(403, 'Another site may not ask Quoth.');
    const protocols = request.protocols.split(',').map((protocol) => protocol.trim());
    const token = protocols.find((protocol) => protocol.startsWith('token.'))?.slice('token.'.length);
    if (!sameSecret(token, server.token)) return refused(401, 'Please open the address that Quoth printed.');
    if (!protocols.includes('quoth.v1')) return refused(400, 'The page is of another version of Quoth.');
    return { type: 'port' };
  }

  const refusedBearer = (): Admission | null => {
    if (request.origin === undefined) return refused(403, 'Another site may not ask Quoth.');
    const [scheme, token] = request.authorization?.split(' ') ?? [];
    if (scheme === 'Bearer' && sameSecret(token, server.token)) return null;
    return refused(401, 'Please open the address that Quoth printed.');
  };
  if (url.pathname === '/recordings') {
    if (request.method !== 'POST') return refused(405, 'Only POST is answered here.');
    const refusal = refusedBearer();
    if (refusal) return refusal;
    const documentId = url.searchParams.get('document') ?? '';
    return /^[0-9a-zA-Z_-]{1,100}$/.test(documentId)
      ? { type: 'recording-ticket', documentId }
      : refused(400, 'The document has no name.');
  }
  if (url.pathname.startsWith('/recordings/')) {
    if (request.method !== 'GET' && request.method !== 'HEAD') return refused(405, 'Only GET is answered here.');
    if (request.site !== undefined && request.site !== 'same-origin')
      return refused(403, 'Another site may not ask Quoth.');
    const ticket = /^\/recordings\/([0-9a-zA-Z_-]{32})$/.exec(request.target)?.[1];
    return ticket ? { type: 'recording', ticket } : refused(404, 'There is nothing here.');
  }

  if (url.pathname === '/files') {
    if (request.method !== 'PUT') return refused(405, 'Only PUT is answered here.');
    const refusal = refusedBearer();
    if (refusal) return refusal;
    if (request.contentType !== 'application/octet-stream')
      return refused(415, 'A file must come as application/octet-stream.');
    const path = url.searchParams.get('path');
    return path ? { type: 'upload', path } : refused(400, 'The file has no name.');
  }

  if (request.method !== 'GET' && request.method !== 'HEAD') return refused(405, 'Only GET is answered here.');
  // The path as it came, not as `URL` tidied it: `..` must not be folded away before it is seen.
  return { type: 'static', path: request.target.split(/[?#]/, 1)[0] ?? '/' };
}
