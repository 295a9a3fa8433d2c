/** DOCX: bytes → numbered paragraphs under headings, through mammoth. Pictures are dropped, nothing outside is opened. */
import mammoth from 'mammoth';
import type { FailureReason, ReadResult } from '../source.ts';
import { htmlToSections } from './html.ts';
import { titleFromName } from './sections.ts';
import { checkZip } from './zip-limits.ts';

export async function readDocx(bytes: Uint8Array, name: string): Promise<ReadResult> {
  const failed = (reason: FailureReason, detail: string): ReadResult => ({
    type: 'failed',
    kind: 'docx',
    reason,
    detail,
  });
  const zip = await checkZip(bytes);
  if (zip.type === 'refused') return failed(zip.reason, zip.detail);
  if (!zip.names.some((entry) => /^\/?word\/document\d*\.xml$/i.test(entry)) && !zip.names.includes('_rels/.rels'))
    return failed('damaged', 'The zip archive holds no Word document.');
  if (zip.names.includes('EncryptedPackage')) return failed('password', 'It is encrypted.');

  let html: string;
  try {
    const converted = await mammoth.convertToHtml(
      { buffer: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) },
      {
        externalFileAccess: false, // a link to a local picture must not read that file into the text (CVE-2025-11849)
        includeEmbeddedStyleMap: false, // a style map inside the document is the document's author's program
        convertImage: mammoth.images.imgElement(async () => ({ src: '' })),
        styleMap: ["p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => h2:fresh"],
      },
    );
    html = converted.value;
  } catch (error) {
    return failed('damaged', error instanceof Error ? error.message : String(error));
  }
  const { title, sections } = htmlToSections(html);
  if (sections.length === 0) return failed('no-text', 'The document opens but holds no text.');
  return { type: 'read', kind: 'docx', title: title || titleFromName(name), numPages: null, sections };
}
