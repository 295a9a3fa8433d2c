/** What goes wrong with a server elsewhere, as one sentence each: what happened, and what can be done. */
import { QuothError } from '../contract/errors.ts';

/** Node's codes for what never reached a server. */
const unreachable: Readonly<Record<string, (host: string) => string>> = {
  ECONNREFUSED: (host) => `${host} refuses the connection. Start the server there, or check the address and its port.`,
  ENOTFOUND: (host) => `No computer is called ${host}. Check the address, or your network.`,
  EAI_AGAIN: (host) => `The name ${host} cannot be looked up now. Check your network and try again.`,
  EHOSTUNREACH: (host) => `${host} cannot be reached. Check whether that computer is on and in the same network.`,
  ENETUNREACH: (host) => `${host} cannot be reached. Check your network.`,
  ETIMEDOUT: (host) => `${host} does not answer. Check whether that computer is on and the port is open.`,
  UND_ERR_CONNECT_TIMEOUT: (host) => `${host} does not answer. Check whether that computer is on and the port is open.`,
};

export function late(host: string, seconds: number): QuothError {
  return new QuothError(
    'offline',
    `${host} did not answer within ${seconds} seconds. Try again when it has less to do.`,
  );
}

export function cutOff(host: string, cause?: unknown): QuothError {
  return new QuothError('offline', `The connection to ${host} broke off while it was answering. Please ask again.`, {
    cause,
  });
}

export function malformed(host: string, cause?: unknown): QuothError {
  return new QuothError(
    'unreadable',
    `${host} answered, but not as an OpenAI-compatible server does. Check the address; most end in /v1.`,
    { cause },
  );
}

export function movedAway(host: string): QuothError {
  return new QuothError(
    'denied',
    `${host} sends on to another computer, which Quoth does not follow. Enter that address instead.`,
  );
}

/** What `fetch` threw. */
export function fromFetch(thrown: unknown, host: string): QuothError {
  if (thrown instanceof QuothError) return thrown;
  const code = codeOf(thrown);
  const sentence = unreachable[code];
  if (sentence) return new QuothError('offline', sentence(host), { cause: thrown });
  if (/CERT|SSL|TLS|ALTNAME|SELF_SIGNED/.test(code))
    return new QuothError(
      'denied',
      `${host} cannot prove who it is (${code}), so nothing was sent. Put its certificate in order, or check the address.`,
      { cause: thrown },
    );
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE') return cutOff(host, thrown);
  return new QuothError('offline', `${host} cannot be reached. Check the address and your network.`, { cause: thrown });
}

/** An answer with a status that is none of 2xx. `body`: the beginning of what came with it. */
export function fromStatus(status: number, body: string, host: string, model: string | null): QuothError {
  const said = messageOf(body);
  const named = model === null ? 'the model' : `"${model}"`;
  if (status === 401 || status === 403)
    return new QuothError('denied', `${host} does not accept the key. Enter the right one in Models.`);
  if (isTooLong(status, said))
    return new QuothError(
      'invalid-input',
      `The question with its passages is too long for ${named} on ${host}. Enter a smaller context for it in Models.`,
    );
  if (status === 404 && model !== null && /model/i.test(said))
    return new QuothError('not-found', `${host} has no model ${named}. Choose one of its models in Models.`);
  if (status === 404 || status === 405)
    return new QuothError(
      'not-found',
      `There is no OpenAI-compatible server at this address of ${host}. Most end in /v1.`,
    );
  if (status === 429)
    return new QuothError('busy', `${host} has too much to do, or your limit there is used up. Try again later.`);
  if (status === 503)
    return new QuothError(
      'busy',
      `${host} is not ready yet; it may still be loading the model. Try again in a minute.`,
    );
  if (status >= 500)
    return new QuothError('unreadable', `${host} failed with an error of its own (${status}). Its log says more.`);
  if (/model/i.test(said) && /not (?:found|exist)|unknown|no such|does not exist/i.test(said))
    return new QuothError('not-found', `${host} has no model ${named}. Choose one of its models in Models.`);
  const why = said === '' ? '' : `: ${said.slice(0, 200)}`;
  return new QuothError('unsupported', `${host} did not take the request (${status})${why}`);
}

function isTooLong(status: number, said: string): boolean {
  if (status === 413) return true;
  return (
    (status === 400 || status === 422) &&
    /context|maximum.*(?:length|tokens)|too long|too large|exceed/i.test(said) &&
    /token|context|length|long|prompt/i.test(said)
  );
}

/** The sentence inside an error's body, in the forms of OpenAI, FastAPI and llama-server; control characters taken out. */
export function messageOf(body: string): string {
  let value: unknown = body;
  try {
    value = JSON.parse(body);
  } catch {
    // Plain text, or a page: what it says may still name the reason.
  }
  for (const name of ['error', 'message', 'detail'])
    if (typeof value === 'object' && value !== null && name in value) value = (value as Record<string, unknown>)[name];
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text
    .replace(/<[^>]*>|[\p{Cc}\p{Cf}]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 2000);
}

function codeOf(thrown: unknown): string {
  for (let at: unknown = thrown, depth = 0; at && depth < 5; depth++) {
    const { code, errors, cause } = at as { code?: unknown; errors?: unknown[]; cause?: unknown };
    if (typeof code === 'string' && code !== '') return code;
    at = cause ?? errors?.[0];
  }
  return '';
}
