/** YouTube's three caption formats → captions with seconds. Which one it is, the text itself tells. */
import { oneLine } from '../readers/sections.ts';

export type Caption = { text: string; startSeconds: number; endSeconds: number };

/** A caption file of a video of any length has fewer. */
const mostCaptions = 200_000;

/** json3, srv3 (`<p t d>` in ms) or the classic form (`<text start dur>` in seconds). Null where it is none of them. */
export function parseCaptions(source: string): Caption[] | null {
  const text = source.trimStart();
  if (text.startsWith('{')) return parseJson3(text);
  if (/^(<\?xml[^>]*>)?\s*<(transcript|timedtext)/.test(text)) return parseXml(text);
  return null;
}

function parseJson3(source: string): Caption[] | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch {
    return null;
  }
  const events = fieldOf(parsed, 'events');
  if (!Array.isArray(events)) return null;
  const captions: Caption[] = [];
  for (const event of events.slice(0, mostCaptions)) {
    const pieces = fieldOf(event, 'segs');
    if (!Array.isArray(pieces)) continue; // events without words only place a window
    const text = pieces.map((piece: unknown) => fieldOf(piece, 'utf8')).filter((piece) => typeof piece === 'string');
    addCaption(
      captions,
      text.join(''),
      Number(fieldOf(event, 'tStartMs')) / 1000,
      Number(fieldOf(event, 'dDurationMs') ?? 0) / 1000,
    );
  }
  return captions;
}

function parseXml(source: string): Caption[] {
  const captions: Caption[] = [];
  for (const [, tag, attributes, body] of source.matchAll(/<(text|p)\b([^>]*)>([\s\S]*?)<\/\1>/g)) {
    if (captions.length >= mostCaptions) break;
    const isClassic = tag === 'text';
    const unit = isClassic ? 1 : 1000;
    const start = Number(attributeOf(attributes!, isClassic ? 'start' : 't') ?? Number.NaN) / unit;
    const duration = Number(attributeOf(attributes!, isClassic ? 'dur' : 'd') ?? 0) / unit;
    // Elements inside are word times and styles. What the decoding then uncovers is formatting that the author typed, and
    // entities that were encoded twice: `&amp;#39;`, `&amp;amp;`.
    const plain = decodeEntities(body!.replace(/<[^>]*>/g, ''));
    addCaption(captions, decodeEntities(plain.replace(/<\/?(?:b|i|u|font|br|span)\b[^>]*>/gi, '')), start, duration);
  }
  return captions;
}

function addCaption(captions: Caption[], raw: string, startSeconds: number, durationSeconds: number): void {
  const text = oneLine(raw);
  if (!text || !Number.isFinite(startSeconds) || startSeconds < 0) return;
  const duration = Number.isFinite(durationSeconds) && durationSeconds > 0 ? durationSeconds : 0;
  captions.push({ text, startSeconds, endSeconds: Math.round((startSeconds + duration) * 1000) / 1000 });
}

function attributeOf(attributes: string, name: string): string | null {
  return new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? null;
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,5}));/gi, (whole, decimal, hexadecimal, name) => {
    if (name) return named[name.toLowerCase()] ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hexadecimal, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** A field of something unknown; undefined where there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
