/** What stands around the words of an exported chat: dates, places, addresses. */
import type { ChatSummary, Citation, ExportWords, Turn } from '../../contract/types.ts';
import { webAddress } from './markdown-tree.ts';

export const englishWords: ExportWords = {
  language: 'en',
  from: 'From Quoth, {{date}}',
  quotes: 'Quotes',
  page: 'p. {{page}}',
  paragraph: '¶ {{paragraph}}',
  verified: 'Word for word',
  unverified: 'Not found word for word',
  unanswered: 'No answer.',
  removed: 'Removed from the library',
};

export type ChatToExport = { chat: ChatSummary; turns: Turn[]; words: ExportWords };

/** The day of the last question, in the language of the words. */
export function dateWords({ chat, words }: ChatToExport): string {
  const [language = 'en'] = Intl.DateTimeFormat.supportedLocalesOf([words.language]);
  const date = new Date(chat.updatedAtMs).toLocaleDateString(language, { dateStyle: 'long' });
  return words.from.replace('{{date}}', date);
}

/** "p. 12", "1:03:20", "Slide 3", or nothing. */
export function placeWords({ place }: Citation, words: ExportWords): string {
  const { label, page, paragraph, startSeconds } = place;
  const numbered =
    startSeconds !== null
      ? clock(startSeconds)
      : page !== null
        ? words.page.replace('{{page}}', String(page))
        : paragraph !== null
          ? words.paragraph.replace('{{paragraph}}', String(paragraph))
          : '';
  if (label === null) return numbered;
  const isWhole = startSeconds === null && (page === null || label.endsWith(` ${page}`));
  return isWhole || numbered === '' ? label : `${label}, ${numbered}`;
}

function clock(startSeconds: number): string {
  const seconds = Math.floor(startSeconds);
  const pad = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}

/** Where the source can be seen on the web: a video at its second. A file's place on this computer is nobody's business. */
export function sourceAddress({ source, place }: Citation): string | null {
  const address = webAddress(source);
  if (address === null || place.startSeconds === null) return address;
  const url = new URL(address);
  if (/(?:^|\.)(?:youtube\.com|youtu\.be)$/.test(url.hostname))
    url.searchParams.set('t', `${Math.floor(place.startSeconds)}s`);
  return url.href;
}
