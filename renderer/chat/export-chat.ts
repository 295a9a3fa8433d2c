import type { ChatId, ExportFormat, ExportWords } from '../../app/contract/types.ts';
import type { Quoth } from '../common/quoth.tsx';
import { text } from '../common/text/text.ts';

/** Saves what is shown of a chat as a file, with words of the window's language. Throws what the contract answered. */
export async function exportChat(
  { client, shell, notices }: Quoth,
  chatId: ChatId,
  format: ExportFormat,
): Promise<void> {
  const { base64, ...file } = await client.exportChat({ chatId, format, words: exportWords() });
  const saved = await shell.saveFile({ ...file, bytes: Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0)) });
  if (saved && shell.kind === 'loopback') notices.getState().tell(text('export.downloaded', { name: file.name }));
}

function exportWords(): ExportWords {
  return {
    language: document.documentElement.lang || 'en',
    from: text('export.from', { date: '{{date}}' }),
    quotes: text('quotes.title'),
    page: text('place.page', { page: '{{page}}' }),
    paragraph: text('place.paragraph', { paragraph: '{{paragraph}}' }),
    verified: text('quotes.verified'),
    unverified: text('quotes.unverified'),
    unanswered: text('answer.none'),
    removed: text('export.removed'),
  };
}
