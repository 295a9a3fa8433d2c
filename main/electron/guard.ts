/** The rules of the window, as functions of plain values, so that they can be tested without Electron. */

export const pageOrigin = 'app://quoth';
export const pageAddress = `${pageOrigin}/`;

/** True for an address of our own page. `new URL` of the app scheme has no origin, so host and protocol are compared. */
export function isOurPage(address: string): boolean {
  try {
    const url = new URL(address);
    return url.protocol === 'app:' && url.host === 'quoth' && url.username === '' && url.password === '';
  } catch {
    return false;
  }
}

/** The document whose recording an address of our page asks for; null for every other address. */
export function recordingOfAddress(address: string): string | null {
  const found = address.startsWith(`${pageOrigin}/recordings/`)
    ? address.slice(`${pageOrigin}/recordings/`.length)
    : '';
  return /^[0-9a-zA-Z_-]{1,100}$/.test(found) ? found : null;
}

/** What Electron tells of the sender of a message, as far as it matters. */
export type Sender = { url: string; isMainFrame: boolean; isOurWindow: boolean };

/** Messages are taken from the main frame of a window of ours that shows our page, and from nowhere else. */
export function maySend(sender: Sender): boolean {
  return sender.isMainFrame && sender.isOurWindow && isOurPage(sender.url);
}

/** All permissions are denied but putting text on the clipboard when the person copies. */
export function mayUse(permission: string): boolean {
  return permission === 'clipboard-sanitized-write';
}

/** What the page itself may fetch: its own files, and what it made in memory. */
export function mayFetch(address: string): boolean {
  return (
    isOurPage(address) ||
    address.startsWith('blob:app://quoth/') ||
    address.startsWith('data:') ||
    address.startsWith('devtools:')
  );
}

/**
 * The address to hand to the person's browser, or null for one that is not. Only https, without a user name (it can
 * pretend to be the host); the host comes out in punycode, so that a look-alike shows.
 */
export function externalAddress(address: string): { href: string; host: string } | null {
  if (address.length > 4_000) return null;
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.host === '') return null;
  return { href: url.href, host: url.host };
}
