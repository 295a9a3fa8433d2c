/** A web address out of what was typed, pasted or dropped; null when it is none. */
export function parseAddress(text: string): URL | null {
  const trimmed = text.trim();
  if (!/^https?:\/\/\S+$/i.test(trimmed)) return null;
  try {
    return new URL(trimmed);
  } catch {
    return null;
  }
}

/** The address of a video at a second of it; null when the address is not one of YouTube's. */
export function videoAddressAt(address: string, seconds: number): string | null {
  const url = parseAddress(address);
  if (!url) return null;
  const host = url.hostname.replace(/^(www|m|music)\./, '');
  const [, first, second] = url.pathname.split('/');
  let id: string | null | undefined = null;
  if (host === 'youtu.be') id = first;
  else if (host === 'youtube.com' || host === 'youtube-nocookie.com')
    id = ['shorts', 'live', 'embed', 'v'].includes(first ?? '') ? second : url.searchParams.get('v');
  if (!id || !/^[\w-]{6,20}$/.test(id)) return null;
  return `https://www.youtube.com/watch?v=${id}&t=${Math.floor(seconds)}s`;
}
