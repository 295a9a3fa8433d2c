/** The videos of a playlist, through youtubei.js, which follows YouTube's changes of layout for us. */
import { addressOfVideo } from './address.ts';
import { isSwitchedOff, isYouTubeHost, switchedOff, YouTubeError } from './bounded-fetch.ts';

export type PlaylistVideo = { videoId: string; address: string; title: string };
export type PlaylistContents = { title: string; videos: PlaylistVideo[] };

const mostVideos = 5000;
const timeoutMs = 60_000;

/** All videos of a playlist in its order, each once. Throws `YouTubeError`. */
export async function readPlaylist(
  playlistId: string,
  fetch: typeof globalThis.fetch,
  signal?: AbortSignal,
): Promise<PlaylistContents> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = signal ? AbortSignal.any([signal, deadline]) : deadline;
  let lastStatus = 0;
  const guarded: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.protocol !== 'https:' || !isYouTubeHost(url.hostname))
      throw new YouTubeError('video-unavailable', `YouTube pointed to ${url.hostname}, which is not its own.`);
    const response = await fetch(input, { ...init, signal: either, redirect: 'error' });
    lastStatus = response.status;
    return response;
  };

  try {
    // 22 MB of code that most people never need: loaded with the first playlist.
    const { Innertube, Log } = await import('youtubei.js');
    Log.setLevel(Log.Level.NONE);
    const youtube = await Innertube.create({ fetch: guarded, retrieve_player: false, generate_session_locally: true });
    let playlist = await youtube.getPlaylist(playlistId);
    const title = playlist.info.title ?? '';
    const videos = new Map<string, PlaylistVideo>();
    for (;;) {
      for (const item of playlist.items) {
        const video = videoOf(item);
        if (video) videos.set(video.videoId, video);
      }
      if (!playlist.has_continuation || videos.size >= mostVideos) break;
      either.throwIfAborted();
      playlist = await playlist.getContinuation();
    }
    if (videos.size === 0) throw new YouTubeError('video-unavailable', 'The playlist is empty, private or gone.');
    return { title, videos: [...videos.values()] };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof YouTubeError) throw error;
    if (isSwitchedOff(error)) throw switchedOff(error);
    if (lastStatus === 429)
      throw new YouTubeError('video-unavailable', 'YouTube answered 429.', 'too-many-requests', { cause: error });
    if (lastStatus >= 200 && lastStatus < 500)
      throw new YouTubeError('video-unavailable', 'The playlist is empty, private or gone.', null, { cause: error });
    throw new YouTubeError('offline', 'YouTube did not answer.', null, { cause: error });
  }
}

/** Playlists hold videos in three shapes; each has an id and a title somewhere. */
function videoOf(item: unknown): PlaylistVideo | null {
  if (typeof item !== 'object' || item === null) return null;
  const { id, content_id: contentId, video_id: otherId } = item as Record<string, unknown>;
  const videoId = [id, otherId, contentId].find((value) => typeof value === 'string' && /^[\w-]{11}$/.test(value));
  if (typeof videoId !== 'string') return null;
  const title = 'title' in item && item.title ? String(item.title) : '';
  return { videoId, address: addressOfVideo(videoId), title: title === '[object Object]' ? '' : title };
}
