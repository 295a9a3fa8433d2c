/** Which kind a file is: its first bytes decide, its name only where the bytes leave it open. */
import type { DocumentKind, FailureReason } from '../source.ts';

const kindByExtension = new Map<string, DocumentKind>([
  ['pdf', 'pdf'],
  ['docx', 'docx'],
  ['docm', 'docx'],
  ['dotx', 'docx'],
  ['doc', 'doc'],
  ['dot', 'doc'],
  ['pptx', 'pptx'],
  ['pptm', 'pptx'],
  ['ppsx', 'pptx'],
  ['potx', 'pptx'],
  ['xlsx', 'xlsx'],
  ['xlsm', 'xlsx'],
  ['xltx', 'xlsx'],
  ['xls', 'xlsx'], // until 2003: its first bytes tell
  ['xlt', 'xlsx'],
  ['odt', 'odt'],
  ['ott', 'odt'],
  ['ods', 'ods'],
  ['ots', 'ods'],
  ['odp', 'odp'],
  ['otp', 'odp'],
  ['rtf', 'rtf'],
  ['epub', 'epub'],
  ['xml', 'xml'],
  ['eml', 'email'],
  ['srt', 'captions'],
  ['vtt', 'captions'],
  ['png', 'image'],
  ['jpg', 'image'],
  ['jpeg', 'image'],
  ['zip', 'zip'],
  ['mp3', 'recording'],
  ['wav', 'recording'],
  ['m4a', 'recording'],
  ['m4b', 'recording'],
  ['aac', 'recording'],
  ['mp4', 'recording'],
  ['m4v', 'recording'],
  ['mov', 'recording'],
  ['ogg', 'recording'],
  ['oga', 'recording'],
  ['opus', 'recording'],
  ['webm', 'recording'],
  ['mka', 'recording'],
  ['mkv', 'recording'],
  ['flac', 'recording'],
  ['txt', 'text'],
  ['text', 'text'],
  ['log', 'text'],
  ['rst', 'text'],
  ['csv', 'csv'],
  ['tsv', 'csv'],
  ['tab', 'csv'],
  ['md', 'markdown'],
  ['markdown', 'markdown'],
  ['html', 'html'],
  ['htm', 'html'],
  ['xhtml', 'html'],
]);

/** Above these a file is refused unread. Text is held whole in memory as UTF-16; PDFs are mostly pictures. */
export const mostBytesOfKind: Record<DocumentKind, number> = {
  pdf: 512e6,
  docx: 256e6,
  doc: 128e6,
  pptx: 512e6, // mostly pictures, which are never unpacked
  xlsx: 256e6,
  csv: 64e6,
  odt: 256e6,
  ods: 256e6,
  odp: 512e6,
  rtf: 128e6, // pictures are written out as digits
  epub: 256e6,
  xml: 64e6,
  email: 64e6,
  captions: 16e6,
  image: 64e6,
  recording: 16e9, // read in pieces: a film of some hours
  zip: 512e6,
  text: 64e6,
  markdown: 64e6,
  html: 32e6,
  youtube: 0,
  other: 64e6,
};

/** By the name alone: for what has to be known without opening the file. */
export function documentKindOf(name: string): DocumentKind {
  return kindByExtension.get(extensionOf(name)) ?? 'other';
}

/** Lower case, without the dot; empty for a name without one. */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : '';
}

export type KindDecision =
  | { type: 'kind'; kind: Exclude<DocumentKind, 'youtube' | 'other'> }
  | { type: 'refused'; kind: DocumentKind; reason: FailureReason; detail: string };

/** First bytes (as Latin-1 text) of what Quoth does not read, so that it can say so by name. */
const foreign: [string, string][] = [
  ['GIF8', 'a GIF picture'],
  ['II*\0', 'a TIFF picture'],
  ['MM\0*', 'a TIFF picture'],
  ['\x1f\x8b', 'a gzip archive'],
  ['7z\xbc\xaf', 'a 7-Zip archive'],
  ['Rar!', 'a RAR archive'],
  ['BZh', 'a bzip2 archive'],
  ['\xfd7zXZ', 'an xz archive'],
  ['\x7fELF', 'a program'],
  ['MZ', 'a program'],
  ['\xca\xfe\xba\xbe', 'a program'],
  ['.snd', 'a sound'],
  ['FORM', 'a sound or picture'],
  ['0&\xb2u', 'a film of Windows Media'],
  ['RIFF', 'a sound, film or picture'],
  ['SQLite format 3', 'a database'],
  ['%!PS', 'a PostScript file'],
];

/**
 * `head` is the beginning of the file, 4 KiB or all of it. Zip files are told apart by their extension here; the DOCX
 * reader then checks that one really holds a document.
 */
export function decideKind(head: Uint8Array, name: string): KindDecision {
  const byName = documentKindOf(name);
  const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 4096)).toString('latin1');
  // Acrobat and pdf.js accept the header anywhere in the first 1024 bytes, after mail headers for instance.
  const pdfAt = start.slice(0, 1024).indexOf('%PDF-');
  if (pdfAt === 0 || (pdfAt > 0 && (byName === 'pdf' || byName === 'other'))) return { type: 'kind', kind: 'pdf' };
  if (start.startsWith('PK\x03\x04') || start.startsWith('PK\x05\x06')) {
    if (isZipKind(byName)) return { type: 'kind', kind: byName };
    if (byName === 'doc') return { type: 'kind', kind: 'docx' }; // a new document under the old name
    // An OpenDocument file or an EPUB says what it is in its first entry, which is not packed.
    const said = /^mimetypeapplication\/(vnd\.oasis\.opendocument\.(text|spreadsheet|presentation)|epub\+zip)/.exec(
      start.slice(30),
    );
    if (said) return { type: 'kind', kind: openDocumentKinds[said[2] ?? ''] ?? 'epub' };
    return refused(byName, 'unsupported', 'It is a zip archive or an office file of a kind that Quoth does not read.');
  }
  if (start.startsWith('\xd0\xcf\x11\xe0')) {
    // Word wraps an encrypted DOCX into an OLE file; anything else in one is an old .doc, .xls or .msg.
    if (byName === 'xlsx') return { type: 'kind', kind: 'xlsx' };
    if (byName === 'docx' || byName === 'pptx') return refused(byName, 'password', 'It is encrypted.');
    if (byName === 'doc') return { type: 'kind', kind: 'doc' };
    return refused(byName, 'unsupported', 'It is a file of an office before 2007.');
  }
  if (start.startsWith('\x89PNG\r\n\x1a\n') || start.startsWith('\xff\xd8\xff')) return { type: 'kind', kind: 'image' };
  if (byName === 'image') return refused(byName, 'damaged', 'It is no PNG and no JPEG.');
  if (isRecording(start, byName)) return { type: 'kind', kind: 'recording' };
  if (start.startsWith('{\\rtf')) return { type: 'kind', kind: 'rtf' };
  // Two letters are a weak sign: a text may begin with "MZ" or "BZh", so a text's name outweighs them without a NUL byte.
  for (const [magic, what] of foreign)
    if (start.startsWith(magic) && (magic.length > 3 || !isTextKind(byName) || start.includes('\0')))
      return refused(byName, 'unsupported', `It is ${what}.`);
  if (byName === 'recording') return refused(byName, 'damaged', 'It is no sound or film of a kind that Quoth knows.');
  if (byName === 'doc')
    return /^\s*(<!doctype html|<html)/i.test(start)
      ? { type: 'kind', kind: 'html' }
      : refused(byName, 'damaged', 'It is no document of Word.');
  // Programs that "export to Excel" often write a page or a list under Excel's old name.
  if (extensionOf(name) === 'xls' && !start.includes('\0'))
    return {
      type: 'kind',
      kind: /^\s*<\?xml/i.test(start) ? 'xml' : /<(html|table|meta|body)\b/i.test(start) ? 'html' : 'csv',
    };
  if (isZipKind(byName)) return refused(byName, 'damaged', 'Such a file is a zip archive, this is none.');
  if (byName !== 'other' && byName !== 'youtube') return { type: 'kind', kind: byName };
  if (/^\s*(<!doctype html|<html)/i.test(start)) return { type: 'kind', kind: 'html' };
  if (!extensionOf(name) && !start.includes('\0')) return { type: 'kind', kind: 'text' };
  return refused('other', 'unsupported', 'Quoth does not read files of this kind.');
}

/** ISO 14496-12 files of pictures: they begin as a film does. */
const pictureBrands = /^(hei[cfmsx]|hev[cmsx]|mif1|msf1|avi[fs]|jp2 |jpx |crx )$/;

/** Sound and film. The two bytes that begin a frame of MP3 or AAC are a weak sign, and tags may stand before it: there the name must say so. */
function isRecording(start: string, byName: DocumentKind): boolean {
  if (['OggS', 'ID3', 'fLaC', '\x1a\x45\xdf\xa3'].some((magic) => start.startsWith(magic))) return true;
  if (/^(RIFF|RF64)/.test(start) && start.slice(8, 12) === 'WAVE') return true;
  if (start.slice(4, 8) === 'ftyp') return !pictureBrands.test(start.slice(8, 12));
  // QuickTime's files before there was a type.
  if (byName === 'recording' && /^(moov|mdat|wide|free|skip)$/.test(start.slice(4, 8))) return true;
  return byName === 'recording' && /\xff[\xe2-\xff]/.test(start);
}

function isTextKind(kind: DocumentKind): boolean {
  return ['text', 'markdown', 'html', 'csv', 'xml', 'email', 'captions'].includes(kind);
}

function isZipKind(kind: DocumentKind): kind is (typeof zipKinds)[number] {
  return (zipKinds as readonly DocumentKind[]).includes(kind);
}

const zipKinds = ['docx', 'pptx', 'xlsx', 'odt', 'ods', 'odp', 'epub', 'zip'] as const;
const openDocumentKinds: Record<string, 'odt' | 'ods' | 'odp'> = {
  text: 'odt',
  spreadsheet: 'ods',
  presentation: 'odp',
};

function refused(kind: DocumentKind, reason: FailureReason, detail: string): KindDecision {
  return { type: 'refused', kind, reason, detail };
}
