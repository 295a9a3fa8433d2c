/** What a person pastes → a video, a playlist or a channel of YouTube. */

export type YouTubeAddress =
  | { type: 'video'; videoId: string; startSeconds: number | null }
  | { type: 'playlist'; playlistId: string }
  /** By its id, or by the path of its page: `/@name`, `/c/name`, `/user/name`. */
  | { type: 'channel'; channelId: string | null; path: string };

const videoIdPattern = /^[\w-]{11}$/;
const channelIdPattern = /^UC[\w-]{22}$/;
const playlistIdPattern = /^(PL|UU|LL|FL|RD|OL|EC|SP)[\w-]{8,80}$/;
const hosts = new Set([
  'youtube.com',
  'www.youtube.com',
  'm.youtube.com',
  'music.youtube.com',
  'www.youtube-nocookie.com',
]);

/**
 * Understands watch, youtu.be, shorts, live, embed and playlist addresses, with or without `https://`, and a bare video id.
 * Channels too, for their uploads. A video opened from inside a playlist (`watch?v=…&list=…`) is that video. Null for anything else.
 */
export function parseYouTubeAddress(text: string): YouTubeAddress | null {
  const trimmed = text.trim();
  if (trimmed.length > 2000) return null;
  // Eleven letters can be a word; an id without any capital, digit, - or _ is too likely to be one.
  if (videoIdPattern.test(trimmed) && /[A-Z0-9_-]/.test(trimmed))
    return { type: 'video', videoId: trimmed, startSeconds: null };
  let url: URL;
  try {
    url = new URL(/^https?:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`);
  } catch {
    return null;
  }
  const host = url.hostname.toLowerCase();
  const parts = url.pathname.split('/').filter((part) => part !== '');
  const startSeconds = secondsOf(url.searchParams.get('t') ?? url.searchParams.get('start') ?? '');
  const video = (videoId: string | null | undefined): YouTubeAddress | null =>
    videoId && videoIdPattern.test(videoId) ? { type: 'video', videoId, startSeconds } : null;

  if (host === 'youtu.be') return video(parts[0]);
  if (!hosts.has(host)) return null;
  if (parts[0] === 'watch') {
    const found = video(url.searchParams.get('v'));
    if (found) return found;
  }
  if (parts[0] === 'shorts' || parts[0] === 'live' || parts[0] === 'embed' || parts[0] === 'v') {
    const found = video(parts[1]);
    if (found) return found;
  }
  const playlistId = url.searchParams.get('list') ?? '';
  if (playlistIdPattern.test(playlistId)) return { type: 'playlist', playlistId };
  return channelOf(parts);
}

function channelOf([first = '', second = '']: string[]): YouTubeAddress | null {
  if (first === 'channel' && channelIdPattern.test(second))
    return { type: 'channel', channelId: second, path: `/channel/${second}` };
  // A name may be written in any script; what it is made of is for YouTube to judge.
  const isName = (name: string): boolean => /^[^\s/?#]{1,300}$/.test(name);
  if (/^@.+/.test(first) || /^%40.+/i.test(first))
    return isName(first) ? { type: 'channel', channelId: null, path: `/${first.replace(/^%40/, '@')}` } : null;
  if ((first === 'c' || first === 'user') && isName(second) && second !== '')
    return { type: 'channel', channelId: null, path: `/${first}/${second}` };
  return null;
}

/** The one address under which a video is stored, whichever way it was pasted. */
export function addressOfVideo(videoId: string): string {
  return `https://www.youtube.com/watch?v=${videoId}`;
}

/** "90", "90s", "1m30s", "1h2m3s" → seconds. */
function secondsOf(text: string): number | null {
  const plain = /^(\d{1,6})s?$/.exec(text);
  if (plain) return Number(plain[1]);
  const parts = /^(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,5})s)?$/.exec(text);
  if (!parts || text === '') return null;
  return Number(parts[1] ?? 0) * 3600 + Number(parts[2] ?? 0) * 60 + Number(parts[3] ?? 0);
}
