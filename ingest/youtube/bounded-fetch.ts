/** The only way from here to the network: https, YouTube's own hosts, a deadline, and a limit on what comes back. */

import type { VideoRefusal } from '../reasons.ts';
import type { FailureReason } from '../source.ts';

/** What a video or playlist ends with when it cannot be read; `refusal` is more exact where there is more to say. */
export class YouTubeError extends Error {
  override readonly name = 'YouTubeError';
  readonly reason: FailureReason;
  readonly refusal: VideoRefusal | null;

  constructor(
    reason: FailureReason,
    message: string,
    refusal: VideoRefusal | null = null,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.reason = reason;
    this.refusal = refusal;
  }
}

export type Answer = { status: number; text: string };
export type BoundedFetch = (
  address: string,
  init?: { method?: string; headers?: Record<string, string>; body?: string },
) => Promise<Answer>;

const timeoutMs = 20_000;
/** The largest watch pages are about 2 MB, captions of a 10 h video about 4 MB. */
const mostBytes = 16e6;
const mostRedirects = 5;

export function isYouTubeHost(hostname: string): boolean {
  return /^(?:[\w-]+\.)*(?:youtube\.com|youtube-nocookie\.com|youtu\.be)$/i.test(hostname);
}

/** True for the application's own refusal to connect to anywhere, however deep a library has put it. */
export function isSwitchedOff(error: unknown): boolean {
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth++)
    if ((one as { code?: unknown }).code === 'network-off') return true;
  return false;
}

export function switchedOff(cause: unknown): YouTubeError {
  return new YouTubeError('network-off', 'Quoth is set to stay offline.', null, { cause });
}

/** `fetch` is the application's; `signal` ends every request when the caller leaves. */
export function createBoundedFetch(fetch: typeof globalThis.fetch, signal?: AbortSignal): BoundedFetch {
  return async (address, init = {}) => {
    const deadline = AbortSignal.timeout(timeoutMs);
    const either = signal ? AbortSignal.any([signal, deadline]) : deadline;
    let url = new URL(address);
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      if (url.protocol !== 'https:' || !isYouTubeHost(url.hostname))
        throw new YouTubeError('video-unavailable', `YouTube pointed to ${url.hostname}, which is not its own.`);
      try {
        const response = await fetch(url, { ...init, signal: either, redirect: 'manual' });
        const location = response.headers.get('location');
        if (response.status >= 300 && response.status < 400 && location) {
          await response.body?.cancel();
          url = new URL(location, url);
          continue;
        }
        return { status: response.status, text: await readText(response) };
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof YouTubeError) throw error;
        if (isSwitchedOff(error)) throw switchedOff(error);
        throw new YouTubeError('offline', 'YouTube did not answer.', null, { cause: error });
      }
    }
    throw new YouTubeError('offline', 'YouTube sent us from one address to the next.');
  };
}

/** The body as UTF-8, read only as far as the limit. */
async function readText(response: Response): Promise<string> {
  if (!response.body) return '';
  const decoder = new TextDecoder();
  let text = '';
  let numBytes = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    numBytes += chunk.length;
    if (numBytes > mostBytes)
      throw new YouTubeError('too-large', `YouTube's answer is more than ${mostBytes / 1e6} MB.`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
