/** YouTube: what a person pasted → videos; a video → its captions with their seconds. */
import { withoutRepeats } from './rolling-captions.ts';
import type { ReadResult, Section, Source } from './source.ts';
import { addressOfVideo, parseYouTubeAddress } from './youtube/address.ts';
import { createBoundedFetch, YouTubeError } from './youtube/bounded-fetch.ts';
import { parseCaptions } from './youtube/captions.ts';
import { uploadsOf } from './youtube/channel.ts';
import { type CaptionTrack, readPlayer } from './youtube/player.ts';
import { readPlaylist } from './youtube/playlist.ts';

export { addressOfVideo, parseYouTubeAddress } from './youtube/address.ts';

type VideoSource = Extract<Source, { type: 'video' }>;

export type YouTubeOptions = {
  fetch: typeof globalThis.fetch;
  /** Wanted caption languages, best first ("de", "pt-BR"). Without a match, the language that is spoken. */
  languages?: readonly string[];
  signal?: AbortSignal;
};

export type AddressResult =
  | { type: 'videos'; videos: { source: VideoSource; title: string }[] }
  | { type: 'failed'; reason: 'offline' | 'network-off' | 'video-unavailable' | 'unsupported'; detail: string };

/** The videos behind an address: one, those of a playlist in its order, or a channel's uploads, the newest first. Throws only when `signal` is aborted. */
export async function expandAddress(address: string, options: YouTubeOptions): Promise<AddressResult> {
  const parsed = parseYouTubeAddress(address);
  if (!parsed) return { type: 'failed', reason: 'unsupported', detail: 'no-address: not an address of YouTube.' };
  if (parsed.type === 'video')
    return { type: 'videos', videos: [{ source: sourceOf(parsed.videoId), title: parsed.videoId }] };
  try {
    const playlistId =
      parsed.type === 'playlist'
        ? parsed.playlistId
        : await uploadsOf(parsed, createBoundedFetch(options.fetch, options.signal));
    const { videos } = await readPlaylist(playlistId, options.fetch, options.signal);
    return {
      type: 'videos',
      videos: videos.map(({ videoId, title }) => ({ source: sourceOf(videoId), title: title || videoId })),
    };
  } catch (error) {
    if (!(error instanceof YouTubeError)) throw error;
    const reason = error.reason === 'offline' || error.reason === 'network-off' ? error.reason : 'video-unavailable';
    return { type: 'failed', reason, detail: detailOf(error) };
  }
}

/** One section per caption. Throws only when `signal` is aborted. */
export async function readVideo(source: VideoSource, options: YouTubeOptions): Promise<ReadResult> {
  const fetch = createBoundedFetch(options.fetch, options.signal);
  try {
    const player = await readPlayer(source.videoId, fetch);
    if (player.tracks.length === 0) throw new YouTubeError('no-captions', 'The video has no captions.');
    const track = chooseTrack(player.tracks, options.languages ?? []);
    if (!track) throw new YouTubeError('video-unavailable', 'All its captions ask for a token.', 'po-token');
    const sections = await readTrack(track, fetch);
    if (sections.length === 0) throw new YouTubeError('no-captions', 'Its captions hold no words.');
    return { type: 'read', kind: 'youtube', title: player.title || source.videoId, numPages: null, sections };
  } catch (error) {
    if (!(error instanceof YouTubeError)) throw error;
    // A page that cannot be understood is YouTube's doing, not a damaged file of the person's.
    const reason = error.reason === 'damaged' ? 'video-unavailable' : error.reason;
    return { type: 'failed', kind: 'youtube', reason, detail: detailOf(error) };
  }
}

async function readTrack(track: CaptionTrack, fetch: ReturnType<typeof createBoundedFetch>): Promise<Section[]> {
  const url = new URL(track.address);
  url.searchParams.set('fmt', 'json3'); // the one format with exact milliseconds and no double encoding
  const answer = await fetch(url.href, { headers: { 'accept-language': 'en' } });
  if (answer.status === 429) throw new YouTubeError('video-unavailable', 'YouTube answered 429.', 'too-many-requests');
  if (answer.status === 403 || (answer.status === 200 && answer.text.trim() === ''))
    throw new YouTubeError('video-unavailable', 'The captions came empty.', 'po-token');
  if (answer.status !== 200) throw new YouTubeError('offline', `YouTube answered ${answer.status} for the captions.`);
  const captions = parseCaptions(answer.text);
  if (!captions) throw new YouTubeError('video-unavailable', 'The captions are in an unknown format.');
  return withoutRepeats(captions).map(({ text, startSeconds, endSeconds }) => ({
    text,
    locator: { type: 'time', startSeconds, endSeconds },
    heading: null,
  }));
}

/**
 * The wanted languages in their order, in each the captions a person wrote before the automatic ones; else the spoken
 * language, which the automatic track tells; else the first. Null when every track asks for a token.
 */
export function chooseTrack(tracks: readonly CaptionTrack[], languages: readonly string[]): CaptionTrack | null {
  const open = tracks.filter((track) => !track.needsPoToken);
  const spoken = open.find((track) => track.isAutomatic)?.language;
  for (const language of spoken ? [...languages, spoken] : languages) {
    const wanted = language.toLowerCase();
    const exact = open.filter((track) => track.language.toLowerCase() === wanted);
    const related = open.filter((track) => track.language.toLowerCase().split('-')[0] === wanted.split('-')[0]);
    for (const matching of [exact, related]) {
      const chosen = matching.find((track) => !track.isAutomatic) ?? matching[0];
      if (chosen) return chosen;
    }
  }
  return open[0] ?? null;
}

function sourceOf(videoId: string): VideoSource {
  return { type: 'video', address: addressOfVideo(videoId), videoId };
}

/** The refusal's name first, so that `sentenceFor` finds its exact words. */
function detailOf(error: YouTubeError): string {
  return error.refusal ? `${error.refusal}: ${error.message}` : error.message;
}
