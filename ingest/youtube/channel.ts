/** A channel's uploads are a playlist whose id follows from the channel's. */
import type { YouTubeAddress } from './address.ts';
import { type BoundedFetch, YouTubeError } from './bounded-fetch.ts';

/** Where the page of a channel says its id, the surest first. */
const marks = [
  /<link rel="canonical" href="https:\/\/www\.youtube\.com\/channel\/(UC[\w-]{22})"/,
  /<meta itemprop="(?:channelId|identifier)" content="(UC[\w-]{22})"/,
  /"externalId":"(UC[\w-]{22})"/,
];

/** The id of the playlist of a channel's uploads. Asks for the channel's page where only its name is known. */
export async function uploadsOf(
  { channelId, path }: Extract<YouTubeAddress, { type: 'channel' }>,
  fetch: BoundedFetch,
): Promise<string> {
  return `UU${(channelId ?? (await askForId(path, fetch))).slice(2)}`;
}

async function askForId(path: string, fetch: BoundedFetch): Promise<string> {
  const answer = await fetch(`https://www.youtube.com${path}?hl=en`, { headers: { 'accept-language': 'en' } });
  if (answer.status === 404) throw new YouTubeError('video-unavailable', 'There is no such channel.', 'no-channel');
  if (answer.status === 429) throw new YouTubeError('video-unavailable', 'YouTube answered 429.', 'too-many-requests');
  if (answer.status >= 500) throw new YouTubeError('offline', `YouTube answered ${answer.status}.`);
  if (answer.text.includes('action="https://consent.youtube.com/s"'))
    throw new YouTubeError('video-unavailable', 'YouTube shows its consent page.', 'consent');
  for (const mark of marks) {
    const found = mark.exec(answer.text)?.[1];
    if (found !== undefined) return found;
  }
  throw new YouTubeError('video-unavailable', 'The page names no channel.', 'no-channel');
}
