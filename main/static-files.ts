/** The picture's files, as both shells hand them out: contained in one folder, with the same headers. */
import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.bcmap': 'application/octet-stream',
  '.pfb': 'application/octet-stream',
  '.ttf': 'font/ttf',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * The headers of every answer. `connect` is what the page may speak to beside its own origin: nothing in Electron, its
 * own WebSocket in a browser. No inline script runs, no plug-in, no frame, no form, and no other site is reached.
 */
export function securityHeaders(connect = ''): Record<string, string> {
  const policy = {
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self' blob: data:",
    'font-src': "'self'",
    'media-src': "'self'",
    'connect-src': `'self'${connect ? ` ${connect}` : ''}`,
    'worker-src': "'self'",
    'frame-src': "'none'",
    'object-src': "'none'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
  };
  return {
    'Content-Security-Policy': Object.entries(policy)
      .map(([name, value]) => `${name} ${value}`)
      .join('; '),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-cache',
  };
}

/** Characters that mean something to a file system and never stand in a name of ours: drives, streams, escapes, NUL. */
const strange = /[^0-9A-Za-z._/-]/;

/**
 * The file that a URL's path names within `folder`, or null when there is none to give: outside, no file, or of a type
 * that the picture does not have. `urlPath` is decoded once; what is still encoded after that names nothing.
 */
export async function findStaticFile(
  folder: string,
  urlPath: string,
): Promise<{ file: string; contentType: string } | null> {
  if (urlPath.length > 1_000) return null;
  let decoded: string;
  try {
    decoded = decodeURIComponent(urlPath);
  } catch {
    return null;
  }
  if (!decoded.startsWith('/') || strange.test(decoded)) return null;
  const name = decoded === '/' ? 'index.html' : decoded.slice(1);
  if (name.split('/').some((part) => part === '' || part.startsWith('.'))) return null;
  const contentType = contentTypes[path.extname(name).toLowerCase()];
  if (!contentType) return null;
  try {
    const root = await realpath(folder);
    const file = await realpath(path.join(root, name));
    const relative = path.relative(root, file);
    if (relative === '' || relative.startsWith('..') || path.isAbsolute(relative)) return null;
    return (await stat(file)).isFile() ? { file, contentType } : null;
  } catch {
    return null;
  }
}

/** The whole answer to a GET of the picture's files. */
export async function readStaticFile(
  folder: string,
  urlPath: string,
  connect = '',
): Promise<{ status: 200 | 404; headers: Record<string, string>; body: Uint8Array<ArrayBuffer> }> {
  const found = await findStaticFile(folder, urlPath);
  if (!found) {
    const body = new TextEncoder().encode('There is no such file.');
    return { status: 404, headers: { ...securityHeaders(connect), 'Content-Type': 'text/plain; charset=utf-8' }, body };
  }
  const body = new Uint8Array(await readFile(found.file));
  return { status: 200, headers: { ...securityHeaders(connect), 'Content-Type': found.contentType }, body };
}
