/** SRT and WebVTT: bytes → one section per caption, with its seconds. */
import { type TimedText, withoutRepeats } from '../rolling-captions.ts';
import type { ReadResult } from '../source.ts';
import { ReadingRefused } from './refusal.ts';
import { oneLine, titleFromName } from './sections.ts';
import { decodeText } from './text.ts';

const mostCaptions = 200_000;
/** `1:02:03,456 --> 1:02:05,000`, hours optional, comma or point; settings may follow. */
const timesOf =
  /^\s*((?:\d{1,4}:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?)\s*-->\s*((?:\d{1,4}:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?)/;

export function readCaptionFile(bytes: Uint8Array, name: string): ReadResult {
  const decoded = decodeText(bytes);
  if (decoded.type === 'junk') throw new ReadingRefused('damaged', decoded.detail);
  const captions: (TimedText & { speaker: string })[] = [];
  let times: { startSeconds: number; endSeconds: number } | null = null;
  let lines: string[] = [];
  let last = '';
  const endCaption = () => {
    const text = oneLine(withoutMarks(lines.join('\n')));
    if (times && text && text !== last) {
      if (captions.length >= mostCaptions) throw new ReadingRefused('too-large', 'It has too many captions.');
      captions.push({ text, speaker: speakerOf(lines.join('\n')), ...times });
      last = text;
    }
    times = null;
    lines = [];
  };
  for (const line of decoded.text.split(/\r\n|\r|\n/)) {
    const found = timesOf.exec(line);
    if (found) {
      // Without a blank line before it, the number of this caption stands among the words of the last one.
      if (times && /^\s*\d+\s*$/.test(lines.at(-1) ?? '')) lines.pop();
      endCaption();
      const startSeconds = secondsOf(found[1]!);
      times = { startSeconds, endSeconds: Math.max(startSeconds, secondsOf(found[2]!)) };
    } else if (line.trim() === '') endCaption();
    else if (times) lines.push(line); // notes, styles and numbers stand before the times
  }
  endCaption();
  const sections = withoutRepeats(captions).map(({ text, speaker, startSeconds, endSeconds }) => ({
    text,
    locator: { type: 'time' as const, startSeconds, endSeconds },
    heading: null,
    ...(speaker ? { speaker } : {}),
  }));
  if (sections.length === 0) throw new ReadingRefused('no-text', 'It holds no captions.');
  return { type: 'read', kind: 'captions', title: titleFromName(name), numPages: null, sections };
}

function secondsOf(time: string): number {
  const [seconds = 0, minutes = 0, hours = 0] = time.replace(',', '.').split(':').map(Number).reverse();
  return Math.round((hours * 3600 + minutes * 60 + seconds) * 1000) / 1000;
}

/** WebVTT's voice mark: `<v.loud Mary>`. */
function speakerOf(text: string): string {
  return oneLine(/<v(?:\.[^\s<>]*)?[ \t]+([^<>]{1,100})>/i.exec(text)?.[1] ?? '');
}

/** Styles, voices and the times of single words go; what they stand around stays. */
function withoutMarks(text: string): string {
  return text
    .replace(/<\/?(?:c|i|b|u|s|v|font|ruby|rt|lang)(?:[.\s][^<>]*)?>|<(?:\d+:)?\d+:\d+[.,]\d+>|\{\\[^{}]*\}/gi, '')
    .replace(
      /&(amp|lt|gt|nbsp|lrm|rlm);/g,
      (_, name: string) => ({ amp: '&', lt: '<', gt: '>', nbsp: ' ' })[name] ?? '',
    );
}
