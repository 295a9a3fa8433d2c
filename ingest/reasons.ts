/** Why a document could not be taken in: one plain sentence for the person, with what to do next. */
import type { DocumentKind, FailureReason, UnreadPart } from './source.ts';

const sentences: Record<FailureReason, string> = {
  password: 'This document is protected by a password. Save a copy without it and add that.',
  'no-text':
    'No text was found, and none could be recognized on its pages. If it is a scan, scan it anew, straight and at 300 dots per inch, and add that.',
  empty: 'This file is empty. Check that it was saved or downloaded completely and add it again.',
  damaged:
    'This file is damaged or is not what its name says. Open it in its own program, save it anew and add it again.',
  unsupported:
    'Quoth cannot read this kind of file. Save it as PDF or in a current office format (DOCX, XLSX, PPTX), or as text, and add that.',
  'too-large': 'This file is too large to be read. Split it into parts and add those.',
  'too-slow': 'Reading this file took too long and was stopped. Print it to a new PDF and add that, or try again.',
  'too-hungry': 'Reading this file needed too much memory and was stopped. Split it into parts and add those.',
  locked: 'This file could not be opened. Close the program that uses it, check that you may read it, and try again.',
  missing: 'This file is no longer where it was. Put it back or add it from its new place.',
  'not-a-file':
    'This is not an ordinary file (a pipe, a device or a socket), so there is nothing to read. Leave it out.',
  outside: 'This is a link that leads out of the folder you added. Add the file it points to itself.',
  'no-captions': 'This video has no captions, so there is nothing to search. Choose a video with captions.',
  'no-speech':
    'Nothing is said in this recording, or too softly to be understood. Check that it plays with sound and add it again.',
  'no-speech-model':
    'This recording can be searched once a speech model is installed, which turns what is said into text. Install one under Models; it is then read by itself.',
  'video-unavailable':
    'This video is not available. Check in a browser that it plays without signing in, and try again.',
  offline: 'YouTube did not answer. Check the connection to the internet and try again.',
  'network-off':
    'Quoth is set to stay offline, so YouTube was not asked. Turn that off in the settings, under Privacy, and try again.',
  crashed:
    'Reading this file failed because of a fault in it or in Quoth. Try again, or save the file anew and add that.',
};

/** Where a recording's next step is another one. */
const ofRecordings: Partial<Record<FailureReason, string>> = {
  damaged:
    'This recording is damaged or is not what its name says. Check that it plays, and add it or a copy of it again.',
  unsupported:
    'The sound of this recording is packed in a way that Quoth does not read. Save it as MP3, M4A, WAV, FLAC or Opus and add that.',
  'no-text': 'This is a film without sound, so there is nothing to hear. Leave it out.',
  'too-large': 'This recording is too long or too large to be heard. Cut it into parts and add those.',
  'too-slow':
    'Hearing this recording took too long and was stopped. Try again while the computer has less to do, or install a smaller speech model.',
  'too-hungry':
    'Hearing this recording needed too much memory and was stopped. Install a smaller speech model and try again.',
};

/** What a video refused with; the first word of a video failure's `detail`, before its colon. */
export const videoRefusals = {
  removed: 'This video is not on YouTube any more: it was removed, or its account was closed.',
  country: 'YouTube does not show this video in the country of this connection.',
  members: 'This video is for members or for a price only, and cannot be read without signing in.',
  'no-channel': 'There is no such channel on YouTube. Copy its address again from the browser.',
  private: 'This video is private. Only its owner can let others see it.',
  'age-restricted': 'This video is age-restricted and cannot be read without signing in. Choose another one.',
  blocked:
    'YouTube takes this computer for a robot and refuses to answer. Wait some hours or use another connection, then try again.',
  'too-many-requests': 'YouTube has had too many requests from this connection. Wait an hour and try again.',
  consent:
    'YouTube shows its consent page instead of the video. Accept it once in a browser on this connection and try again.',
  'po-token':
    'YouTube gives the captions of this video to its own player only. Choose another one, or try again later.',
  'no-address': 'This is not the address of a YouTube video, playlist or channel. Copy it again from the browser.',
  live: 'This video has not begun or is still live; captions come when it has ended. Try again then.',
} as const;
export type VideoRefusal = keyof typeof videoRefusals;

/** The sentence for a reason. `detail` makes it more exact where a video refused, `kind` for a recording. */
export function sentenceFor(reason: FailureReason, detail = '', kind: DocumentKind = 'other'): string {
  const own = kind === 'recording' ? ofRecordings[reason] : undefined;
  if (own) return own;
  const refusal = detail.split(':', 1)[0]!;
  return Object.hasOwn(videoRefusals, refusal) ? videoRefusals[refusal as VideoRefusal] : sentences[reason];
}

const shortReasons: Partial<Record<FailureReason, string>> = {
  password: 'needs a password',
  'no-text': 'holds no text',
  empty: 'is empty',
  damaged: 'is damaged',
  unsupported: 'is of a kind that Quoth does not read',
  'too-large': 'is too large',
  'too-slow': 'took too long',
  'no-speech-model': 'needs a speech model',
};
const mostNamed = 20;

/** What of a document that was read was not, in one sentence. */
export function noteFor(unread: readonly UnreadPart[]): string {
  const named = unread
    .slice(0, mostNamed)
    .map(({ name, reason }) => `${name} (${shortReasons[reason] ?? 'could not be read'})`);
  const more = unread.length > mostNamed ? ` and ${unread.length - mostNamed} more` : '';
  return `Not read: ${named.join(', ')}${more}.`;
}

/** The state a document ends in: some ends have a state of their own because a person can act on them. */
export function stateFor(reason: FailureReason): 'failed' | 'no-text' | 'password' | 'unsupported' {
  if (reason === 'no-speech') return 'no-text';
  if (reason === 'no-text' || reason === 'password' || reason === 'unsupported') return reason;
  return 'failed';
}
