import type { Citation, Turn } from '../../contract/types.ts';
import { type ChatToExport, dateWords, placeWords, sourceAddress } from './words.ts';

/**
 * The chat as Markdown. [n] becomes a footnote with the quote and its place, which GitHub, Obsidian and Pandoc make links
 * of. An answer is untrusted, and whoever opens the file may draw what it says: pictures, HTML and addresses that are not
 * of the web become text.
 */
export function toMarkdown(chat: ChatToExport): string {
  const turns = chat.turns.map((turn, index) => turnMarkdown(turn, index + 1, chat));
  return `${[`# ${escapeMarkdown(chat.chat.title)}`, `*${escapeMarkdown(dateWords(chat))}*`, ...turns].join('\n\n')}\n`;
}

function turnMarkdown({ question, answer }: Turn, number: number, chat: ChatToExport): string {
  const { words } = chat;
  const lines = question.trim().split(/\s*\n\s*/);
  const title = `## ${lines.map(escapeMarkdown).join(' ')}`;
  if (!answer) return `${title}\n\n*${escapeMarkdown(words.unanswered)}*`;
  const known = new Set(answer.citations.map(({ n }) => n));
  const quotes = answer.citations.map((citation) => footnote(citation, number, chat));
  const list = quotes.length === 0 ? [] : [`**${escapeMarkdown(words.quotes)}**`, ...quotes];
  return [title, safeMarkdown(answer.text, (n) => (known.has(n) ? `[^${number}-${n}]` : `\\[${n}]`)), ...list].join(
    '\n\n',
  );
}

function footnote(citation: Citation, number: number, { words }: ChatToExport): string {
  const { n, title, source, quote, verified } = citation;
  const isGone = quote === '' && source === '';
  const address = sourceAddress(citation);
  const name = escapeMarkdown(isGone ? words.removed : title);
  const where = [
    address === null ? `*${name}*` : `[${name}](<${address.replaceAll('>', '%3E')}>)`,
    source !== title && address === null ? escapeMarkdown(source) : '',
    escapeMarkdown(placeWords(citation, words)),
    isGone ? '' : escapeMarkdown(verified ? words.verified : words.unverified),
  ].filter((part) => part !== '');
  const said = quote === '' ? '' : `“${escapeMarkdown(quote.replace(/\s+/g, ' ').trim())}” — `;
  return `[^${number}-${n}]: ${said}${where.join(', ')}`;
}

/** Text whose signs mean nothing in Markdown. */
function escapeMarkdown(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]<>#|~!&]/g, '\\$&')
    .replace(/^(\s*(?:\d+|[-+]))(?=[.)\s]|$)/, '$1\\');
}

/** An answer's own Markdown without what could fetch or run; its code stays as it is. */
function safeMarkdown(text: string, cite: (n: number) => string): string {
  const pieces = text.split(/(^ {0,3}```[\s\S]*?(?:^ {0,3}```\s*$|$(?![\s\S]))|`[^`\n]+`)/m);
  return pieces
    .map((piece, index) =>
      index % 2 === 1
        ? piece
        : piece
            .replace(/(?<!\\)\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\](?![(:])/g, (_whole, numbers: string) =>
              numbers
                .split(',')
                .map((n) => cite(Number(n)))
                .join(''),
            )
            .replace(/(?<!\\)<(?=[a-z/!?])/gi, '\\<')
            .replace(/(?<!\\)!\[/g, '\\!\\[')
            .replace(/\]\((?!\s*<?https?:\/\/)/gi, ']\\(')
            .replace(/^( {0,3})\[(?!\^)([^\]\n]*)\]:/gm, '$1\\[$2]:'),
    )
    .join('');
}
