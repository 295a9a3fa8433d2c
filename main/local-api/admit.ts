/** Who may ask the local API for what. The rules stand in one function, so that a table can test them. */

/** The part of a request that decides. Header values as they came; absent = undefined. */
export type RequestFacts = {
  method: string;
  /** The path and query, as in the request line. */
  target: string;
  host: string | undefined;
  origin: string | undefined;
  /** `Sec-Fetch-Site`, which every browser sends to this computer and no page can leave out. */
  fetchSite: string | undefined;
  authorization: string | undefined;
  contentType: string | undefined;
};

export const routes = ['models', 'model', 'chat', 'embeddings', 'mcp'] as const;
export type Route = (typeof routes)[number];

export type Admission =
  | { type: 'admitted'; route: Route /** Of `/v1/models/NAME`. */; name: string | null }
  | { type: 'refused'; status: number; code: string; message: string; allow?: string };

const refused = (status: number, code: string, message: string, allow?: string): Admission => ({
  type: 'refused',
  status,
  code,
  message,
  ...(allow ? { allow } : {}),
});

const paths: Readonly<Record<string, { route: Route; method: 'GET' | 'POST' }>> = {
  '/v1/models': { route: 'models', method: 'GET' },
  '/v1/chat/completions': { route: 'chat', method: 'POST' },
  '/v1/embeddings': { route: 'embeddings', method: 'POST' },
  '/mcp': { route: 'mcp', method: 'POST' },
};

/**
 * - `Host` must be this server by one of its own names: a foreign name that was made to resolve to 127.0.0.1 is refused.
 * - No `Origin` at all and no `Sec-Fetch-Site` but `none`: programs send neither, and no page in a browser is let in.
 * - The key, before anything is said of what there is.
 * - Bodies are JSON and say so: a page could send a form without asking first.
 */
export function admit(request: RequestFacts, server: { port: number; accepts: (key: string) => boolean }): Admission {
  const hosts = [`127.0.0.1:${server.port}`, `localhost:${server.port}`];
  if (request.host === undefined || !hosts.includes(request.host))
    return refused(403, 'wrong_host', 'This address is not one of Quoth.');
  const fromPage = request.fetchSite !== undefined && request.fetchSite !== 'none';
  if (request.origin !== undefined || fromPage)
    return refused(403, 'browser_refused', 'Pages in a browser may not ask Quoth; programs may.');

  const [scheme, key, more] = request.authorization?.split(' ') ?? [];
  if (scheme?.toLowerCase() !== 'bearer' || key === undefined || more !== undefined || !server.accepts(key))
    return refused(
      401,
      'invalid_api_key',
      'The key is wrong or missing. Quoth shows one in its settings, under Local API.',
    );

  const path = request.target.split(/[?#]/, 1)[0] ?? '';
  const model = /^\/v1\/models\/([^/]{1,300})$/.exec(path)?.[1];
  const found = Object.hasOwn(paths, path) ? paths[path] : undefined;
  const place = found ?? (model === undefined ? undefined : { route: 'model' as const, method: 'GET' as const });
  if (!place) return refused(404, 'not_found', `There is nothing at ${request.method} ${path.slice(0, 100)}.`);
  if (request.method !== place.method)
    return refused(405, 'method_not_allowed', `Only ${place.method} is answered here.`, place.method);
  if (place.method === 'POST' && !/^application\/json(?:\s*;|$)/i.test(request.contentType ?? ''))
    return refused(415, 'wrong_content_type', 'The body must be JSON, with the content type application/json.');
  try {
    return { type: 'admitted', route: place.route, name: model === undefined ? null : decodeURIComponent(model) };
  } catch {
    return refused(400, 'invalid_request', 'The address is malformed.');
  }
}
