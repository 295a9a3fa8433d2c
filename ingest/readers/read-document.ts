/** One file → its text. This is all that a reader process does, and it can be called without one. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { OnProgress, ReaderRequest } from '../reader-process.ts';
import type { DocumentKind, FailureReason, ReadResult } from '../source.ts';
import type { ReadMember } from './bundles/member.ts';
import { decideKind, documentKindOf, mostBytesOfKind } from './kind.ts';
import { ReadingRefused } from './refusal.ts';

const headBytes = 4096;
type Parse = (
  bytes: Uint8Array,
  name: string,
  onProgress?: OnProgress,
  readInner?: ReadMember,
  scanFolders?: readonly string[],
) => Promise<ReadResult>;

const parserByKind = {
  pdf: async () => {
    const { readPdf } = await import('./pdf.ts');
    return ((bytes, name, onProgress, _readInner, scanFolders) =>
      readPdf(bytes, name, onProgress, undefined, scanFolders)) satisfies Parse;
  },
  doc: async () => (await import('./office/doc.ts')).readDoc,
  image: async () => {
    const { readPicture } = await import('./scan/picture-file.ts');
    return ((bytes, name, onProgress, _readInner, scanFolders) =>
      readPicture(bytes, name, onProgress, scanFolders)) satisfies Parse;
  },
  docx: async () => (await import('./docx.ts')).readDocx,
  text: async () => (await import('./text.ts')).readText,
  markdown: async () => (await import('./markdown.ts')).readMarkdown,
  html: async () => (await import('./html.ts')).readHtml,
  pptx: async () => (await import('./office/pptx.ts')).readPptx,
  xlsx: async () => (await import('./office/xlsx.ts')).readXlsx,
  csv: async () => (await import('./separated.ts')).readSeparated,
  odt: async () => (await import('./office/open-document.ts')).readOdt,
  ods: async () => (await import('./office/open-document.ts')).readOds,
  odp: async () => (await import('./office/open-document.ts')).readOdp,
  rtf: async () => (await import('./office/rtf.ts')).readRtf,
  epub: async () => (await import('./bundles/epub.ts')).readEpub,
  xml: async () => (await import('./xml-document.ts')).readXmlDocument,
  email: async () => (await import('./bundles/email.ts')).readEmail,
  captions: async () => (await import('./caption-file.ts')).readCaptionFile,
  zip: async () => (await import('./bundles/zip.ts')).readZip,
};

/** Opens and reads the one file of the request. A bad file is an answer; thrown are only faults of ours and of the disk. */
export async function readDocument(request: ReaderRequest, onProgress?: OnProgress): Promise<ReadResult> {
  const byName = documentKindOf(request.name);
  let file: FileHandle;
  try {
    // O_NONBLOCK: opening a FIFO to which nobody writes would wait forever. Windows has neither.
    file = await open(request.path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    return failed(byName, reasonOfOpen(error), error instanceof Error && 'code' in error ? String(error.code) : '');
  }
  try {
    const facts = await file.stat();
    if (!facts.isFile()) return failed(byName, 'not-a-file', 'It is no ordinary file.');
    if (facts.size === 0) return failed(byName, 'empty', 'It holds 0 bytes.');
    const head = new Uint8Array(Math.min(headBytes, facts.size));
    await file.read(head, 0, head.length, 0);
    const decision = decideKind(head, request.name);
    if (decision.type === 'refused') return failed(decision.kind, decision.reason, decision.detail);
    const { kind } = decision;
    if (facts.size > mostBytesOfKind[kind])
      return failed(
        kind,
        'too-large',
        `It is ${megabytes(facts.size)}; the limit is ${megabytes(mostBytesOfKind[kind])}.`,
      );

    if (kind === 'recording') return await hear(file, facts.size, request, onProgress);
    if (request.wordsOf) return await readWords(kind, await readWhole(file, facts.size), request.wordsOf);
    const { name, scanFolders } = request;
    return await readAs(kind, () => readWhole(file, facts.size), name, scanFolders, onProgress);
  } finally {
    await file.close().catch(() => {});
  }
}

/** Reads bytes that are held in memory as the kind that they and their name tell. An archive is refused: one is enough. */
export async function readMember(
  bytes: Uint8Array,
  name: string,
  scanFolders?: readonly string[],
): Promise<ReadResult> {
  const decision = decideKind(bytes.subarray(0, headBytes), name);
  if (decision.type === 'refused') return failed(decision.kind, decision.reason, decision.detail);
  const { kind } = decision;
  if (kind === 'zip') return failed(kind, 'unsupported', 'It is an archive within another file.');
  if (kind === 'recording') return failed(kind, 'unsupported', 'It is a recording within another file.');
  if (bytes.length > mostBytesOfKind[kind]) return failed(kind, 'too-large', `It is ${megabytes(bytes.length)}.`);
  // A mail in an archive is read, what is attached to it no more.
  return readAs(
    kind,
    async () => bytes,
    name,
    scanFolders,
    undefined,
    async () => failed('other', 'unsupported', 'It lies too deep.'),
  );
}

async function readAs(
  kind: keyof typeof parserByKind,
  bytes: () => Promise<Uint8Array>,
  name: string,
  scanFolders?: readonly string[],
  onProgress?: OnProgress,
  readInner: ReadMember = (member, memberName) => readMember(member, memberName, scanFolders),
): Promise<ReadResult> {
  const parse = await parserByKind[kind](); // should our own code not load, that is thrown: no fault of the file
  const whole = await bytes();
  try {
    return await parse(whole, name, onProgress, readInner, scanFolders);
  } catch (error) {
    if (error instanceof ReadingRefused) return failed(kind, error.reason, error.message);
    return failed(kind, 'damaged', error instanceof Error ? error.message : String(error));
  }
}

/** A recording is never held whole. */
async function hear(
  file: FileHandle,
  sizeBytes: number,
  request: ReaderRequest,
  onProgress?: OnProgress,
): Promise<ReadResult> {
  if (request.wordsOf) return failed('recording', 'unsupported', 'Only of a PDF it is known where its words stand.');
  const { readRecording } = await import('./recording.ts');
  try {
    return await readRecording(file, sizeBytes, request, onProgress);
  } catch (error) {
    if (error instanceof ReadingRefused) return failed('recording', error.reason, error.message);
    return failed('recording', 'damaged', error instanceof Error ? error.message : String(error));
  }
}

async function readWords(kind: DocumentKind, bytes: Uint8Array, pages: readonly number[]): Promise<ReadResult> {
  if (kind !== 'pdf') return failed(kind, 'unsupported', 'Only of a PDF it is known where its words stand.');
  const { readPdfWords } = await import('./pdf-words.ts');
  try {
    return await readPdfWords(bytes, pages);
  } catch (error) {
    return failed(kind, 'damaged', error instanceof Error ? error.message : String(error));
  }
}

/** Exactly the bytes that the size promised, fewer if the file shrank meanwhile. */
async function readWhole(file: FileHandle, sizeBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  while (at < sizeBytes) {
    const { bytesRead } = await file.read(bytes, at, sizeBytes - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at === sizeBytes ? bytes : bytes.slice(0, at);
}

/** What an `open` that failed means for the person: shared with the walk and the pipeline. */
export function reasonOfOpen(error: unknown): FailureReason {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
  if (code === 'ENXIO' || code === 'EISDIR' || code === 'ENODEV') return 'not-a-file';
  if (code === 'ELOOP') return 'outside';
  return 'locked'; // EACCES, EPERM, EBUSY, ETXTBSY, EMFILE: somebody or something holds it
}

function megabytes(numBytes: number): string {
  return `${Math.round(numBytes / 1e6).toLocaleString('en')} MB`;
}

function failed(kind: DocumentKind, reason: FailureReason, detail: string): ReadResult {
  return { type: 'failed', kind, reason, detail };
}
