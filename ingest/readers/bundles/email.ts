/** EML: bytes → who wrote what to whom, the letter, and the documents attached to it. */
import type { ReadResult, Section } from '../../source.ts';
import { htmlToSections } from '../html.ts';
import { ReadingRefused } from '../refusal.ts';
import { createParagraphs, oneLine, titleFromName } from '../sections.ts';
import { decodeText } from '../text.ts';
import type { ReadMember } from './member.ts';
import { addMember } from './zip.ts';

const deepest = 8;
const mostParts = 1000;
const mostHeaderCharacters = 1_000_000;

type Part = { headers: Map<string, string>; body: string };
type Letter = {
  texts: string[];
  pages: string[];
  attachments: { name: string; bytes: Uint8Array }[];
  numParts: number;
};

export async function readEmail(
  bytes: Uint8Array,
  name: string,
  onProgress: ((done: number) => void) | undefined,
  readMember: ReadMember,
): Promise<ReadResult> {
  // One character for each byte: the parts say themselves in which encodings they are.
  const message = partOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
  if (
    !['from', 'to', 'subject', 'date', 'content-type', 'message-id', 'received'].some((key) => message.headers.has(key))
  )
    throw new ReadingRefused('damaged', 'It has none of the lines that a mail begins with.');
  const letter: Letter = { texts: [], pages: [], attachments: [], numParts: 0 };
  collect(message, letter, 0);

  const subject = oneLine(decodeWords(message.headers.get('subject') ?? ''));
  const paragraphs = createParagraphs();
  if (subject) paragraphs.startHeading(subject);
  const head = ['From', 'To', 'Cc', 'Date'].flatMap((key) => {
    const value = oneLine(decodeWords(message.headers.get(key.toLowerCase()) ?? ''));
    return value ? [`${key}: ${value}`] : [];
  });
  paragraphs.add(head.join('\n'));
  for (const text of letter.texts)
    for (const paragraph of text.split(/(?:\r?\n[^\S\n]*){2,}/)) paragraphs.add(paragraph);
  const sections: Section[] = paragraphs.sections;
  if (letter.texts.length === 0)
    for (const page of letter.pages)
      for (const section of htmlToSections(page).sections)
        sections.push({
          ...section,
          heading: section.heading ?? (subject || null),
          locator: { type: 'paragraph', paragraph: sections.length + 1 },
        });

  let numTables = sections.reduce((most, section) => Math.max(most, section.row?.table ?? 0), 0);
  for (const [index, attachment] of letter.attachments.entries()) {
    const result = await readMember(attachment.bytes, attachment.name);
    if (result.type === 'read') numTables = addMember(sections, result, attachment.name, numTables);
    onProgress?.((index + 1) / letter.attachments.length);
  }
  if (sections.length === 0) throw new ReadingRefused('no-text', 'The mail holds no text.');
  return { type: 'read', kind: 'email', title: subject.slice(0, 200) || titleFromName(name), numPages: null, sections };
}

/** Header lines, the folded ones joined, up to the first empty line; then the body. */
function partOf(source: string): Part {
  const gap = /\r?\n\r?\n/.exec(source);
  const end = gap?.index ?? source.length;
  const headers = new Map<string, string>();
  for (const line of source
    .slice(0, Math.min(end, mostHeaderCharacters))
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const key = line.slice(0, colon).toLowerCase();
    if (colon > 0 && !/\s/.test(key) && !headers.has(key)) headers.set(key, line.slice(colon + 1).trim());
  }
  return { headers, body: gap ? source.slice(gap.index + gap[0].length) : '' };
}

function collect(part: Part, letter: Letter, depth: number): void {
  letter.numParts += 1;
  if (depth > deepest || letter.numParts > mostParts) return;
  const type = part.headers.get('content-type') ?? 'text/plain';
  const mediaType = type.split(';')[0]!.trim().toLowerCase();
  const disposition = part.headers.get('content-disposition') ?? '';
  const name = oneLine(decodeWords(parameterOf(disposition, 'filename') ?? parameterOf(type, 'name') ?? ''));
  if (mediaType.startsWith('multipart/')) {
    const inner = splitParts(part.body, parameterOf(type, 'boundary') ?? '').map(partOf);
    // Of the same words in several forms, the plain one is taken.
    const plain = inner.find((one) => /^\s*text\/plain/i.test(one.headers.get('content-type') ?? ''));
    const chosen = mediaType === 'multipart/alternative' && plain ? [plain] : inner;
    for (const one of chosen) collect(one, letter, depth + 1);
    return;
  }
  const isAttachment = /^\s*attachment/i.test(disposition) || (name !== '' && !mediaType.startsWith('text/'));
  if (isAttachment) {
    if (name) letter.attachments.push({ name: name.split(/[\\/]/).at(-1)!, bytes: contentOf(part) });
  } else if (mediaType === 'text/plain') letter.texts.push(decodeAs(contentOf(part), parameterOf(type, 'charset')));
  else if (mediaType === 'text/html') letter.pages.push(decodeAs(contentOf(part), parameterOf(type, 'charset')));
  else if (mediaType === 'message/rfc822') {
    const forwarded = partOf(part.body);
    letter.texts.push(`Subject: ${decodeWords(forwarded.headers.get('subject') ?? '')}`);
    collect(forwarded, letter, depth + 1);
  }
}

function splitParts(body: string, boundary: string): string[] {
  if (boundary === '') return [];
  const mark = `--${boundary}`;
  const parts: string[] = [];
  let from = -1;
  for (let at = body.indexOf(mark); at !== -1; at = body.indexOf(mark, at + mark.length)) {
    if (at > 0 && body[at - 1] !== '\n') continue;
    if (from !== -1) parts.push(body.slice(from, at).replace(/\r?\n$/, ''));
    const lineEnd = body.indexOf('\n', at);
    from = lineEnd === -1 ? body.length : lineEnd + 1;
    if (body.startsWith('--', at + mark.length)) return parts;
    if (parts.length > mostParts) return parts;
  }
  if (from !== -1) parts.push(body.slice(from));
  return parts;
}

/** `name="a b.pdf"`, `name=a.pdf`, or the percent form with its encoding (RFC 2231), in one piece or several. */
function parameterOf(header: string, name: string): string | undefined {
  const pieces = new Map<number, { value: string; isEncoded: boolean }>();
  for (const [, key, number, star, quoted, plain] of header.matchAll(
    /;\s*([\w-]{1,40})(?:\*(\d{1,3}))?(\*)?\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/g,
  ))
    if (key!.toLowerCase() === name)
      pieces.set(Number(number ?? 0), {
        value: quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '',
        isEncoded: star !== undefined,
      });
  if (pieces.size === 0) return undefined;
  const ordered = [...pieces].sort(([a], [b]) => a - b).map(([, piece]) => piece);
  if (!ordered.some((piece) => piece.isEncoded)) return ordered.map((piece) => piece.value).join('');
  const [, charset, rest] = /^([^']*)'[^']*'(.*)$/s.exec(ordered[0]!.value) ?? [null, 'utf-8', ordered[0]!.value];
  const all = [rest, ...ordered.slice(1).map((piece) => piece.value)].join('');
  const bytes = Buffer.from(
    all.replace(/%([\da-f]{2})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16))),
    'latin1',
  );
  return decodeAs(bytes, charset);
}

function contentOf(part: Part): Uint8Array {
  const encoding = (part.headers.get('content-transfer-encoding') ?? '').toLowerCase();
  if (encoding === 'base64') return new Uint8Array(Buffer.from(part.body, 'base64'));
  if (encoding === 'quoted-printable') return quotedBytes(part.body);
  return new Uint8Array(Buffer.from(part.body, 'latin1'));
}

function quotedBytes(text: string): Uint8Array {
  const plain = text
    .replace(/=[ \t]*\r?\n/g, '')
    .replace(/=([\da-f]{2})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
  return new Uint8Array(Buffer.from(plain, 'latin1'));
}

/** `=?utf-8?B?…?=` in a header line (RFC 2047). Neighbours of one encoding may share a character. */
function decodeWords(line: string): string {
  const joined = line.replace(/(=\?[^?\s]{1,40}\?[bq]\?[^?\s]*\?=)\s+(?==\?)/gi, '$1');
  const decoded = joined.replace(
    /=\?([^?\s]{1,40})\?([bq])\?([^?\s]*)\?=/gi,
    (_, charset: string, form: string, words: string) => {
      const bytes = form.toLowerCase() === 'b' ? Buffer.from(words, 'base64') : quotedBytes(words.replaceAll('_', ' '));
      return decodeAs(bytes, charset.split('*')[0]);
    },
  );
  // Bytes above ASCII that stand there bare: UTF-8 since RFC 6532, or an old encoding.
  return /[\u0080-\u00ff]/.test(decoded) && !/[\u0100-\uffff]/.test(decoded) && decoded === joined
    ? decodeAs(Buffer.from(decoded, 'latin1'), undefined)
    : decoded;
}

function decodeAs(bytes: Uint8Array, charset: string | undefined): string {
  if (charset)
    try {
      return new TextDecoder(charset).decode(bytes);
    } catch {
      // A name that nobody knows: the bytes themselves are looked at.
    }
  const decoded = decodeText(bytes);
  return decoded.type === 'text' ? decoded.text : '';
}
