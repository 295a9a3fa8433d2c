/** What YouTube's player says of a video: its title and where its captions are, or why it may not be read. */
import type { VideoRefusal } from '../reasons.ts';
import { addressOfVideo } from './address.ts';
import { type BoundedFetch, YouTubeError } from './bounded-fetch.ts';
import { fieldOf } from './captions.ts';

export type CaptionTrack = { address: string; language: string; isAutomatic: boolean; needsPoToken: boolean };
export type Player = { title: string; tracks: CaptionTrack[] };

/** The Android player's captions come without the proof-of-origin token that the web player's need. */
const client = { clientName: 'ANDROID', clientVersion: '20.10.38', hl: 'en' };

/**
 * Asks the player's interface, then the watch page where that gives nothing usable. Throws `YouTubeError` with the reason
 * that says most.
 */
export async function readPlayer(videoId: string, fetch: BoundedFetch): Promise<Player> {
  let first: YouTubeError;
  try {
    return interpret(await askPlayer(videoId, fetch));
  } catch (error) {
    if (!(error instanceof YouTubeError) || !isWorthAnotherTry(error)) throw error;
    first = error;
  }
  try {
    return interpret(await askWatchPage(videoId, fetch));
  } catch (error) {
    if (error instanceof YouTubeError && error.refusal !== null) throw error;
    throw first;
  }
}

/** What the video itself refuses stays refused; what the interface refused the page may still give. */
function isWorthAnotherTry(error: YouTubeError): boolean {
  return error.refusal === 'blocked' || error.refusal === 'too-many-requests' || error.reason === 'damaged';
}

async function askPlayer(videoId: string, fetch: BoundedFetch): Promise<unknown> {
  const answer = await fetch('https://www.youtube.com/youtubei/v1/player?prettyPrint=false', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'accept-language': 'en' },
    body: JSON.stringify({ context: { client }, videoId }),
  });
  checkStatus(answer.status);
  return parseJson(answer.text);
}

async function askWatchPage(videoId: string, fetch: BoundedFetch): Promise<unknown> {
  const address = `${addressOfVideo(videoId)}&hl=en`;
  let answer = await fetch(address, { headers: { 'accept-language': 'en' } });
  checkStatus(answer.status);
  if (isConsentPage(answer.text)) {
    const version = /name="v" value="([^"]{1,100})"/.exec(answer.text)?.[1];
    if (!version) throw refused('consent', 'The consent page names no version to agree to.');
    answer = await fetch(address, { headers: { 'accept-language': 'en', cookie: `CONSENT=YES+${version}` } });
    checkStatus(answer.status);
    if (isConsentPage(answer.text)) throw refused('consent', 'The consent page came again.');
  }
  if (answer.text.includes('class="g-recaptcha"')) throw refused('too-many-requests', 'YouTube shows a riddle.');
  const json = objectAfter(answer.text, 'ytInitialPlayerResponse = ');
  if (json === null) throw new YouTubeError('damaged', 'The watch page holds no player.');
  return parseJson(json);
}

function isConsentPage(html: string): boolean {
  return html.includes('action="https://consent.youtube.com/s"');
}

function checkStatus(status: number): void {
  if (status === 429) throw refused('too-many-requests', 'YouTube answered 429.');
  if (status === 403) throw refused('blocked', 'YouTube answered 403.');
  if (status >= 500) throw new YouTubeError('offline', `YouTube answered ${status}.`);
  if (status !== 200) throw new YouTubeError('damaged', `YouTube answered ${status}.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new YouTubeError('damaged', 'YouTube answered something that is no player.', null, { cause: error });
  }
}

/** The JSON object that begins after a mark in a page; braces inside strings do not count. */
function objectAfter(text: string, mark: string): string | null {
  const from = text.indexOf(mark);
  if (from < 0) return null;
  const start = from + mark.length;
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth += 1;
    else if (character === '}' && --depth === 0) return text.slice(start, at + 1);
  }
  return null;
}

function interpret(player: unknown): Player {
  const status = fieldOf(player, 'playabilityStatus');
  const details = fieldOf(player, 'videoDetails');
  const state = fieldOf(status, 'status');
  if (state !== 'OK') throw whyNot(String(state ?? ''), String(fieldOf(status, 'reason') ?? ''));
  const title = fieldOf(details, 'title');
  const list = fieldOf(fieldOf(fieldOf(player, 'captions'), 'playerCaptionsTracklistRenderer'), 'captionTracks');
  const tracks: CaptionTrack[] = [];
  for (const track of Array.isArray(list) ? list.slice(0, 500) : []) {
    const address = fieldOf(track, 'baseUrl');
    if (typeof address !== 'string' || !URL.canParse(address, 'https://www.youtube.com')) continue;
    const url = new URL(address, 'https://www.youtube.com');
    tracks.push({
      address: url.href,
      language: String(fieldOf(track, 'languageCode') ?? ''),
      isAutomatic: fieldOf(track, 'kind') === 'asr',
      needsPoToken: url.searchParams.get('exp') === 'xpe',
    });
  }
  if (tracks.length === 0 && fieldOf(details, 'isLive') === true)
    throw refused('live', 'The video is live.', 'video-unavailable');
  return { title: typeof title === 'string' ? title : '', tracks };
}

/** YouTube's own words decide, since one status stands for many things. They come in English because we ask so. */
function whyNot(state: string, reason: string): YouTubeError {
  const said = reason || state || 'no player';
  if (state === '') return new YouTubeError('damaged', 'The player says nothing of the video.');
  if (/not a bot/i.test(reason)) return refused('blocked', said);
  if (/inappropriate|confirm your age|age.restricted/i.test(reason)) return refused('age-restricted', said);
  if (/private/i.test(reason)) return refused('private', said);
  if (state === 'LIVE_STREAM_OFFLINE') return refused('live', said);
  if (/country|region|location/i.test(reason)) return refused('country', said);
  if (/members|requires payment|purchase|rent/i.test(reason)) return refused('members', said);
  if (/removed|terminated|no longer available|deleted|closed|(?:is unavailable|video unavailable)\W*$/i.test(reason))
    return refused('removed', said);
  return new YouTubeError('video-unavailable', said);
}

function refused(
  refusal: VideoRefusal,
  message: string,
  reason: 'video-unavailable' = 'video-unavailable',
): YouTubeError {
  return new YouTubeError(reason, message, refusal);
}
