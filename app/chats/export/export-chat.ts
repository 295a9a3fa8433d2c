/** A chat as a file: what is shown of it, with its quotes, their places and links. */
import { QuothError } from '../../contract/errors.ts';
import type { ExportedChat, ExportFormat } from '../../contract/types.ts';
import { toHtml } from './to-html.ts';
import { toMarkdown } from './to-markdown.ts';
import type { ChatToExport } from './words.ts';

/** Half of what a message may hold: JSON writes some signs as two. */
const maxCharacters = 6 * 1024 * 1024;

const formats = {
  markdown: { write: toMarkdown, ending: 'md', mediaType: 'text/markdown' },
  html: { write: toHtml, ending: 'html', mediaType: 'text/html' },
} as const;

/** Fails with `unsupported` for a chat that is too large for one file. */
export function exportChat(format: ExportFormat, chat: ChatToExport): ExportedChat {
  const { write, ending, mediaType } = formats[format];
  const text = write(chat);
  if (text.length > maxCharacters) throw new QuothError('unsupported', 'This chat is too large for one file.');
  return { name: `${fileName(chat.chat.title)}.${ending}`, mediaType, text };
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
