import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { sentenceFor } from '../../ingest/reasons.ts';
import { parseCaptions } from '../../ingest/youtube/captions.ts';
import { chooseTrack, expandAddress, parseYouTubeAddress, readVideo } from '../../ingest/youtube.ts';
import { type FakeAnswer, type FakeRequest, startYouTubeServer, type YouTubeServer } from '../fakes/youtube-server.ts';
import { bytesOf, dataFolder, hasData, textOf } from './data.ts';

const captured = (name: string) => gunzipSync(bytesOf(join(dataFolder, 'youtube', `${name}.gz`))).toString();
const video = (videoId: string) => ({
  type: 'video' as const,
  address: `https://www.youtube.com/watch?v=${videoId}`,
  videoId,
});
const anyVideo = video('GJLlxj_dtq8');

let server: YouTubeServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});
async function youtube(answer: (request: FakeRequest) => FakeAnswer | null | 'hang' | 'cut'): Promise<YouTubeServer> {
  server = await startYouTubeServer(answer);
  return server;
}

describe('an address', () => {
  test.each([
    ['https://www.youtube.com/watch?v=GJLlxj_dtq8', 'GJLlxj_dtq8', null],
    ['youtube.com/watch?v=GJLlxj_dtq8&t=90', 'GJLlxj_dtq8', 90],
    ['https://m.youtube.com/watch?app=desktop&v=GJLlxj_dtq8&list=PLabcdefghijk', 'GJLlxj_dtq8', null],
    ['https://youtu.be/GJLlxj_dtq8?si=abc&t=1m30s', 'GJLlxj_dtq8', 90],
    ['https://www.youtube.com/shorts/GJLlxj_dtq8', 'GJLlxj_dtq8', null],
    ['https://www.youtube.com/live/GJLlxj_dtq8?feature=share', 'GJLlxj_dtq8', null],
    ['https://www.youtube-nocookie.com/embed/GJLlxj_dtq8?start=12', 'GJLlxj_dtq8', 12],
    ['  GJLlxj_dtq8 ', 'GJLlxj_dtq8', null],
  ])('%s is a video', (text, videoId, startSeconds) => {
    expect(parseYouTubeAddress(text)).toEqual({ type: 'video', videoId, startSeconds });
  });

  test('of a playlist is one', () => {
    expect(parseYouTubeAddress('https://www.youtube.com/playlist?list=PLabc-DEF_12345')).toEqual({
      type: 'playlist',
      playlistId: 'PLabc-DEF_12345',
    });
  });

  test.each([
    [
      'https://www.youtube.com/channel/UCBJycsmduvYEL83R_U4JriQ',
      'UCBJycsmduvYEL83R_U4JriQ',
      '/channel/UCBJycsmduvYEL83R_U4JriQ',
    ],
    ['youtube.com/@mkbhd', null, '/@mkbhd'],
    ['https://www.youtube.com/@山田太郎/videos', null, '/@%E5%B1%B1%E7%94%B0%E5%A4%AA%E9%83%8E'],
    ['https://www.youtube.com/c/SomeName/featured', null, '/c/SomeName'],
    ['https://www.youtube.com/user/somebody', null, '/user/somebody'],
  ])('%s is a channel', (text, channelId, path) => {
    expect(parseYouTubeAddress(text)).toEqual({ type: 'channel', channelId, path });
  });

  test.each([
    '',
    'hello world',
    'interesting',
    'https://example.com/watch?v=GJLlxj_dtq8',
    'https://youtube.com.evil.org/watch?v=GJLlxj_dtq8',
    'https://youtu.be/short',
    'javascript:alert(1)',
    'https://www.youtube.com/',
    'https://www.youtube.com/channel/UCshort',
    'https://www.youtube.com/@',
    'https://www.youtube.com/user/',
    'https://www.youtube.com/feed/subscriptions',
    `https://youtu.be/${'x'.repeat(3000)}`,
  ])('"%s" is none', (text) => {
    expect(parseYouTubeAddress(text)).toBeNull();
  });
});

describe('captions', () => {
  test('in the classic form are decoded twice and lose their formatting', () => {
    const xml = `<?xml version="1.0" encoding="utf-8" ?><transcript><text start="0" dur="1.5">AT&amp;amp;T &amp;#39;n&amp;#39; &lt;i>not&lt;/i> a &amp;lt; b</text><text start="5" dur="1"></text><text start="6.25" dur="2">next\nline</text></transcript>`;
    expect(parseCaptions(xml)).toEqual([
      { text: "AT&T 'n' not a < b", startSeconds: 0, endSeconds: 1.5 },
      { text: 'next line', startSeconds: 6.25, endSeconds: 8.25 },
    ]);
  });

  test('in srv3 are in milliseconds, with times of words inside', () => {
    const xml = `<?xml version="1.0"?><timedtext format="3"><head><ws id="0"/></head><body><p t="120" d="3000" w="1"><s ac="0">hello</s><s t="500"> R&amp;D</s></p><p t="3120" d="10" a="1">\n</p></body></timedtext>`;
    expect(parseCaptions(xml)).toEqual([{ text: 'hello R&D', startSeconds: 0.12, endSeconds: 3.12 }]);
  });

  test('in an unknown form are none', () => {
    for (const text of ['', '<html>', '{', '{"a":1}', 'WEBVTT']) expect(parseCaptions(text)).toBeNull();
  });

  test.skipIf(!hasData)('in json3 are those of the subtitles beside them, to the millisecond', () => {
    const captions = parseCaptions(captured('captions/manual.json3'))!;
    const seconds = (stamp: string) => {
      const [h, m, s, ms] = stamp.split(/[:,]/).map(Number) as [number, number, number, number];
      return h * 3600 + m * 60 + s + ms / 1000;
    };
    const expected = captured('captions/manual.expected.srt')
      .split(/\r?\n\r?\n/)
      .map((block) => block.trim().split(/\r?\n/))
      .filter((lines) => lines.length >= 3)
      .map(([, times, ...lines]) => ({
        start: seconds(times!.split(' --> ')[0]!),
        text: lines.join(' ').replace(/\s+/g, ' ').trim(),
      }));
    expect(captions.length).toBe(expected.length);
    for (const [index, { start, text }] of expected.entries()) {
      expect(captions[index]!.text).toBe(text);
      expect(captions[index]!.startSeconds).toBeCloseTo(start, 3);
    }
  });

  test('are chosen by the wanted languages, then by the spoken one, a person’s before automatic ones', () => {
    const track = (language: string, isAutomatic = false, needsPoToken = false) => ({
      address: `https://www.youtube.com/${language}`,
      language,
      isAutomatic,
      needsPoToken,
    });
    const tracks = [track('zh'), track('en'), track('en', true), track('pt-BR')];
    expect(chooseTrack(tracks, [])).toEqual(track('en'));
    expect(chooseTrack(tracks, ['de', 'pt'])).toEqual(track('pt-BR'));
    expect(chooseTrack([track('zh'), track('ja', true)], [])).toEqual(track('ja', true));
    expect(chooseTrack([track('en', false, true)], ['en'])).toBeNull();
  });
});

describe.skipIf(!hasData)('a video, replayed', () => {
  const replay = (
    player: string,
    captions: () => FakeAnswer | null = () => ({ body: captured('captions/manual.json3') }),
    page: (request: FakeRequest) => FakeAnswer | null = () => null,
  ) =>
    youtube((request) => {
      if (request.path === '/youtubei/v1/player')
        return { type: 'application/json', body: captured(`transcript_api/${player}.innertube.json.static`) };
      if (request.path === '/api/timedtext') return captions();
      return page(request);
    });

  test('gives its captions with their seconds, its title, and asks only YouTube', async () => {
    const { fetch, requests } = await replay('youtube');
    const result = await readVideo(anyVideo, { fetch });
    expect(result).toMatchObject({ type: 'read', kind: 'youtube', title: 'Surface Go Review - It’s Awesome' });
    expect(result.type === 'read' && result.sections[1]).toEqual({
      text: 'Today, I have some good news and some bad news.',
      locator: { type: 'time', startSeconds: 4.04, endSeconds: 9.13 },
      heading: null,
    });
    expect(requests.map(({ method, host, path }) => `${method} ${host}${path}`)).toEqual([
      'POST www.youtube.com/youtubei/v1/player',
      'GET www.youtube.com/api/timedtext',
    ]);
    expect(requests[1]!.query.get('lang')).toBe('en');
    expect(requests[1]!.query.get('fmt')).toBe('json3');
  });

  test('in another wanted language, and in the classic form when that is what comes', async () => {
    const { fetch, requests } = await replay('youtube', () => ({
      body: captured('transcript_api/transcript.xml.static'),
    }));
    const result = await readVideo(anyVideo, { fetch, languages: ['cs'] });
    expect(requests[1]!.query.get('lang')).toBe('cs');
    expect(textOf(result)).toBe(
      'Hey, this is just a test\nthis is not the original transcript\njust something shorter, I made up for testing',
    );
  });

  test.each([
    ['youtube_altered_user_agent', 'read', ''],
    ['youtube_ww1_nl_en', 'read', ''],
    ['youtube_age_restricted', 'video-unavailable', 'age-restricted'],
    ['youtube_request_blocked', 'video-unavailable', 'robot'],
    ['youtube_video_unavailable', 'video-unavailable', 'not on YouTube any more'],
    ['youtube_unplayable', 'video-unavailable', 'not available'],
    ['youtube_transcripts_disabled', 'no-captions', 'no captions'],
    ['youtube_transcripts_disabled2', 'no-captions', 'no captions'],
  ])('%s ends as %s', async (player, end, words) => {
    const { fetch } = await replay(player);
    const result = await readVideo(anyVideo, { fetch });
    expect(result.type === 'read' ? 'read' : result.reason).toBe(end);
    if (result.type === 'failed') expect(sentenceFor(result.reason, result.detail)).toContain(words);
  });

  test.each([
    ['UNPLAYABLE', 'The uploader has not made this video available in your country', 'country'],
    ['UNPLAYABLE', "This video is available to this channel's members on level: Gold", 'members'],
    ['UNPLAYABLE', 'This video requires payment to watch.', 'price'],
    ['ERROR', 'This video has been removed by the uploader', 'removed'],
    [
      'ERROR',
      'This video is no longer available because the YouTube account associated with this video has been terminated.',
      'closed',
    ],
    ['ERROR', 'Video unavailable', 'not on YouTube any more'],
    ['LOGIN_REQUIRED', 'This is a private video. Please sign in to verify that you may see it.', 'private'],
    ['LOGIN_REQUIRED', 'Sign in to confirm your age', 'age-restricted'],
    ['LOGIN_REQUIRED', 'Sign in to confirm you’re not a bot', 'robot'],
    ['LIVE_STREAM_OFFLINE', 'Premieres in 3 hours', 'live'],
  ])('%s: “%s” is told in plain words', async (status, reason, words) => {
    const { fetch } = await youtube((request) =>
      request.path === '/youtubei/v1/player'
        ? { type: 'application/json', body: JSON.stringify({ playabilityStatus: { status, reason } }) }
        : null,
    );
    const result = await readVideo(anyVideo, { fetch });
    expect(result.type === 'failed' && sentenceFor(result.reason, result.detail)).toContain(words);
  });

  test('whose automatic captions roll says every word once', async () => {
    const lines = [
      'so today we will',
      'so today we will look at the new pump',
      'look at the new pump and its seal',
      'and its seal which was changed',
      'which was changed in May',
    ];
    const events = lines.map((utf8, n) => ({ tStartMs: n * 2000, dDurationMs: 4000, segs: [{ utf8 }] }));
    const { fetch } = await replay('youtube', () => ({ body: JSON.stringify({ events }) }));
    expect(textOf(await readVideo(anyVideo, { fetch }))).toBe(
      'so today we will\nlook at the new pump\nand its seal\nwhich was changed\nin May',
    );
  });

  test('whose captions all ask for a token, or come empty, says so', async () => {
    const { fetch } = await replay('youtube_po_token_required', () => ({ body: '' }));
    expect(await readVideo(anyVideo, { fetch })).toMatchObject({
      reason: 'video-unavailable',
      detail: expect.stringMatching(/^po-token:/),
    });
    await server!.close();
    const empty = await replay('youtube', () => ({ body: '' }));
    expect(await readVideo(anyVideo, { fetch: empty.fetch })).toMatchObject({
      detail: expect.stringMatching(/^po-token:/),
    });
  });

  test('blocked at the interface is tried through its page', async () => {
    const { fetch, requests } = await replay('youtube_request_blocked', undefined, () => ({
      body: captured('transcript_api/youtube.html.static'),
    }));
    const result = await readVideo(anyVideo, { fetch });
    // The page's player is playable, but each of its captions asks for a token.
    expect(requests.map(({ path }) => path).slice(0, 2)).toEqual(['/youtubei/v1/player', '/watch']);
    expect(result).toMatchObject({ reason: 'video-unavailable', detail: expect.stringMatching(/^po-token:/) });
  });

  test('behind the consent page is asked for again with consent, once', async () => {
    const pages: string[] = [];
    const consented = await replay('youtube_request_blocked', undefined, (request) => {
      pages.push(request.cookie);
      return { body: captured(`transcript_api/youtube_consent_page.html.static`) };
    });
    expect(await readVideo(anyVideo, { fetch: consented.fetch })).toMatchObject({
      detail: expect.stringMatching(/^consent:/),
    });
    expect(pages).toEqual(['', 'CONSENT=YES+cb.20210328-17-p0.de+FX+119']);
    await server!.close();
    const invalid = await replay('youtube_request_blocked', undefined, () => ({
      body: captured('transcript_api/youtube_consent_page_invalid.html.static'),
    }));
    expect(await readVideo(anyVideo, { fetch: invalid.fetch })).toMatchObject({
      detail: expect.stringMatching(/^consent:/),
    });
  });

  test('too many requests are named as that, from a status and from the riddle page', async () => {
    const riddle = await replay('youtube_request_blocked', undefined, () => ({
      body: captured('transcript_api/youtube_too_many_requests.html.static'),
    }));
    expect(await readVideo(anyVideo, { fetch: riddle.fetch })).toMatchObject({
      detail: expect.stringMatching(/^too-many-requests:/),
    });
    await server!.close();
    const status = await youtube(() => ({ status: 429, body: '' }));
    expect(await readVideo(anyVideo, { fetch: status.fetch })).toMatchObject({
      detail: expect.stringMatching(/^too-many-requests:/),
    });
  });
});

describe('an unfriendly network', () => {
  const playerWith = (baseUrl: string) =>
    JSON.stringify({
      playabilityStatus: { status: 'OK' },
      videoDetails: { title: 'T' },
      captions: { playerCaptionsTracklistRenderer: { captionTracks: [{ baseUrl, languageCode: 'en' }] } },
    });

  test('that does not answer, breaks off or gives an error is offline', async () => {
    const offline: typeof fetch = async () => {
      throw new TypeError('fetch failed');
    };
    expect(await readVideo(anyVideo, { fetch: offline })).toMatchObject({ reason: 'offline' });
    const cut = await youtube(() => 'cut');
    expect(await readVideo(anyVideo, { fetch: cut.fetch })).toMatchObject({ reason: 'offline' });
    await cut.close();
    const failing = await youtube(() => ({ status: 503, body: 'later' }));
    expect(await readVideo(anyVideo, { fetch: failing.fetch })).toMatchObject({ reason: 'offline' });
  });

  test('that answers nonsense ends as video-unavailable', async () => {
    for (const body of [
      '',
      '<html>',
      '{}',
      '[]',
      'null',
      '{"playabilityStatus":7}',
      '{"playabilityStatus":{"status":"OK"},"captions":[]}',
    ]) {
      const nonsense = await youtube(() => ({ body }));
      const result = await readVideo(anyVideo, { fetch: nonsense.fetch });
      expect(result.type === 'failed' && ['video-unavailable', 'no-captions'].includes(result.reason), body).toBe(true);
      await nonsense.close();
    }
  });

  test.each([
    'https://evil.example/captions',
    'http://www.youtube.com/captions',
    'https://127.0.0.1/x',
    'file:///etc/passwd',
  ])('that points to %s is not followed', async (address) => {
    const asked: string[] = [];
    const fetch: typeof globalThis.fetch = async (input) => {
      asked.push(String(input));
      return new Response(playerWith(address));
    };
    expect(await readVideo(anyVideo, { fetch })).toMatchObject({ reason: 'video-unavailable' });
    expect(asked.length).toBe(1);
  });

  test('that redirects out of YouTube is not followed', async () => {
    const asked: string[] = [];
    const fetch: typeof globalThis.fetch = async (input) => {
      asked.push(String(input));
      return new Response(null, { status: 302, headers: { location: 'http://169.254.169.254/latest' } });
    };
    expect(await readVideo(anyVideo, { fetch })).toMatchObject({ reason: 'video-unavailable' });
    expect(asked.length).toBe(1);
  });

  test('that sends without end is cut off', async () => {
    const fetch: typeof globalThis.fetch = async () =>
      new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1e6)) }));
    expect(await readVideo(anyVideo, { fetch })).toMatchObject({ reason: 'too-large' });
  });

  test('that hangs is left at once by a leaving caller', async () => {
    const hanging = await youtube(() => 'hang');
    const controller = new AbortController();
    const reading = readVideo(anyVideo, { fetch: hanging.fetch, signal: controller.signal });
    controller.abort(new Error('left'));
    await expect(reading).rejects.toThrow('left');
  });
});

describe('a playlist', () => {
  const item = (videoId: string, title: string) => ({
    playlistVideoRenderer: {
      videoId,
      title: { runs: [{ text: title }], accessibility: { accessibilityData: { label: title } } },
      index: { simpleText: '1' },
      thumbnail: { thumbnails: [{ url: 'https://i.ytimg.com/x.jpg', width: 1, height: 1 }] },
      shortBylineText: { runs: [{ text: 'Somebody' }] },
      lengthText: { simpleText: '1:00', accessibility: { accessibilityData: { label: '1 minute' } } },
      lengthSeconds: '60',
      isPlayable: true,
      navigationEndpoint: { watchEndpoint: { videoId } },
      thumbnailOverlays: [],
      menu: { menuRenderer: { items: [] } },
    },
  });
  const more = (token: string) => ({
    continuationItemRenderer: {
      trigger: 'X',
      continuationEndpoint: { continuationCommand: { token, request: 'CONTINUATION_REQUEST_TYPE_BROWSE' } },
    },
  });
  const firstPage = (contents: unknown[]) => ({
    header: { playlistHeaderRenderer: { title: { simpleText: 'Lessons' }, playlistId: 'PLabc-DEF_12345' } },
    contents: {
      twoColumnBrowseResultsRenderer: {
        tabs: [
          {
            tabRenderer: {
              selected: true,
              title: 'x',
              content: {
                sectionListRenderer: {
                  contents: [
                    {
                      itemSectionRenderer: {
                        contents: [{ playlistVideoListRenderer: { playlistId: 'PLabc-DEF_12345', contents } }],
                      },
                    },
                  ],
                },
              },
            },
          },
        ],
      },
    },
  });
  const nextPage = (continuationItems: unknown[]) => ({
    onResponseReceivedActions: [{ appendContinuationItemsAction: { continuationItems, targetId: 'x' } }],
  });
  const ids = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, n) => `${prefix}${String(n).padStart(11 - prefix.length, '0')}`);
  const address = 'https://www.youtube.com/playlist?list=PLabc-DEF_12345';

  test('gives all its videos in order, over more than one page', async () => {
    const all = [...ids('aaa', 100), ...ids('bbb', 30)];
    const { fetch, requests } = await youtube((request) => {
      if (request.path !== '/youtubei/v1/browse') return { body: '{}', type: 'application/json' };
      const items = (part: string[]) => part.map((id, n) => item(id, `Video ${n}`));
      const body = request.body.includes('"continuation"')
        ? nextPage(items(all.slice(100)))
        : firstPage([...items(all.slice(0, 100)), more('token-2')]);
      return { type: 'application/json', body: JSON.stringify(body) };
    });
    const result = await expandAddress(address, { fetch });
    expect(result.type === 'videos' && result.videos.map(({ source }) => source.videoId)).toEqual(all);
    expect(result.type === 'videos' && result.videos[0]).toEqual({ source: video('aaa00000000'), title: 'Video 0' });
    expect(requests.some((request) => request.body.includes('VLPLabc-DEF_12345'))).toBe(true);
  });

  test('is what a channel has uploaded, by its id and by its name', async () => {
    const channelId = 'UCBJycsmduvYEL83R_U4JriQ';
    const { fetch, requests } = await youtube((request) => {
      if (request.path === '/@mkbhd')
        return {
          type: 'text/html',
          body: `<html><link rel="canonical" href="https://www.youtube.com/channel/${channelId}"></html>`,
        };
      if (request.path === '/@nobody') return { status: 404, body: '' };
      if (request.path === '/@odd') return { body: '<html></html>' };
      if (request.path !== '/youtubei/v1/browse') return { body: '{}', type: 'application/json' };
      return { type: 'application/json', body: JSON.stringify(firstPage([item('aaa00000000', 'Newest')])) };
    });
    for (const channel of [`https://www.youtube.com/channel/${channelId}`, 'youtube.com/@mkbhd']) {
      const result = await expandAddress(channel, { fetch });
      expect(result).toEqual({ type: 'videos', videos: [{ source: video('aaa00000000'), title: 'Newest' }] });
      expect(requests.at(-1)!.body).toContain(`VLUU${channelId.slice(2)}`);
    }
    for (const name of ['@nobody', '@odd']) {
      const none = await expandAddress(`https://www.youtube.com/${name}`, { fetch });
      expect(none.type === 'failed' && sentenceFor(none.reason, none.detail)).toContain('no such channel');
    }
  });

  test('that is gone, empty or out of reach says so', async () => {
    const empty = await youtube(() => ({ type: 'application/json', body: JSON.stringify(firstPage([])) }));
    expect(await expandAddress(address, { fetch: empty.fetch })).toMatchObject({
      type: 'failed',
      reason: 'video-unavailable',
    });
    await empty.close();
    const gone = await youtube(() => ({ status: 404, body: '{}' }));
    expect(await expandAddress(address, { fetch: gone.fetch })).toMatchObject({
      type: 'failed',
      reason: 'video-unavailable',
    });
    await gone.close();
    const offline: typeof fetch = async () => {
      throw new TypeError('fetch failed');
    };
    expect(await expandAddress(address, { fetch: offline })).toMatchObject({ type: 'failed', reason: 'offline' });
  });

  test('a video is itself, anything else is refused in words', async () => {
    const { fetch } = await youtube(() => null);
    expect(await expandAddress('youtu.be/GJLlxj_dtq8', { fetch })).toEqual({
      type: 'videos',
      videos: [{ source: anyVideo, title: 'GJLlxj_dtq8' }],
    });
    const none = await expandAddress('https://example.com', { fetch });
    expect(none.type === 'failed' && sentenceFor(none.reason, none.detail)).toContain('not the address');
  });
});
