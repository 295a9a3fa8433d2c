/** A chat as a file: what is shown of it, with its quotes, their places and links. */
import { QuothError } from '../../contract/errors.ts';
import type { ExportedChat, ExportFormat } from '../../contract/types.ts';
import { toHtml } from './to-html.ts';
import { toMarkdown } from './to-markdown.ts';
import type { ChatToExport } from './words.ts';

/** What a message of 16 MiB may hold as base64, with room for the rest of it. */
const maxBytes = 11 * 1024 * 1024;

type Format = {
  write: (chat: ChatToExport) => string | Promise<Uint8Array<ArrayBuffer>>;
  ending: string;
  mediaType: string;
};

const formats: Record<ExportFormat, Format> = {
  markdown: { write: toMarkdown, ending: 'md', mediaType: 'text/markdown;charset=utf-8' },
  html: { write: toHtml, ending: 'html', mediaType: 'text/html;charset=utf-8' },
  docx: {
    // The writer of Word documents is large, and few starts need it.
    write: async (chat) => (await import('./to-docx.ts')).toDocx(chat),
    ending: 'docx',
    mediaType: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  },
};

/** Fails with `unsupported` for a chat that is too large for one file. */
export async function exportChat(format: ExportFormat, chat: ChatToExport): Promise<ExportedChat> {
  const { write, ending, mediaType } = formats[format];
  const written = await write(chat);
  const bytes = typeof written === 'string' ? Buffer.from(written, 'utf8') : Buffer.from(written.buffer);
  if (bytes.length > maxBytes) throw new QuothError('unsupported', 'This chat is too large for one file.');
  return { name: `${fileName(chat.chat.title)}.${ending}`, mediaType, base64: bytes.toString('base64') };
}

/** A name that every file system takes: no separators, no reserved signs, no dots at its ends. */
function fileName(title: string): string {
  const bare = title
    .replace(/[\p{Cc}\p{Cf}<>:"/\\|?*]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[. ]+/, '');
  // Cut by characters, so that none is halved; the systems' limit is 255 bytes.
  const cut = [...bare]
    .slice(0, 60)
    .join('')
    .replace(/[. ]+$/, '');
  return cut === '' || /^(?:con|prn|aux|nul|com\d|lpt\d)$/i.test(cut) ? `Quoth ${cut}`.trim() : cut;
}
