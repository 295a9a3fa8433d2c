import type { Citation, Turn } from '../../contract/types.ts';
import { escapeHtml, markdownToHtml } from './markdown-to-html.ts';
import { type ChatToExport, dateWords, placeWords, sourceAddress } from './words.ts';

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d2320, #e8ece9); --soft: light-dark(#5a645f, #a3ada8);
  --line: light-dark(#dfe4e1, #333a37); --accent: light-dark(#0e5a54, #7fd1c7); --mark: light-dark(#e2c45c, #a5852a); }
body { margin: 0; background: light-dark(#fff, #161a18); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 3rem 1.5rem; overflow-wrap: anywhere; }
h1, h2, blockquote.quote { font-family: Georgia, 'Times New Roman', serif; font-weight: 500; line-height: 1.3; }
h2 { margin-top: 3rem; white-space: pre-wrap; }
a { color: var(--accent); }
.date, .place, .none { color: var(--soft); font-size: .875rem; }
.cite { font-size: .75em; vertical-align: super; line-height: 0; text-decoration: none; margin-left: .1em; }
.quotes { padding-left: 1.5rem; }
.quotes li { margin: 1rem 0; }
blockquote.quote { margin: 0; padding-left: .75rem; border-left: 3px solid var(--mark); line-height: 1.5; font-weight: 400; }
.unverified blockquote.quote { border-left: 3px dashed var(--line); }
.place { margin: .25rem 0 0 .95rem; }
pre { overflow-x: auto; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem; }
code { font-size: .9em; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; }
@media print { main { padding: 0; } h2 { break-after: avoid; } .quotes li { break-inside: avoid; } }`;

/**
 * One page that needs nothing from anywhere: its own policy forbids every fetch and every script. [n] leads to its quote, the
 * quote back to its answer, and a video's quote to its second.
 */
export function toHtml(chat: ChatToExport): string {
  const { language } = chat.words;
  const title = escapeHtml(chat.chat.title);
  return `<!doctype html>
<html lang="${escapeHtml(language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p class="date">${escapeHtml(dateWords(chat))}</p>
${chat.turns.map((turn, index) => turnHtml(turn, index + 1, chat)).join('\n')}
</main>
</body>
</html>
`;
}

function turnHtml({ question, answer }: Turn, number: number, chat: ChatToExport): string {
  const { words } = chat;
  const known = new Set(answer?.citations.map(({ n }) => n));
  const cite = (n: number): string =>
    known.has(n) ? `<a class="cite" href="#quote-${number}-${n}">[${n}]</a>` : `[${n}]`;
  // A number hangs on the word before it.
  const text = answer
    ? markdownToHtml(answer.text, cite).replace(/ +(?=<a class="cite")/g, '')
    : `<p class="none">${escapeHtml(words.unanswered)}</p>`;
  const quotes = (answer?.citations ?? []).map((citation) => quoteHtml(citation, number, chat));
  const list =
    quotes.length === 0
      ? ''
      : `\n<h3>${escapeHtml(words.quotes)}</h3>\n<ol class="quotes">\n${quotes.join('\n')}\n</ol>`;
  return `<section id="turn-${number}">\n<h2>${escapeHtml(question)}</h2>\n${text}${list}\n</section>`;
}

function quoteHtml(citation: Citation, number: number, { words }: ChatToExport): string {
  const { n, title, source, quote, verified } = citation;
  const isGone = quote === '' && source === '';
  const address = sourceAddress(citation);
  const name = escapeHtml(isGone ? words.removed : title);
  const parts = [
    address === null
      ? `<cite>${name}</cite>`
      : `<cite><a href="${escapeHtml(address)}" rel="noopener noreferrer">${name}</a></cite>`,
    source !== title && address === null ? escapeHtml(source) : '',
    escapeHtml(placeWords(citation, words)),
    isGone ? '' : escapeHtml(verified ? words.verified : words.unverified),
    `<a href="#turn-${number}" aria-label="↑ ${number}">↑</a>`,
  ];
  const said = quote === '' ? '' : `<blockquote class="quote">${escapeHtml(quote)}</blockquote>`;
  const place = `<p class="place">${parts.filter((part) => part !== '').join(' · ')}</p>`;
  return `<li id="quote-${number}-${n}" value="${n}"${verified ? '' : ' class="unverified"'}>${said}${place}</li>`;
}
