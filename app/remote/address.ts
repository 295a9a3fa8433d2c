/** The addresses of servers with models: which are taken, and what is said of them. */
import { QuothError } from '../contract/errors.ts';
import type { RemoteHost } from '../contract/types.ts';

/** Hosts that are this computer: 127.0.0.0/8, ::1 and the name that stands for both. */
const loopback = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/;

/**
 * The base address in the form in which it is kept: `http://host:8000/v1`, without a slash at the end. Where only a host is
 * given, the API is looked for under `/v1`, as every such server has it. Throws `invalid-input` with one sentence.
 */
export function toBaseAddress(typed: string): URL {
  const text = typed.trim();
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  let url: URL;
  try {
    url = new URL(hasScheme ? text : `http://${text}`);
  } catch {
    throw new QuothError('invalid-input', 'This is no address. One looks like http://192.168.1.20:8000.');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new QuothError('invalid-input', 'The address must begin with http:// or https://.');
  if (url.username !== '' || url.password !== '')
    throw new QuothError(
      'invalid-input',
      'Leave the name and the password out of the address; a key has its own field.',
    );
  if (url.search !== '' || url.hash !== '')
    throw new QuothError('invalid-input', 'Leave out what stands behind ? or # in the address.');
  const path = url.pathname.replace(/\/+$/, '').replace(/\/(?:chat\/completions|models|completions)$/, '');
  url.pathname = path === '' ? '/v1' : path;
  return url;
}

export function describeHost(base: URL): RemoteHost {
  const isLoopback = loopback.test(base.hostname);
  return { host: base.host, isLoopback, isPrivate: isLoopback || base.protocol === 'https:' };
}

/** The address of a part of the API below the base. */
export function under(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}
