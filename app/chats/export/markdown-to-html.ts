/**
 * An answer's Markdown as HTML for a file: headings, lists, quotes, tables, code, emphasis, links and citations.
 *
 * The text is untrusted. What comes out is made of the tags written down here and of escaped text, nothing else: no picture,
 * no HTML of the text's own, no address but http and https. It is smaller than CommonMark: what it does not know stays text.
 */

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => entities[sign] ?? sign);
}

/** The address if it may stand in a link, or null. */
export function webAddress(address: string): string | null {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return null;
  const url = new URL(address);
  return url.username === '' && url.password === '' ? url.href : null;
}

/** Gives the HTML of a citation `[n]`. */
export type Cite = (n: number) => string;

/** Deeper nesting stays text: no answer needs it, and the stack has an end. */
const maxDepth = 6;
/** Below the file's title and the question. */
const headingShift = 2;

export function markdownToHtml(markdown: string, cite: Cite): string {
  return blocks(markdown.replace(/\r\n?/g, '\n').replaceAll('\t', '    ').split('\n'), cite, 0);
}

const fence = /^ {0,3}(`{3,}|~{3,})\s*[^`]*$/;
const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const rule = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const quoted = /^ {0,3}> ?/;
const listItem = /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4}(?=\S)|$)/;
const tableRule = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

function blocks(lines: string[], cite: Cite, depth: number): string {
  const out: string[] = [];
  let at = 0;
  const isTable = (index: number): boolean =>
    (lines[index] ?? '').includes('|') &&
    (lines[index + 1] ?? '').includes('|') &&
    tableRule.test(lines[index + 1] ?? '');
  const startsBlock = (index: number): boolean => {
    const line = lines[index] ?? '';
    return [fence, heading, rule, quoted, listItem].some((form) => form.test(line)) || isTable(index);
  };
  /** The lines from here for as long as they belong together. */
  const takeWhile = (belongs: (line: string) => boolean): string[] => {
    const from = at;
    while (at < lines.length && belongs(lines[at] ?? '')) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const open = fence.exec(line)?.[1];
    const title = heading.exec(line);
    if (line.trim() === '') at += 1;
    else if (open) {
      at += 1;
      const close = new RegExp(`^ {0,3}${open[0]}{${open.length},}\\s*$`);
      const code = takeWhile((one) => !close.test(one));
      at += 1;
      out.push(`<pre><code>${escapeHtml(code.join('\n'))}</code></pre>`);
    } else if (title) {
      at += 1;
      const level = Math.min(6, (title[1] ?? '').length + headingShift);
      out.push(`<h${level}>${inline(title[2] ?? '', cite, 0)}</h${level}>`);
    } else if (rule.test(line)) {
      at += 1;
      out.push('<hr>');
    } else if (depth < maxDepth && quoted.test(line)) {
      const inner = takeWhile((one) => quoted.test(one)).map((one) => one.replace(quoted, ''));
      out.push(`<blockquote>${blocks(inner, cite, depth + 1)}</blockquote>`);
    } else if (depth < maxDepth && listItem.test(line)) out.push(list());
    else if (isTable(at))
      out.push(
        table(
          takeWhile((one) => one.includes('|')),
          cite,
        ),
      );
    else {
      const first = at;
      const text = takeWhile((one) => one.trim() !== '' && (at === first || !startsBlock(at)));
      out.push(`<p>${paragraph(text, cite)}</p>`);
    }
  }
  return out.join('\n');

  function list(): string {
    const marker = listItem.exec(lines[at] ?? '')?.[2] ?? '-';
    const isOrdered = /\d/.test(marker);
    const items: string[] = [];
    for (;;) {
      const found = listItem.exec(lines[at] ?? '');
      if (!found || /\d/.test(found[2] ?? '') !== isOrdered) break;
      const indent = found[0].length || 2;
      const inner = [(lines[at] ?? '').slice(found[0].length)];
      at += 1;
      while (at < lines.length) {
        const line = lines[at] ?? '';
        const isInside = /^\s*$/.test(line.slice(0, indent)) && line.trim() !== '';
        const goesOn =
          line.trim() === '' && /^\s*$/.test((lines[at + 1] ?? '').slice(0, indent)) && lines[at + 1]?.trim();
        const isLazy = line.trim() !== '' && !startsBlock(at) && inner.at(-1)?.trim() !== '';
        if (!isInside && !goesOn && !isLazy) break;
        inner.push(isInside ? line.slice(indent) : line);
        at += 1;
      }
      items.push(`<li>${blocks(inner, cite, depth + 1).replace(/^<p>((?:(?!<p>)[\s\S])*?)<\/p>/, '$1')}</li>`);
      if (lines[at]?.trim() === '' && listItem.test(lines[at + 1] ?? '')) at += 1;
    }
    const start = Number.parseInt(marker, 10);
    const tag = isOrdered ? `ol${start > 1 ? ` start="${start}"` : ''}` : 'ul';
    return `<${tag}>\n${items.join('\n')}\n</${isOrdered ? 'ol' : 'ul'}>`;
  }
}

function paragraph(lines: string[], cite: Cite): string {
  return lines
    .map((line, index) => {
      const breaks = index < lines.length - 1 && /(?: {2,}|\\)$/.test(line);
      return inline(line.replace(/\\$/, '').trim(), cite, 0) + (breaks ? '<br>' : '');
    })
    .join('\n');
}

function table(rows: string[], cite: Cite): string {
  const cells = (row: string): string[] =>
    row
      .trim()
      .replace(/^\||(?<!\\)\|$/g, '')
      .split(/(?<!\\)\|/)
      .map((cell) => inline(cell.trim().replaceAll('\\|', '|'), cite, 0));
  const [head = '', , ...body] = rows;
  const row = (tag: string, values: string[]): string =>
    `<tr>${values.map((value) => `<${tag}>${value}</${tag}>`).join('')}</tr>`;
  const lines = body.map((line) => row('td', cells(line)));
  return `<table>\n<thead>${row('th', cells(head))}</thead>\n<tbody>${lines.join('\n')}</tbody>\n</table>`;
}

type Inner = { cite: Cite; deeper: (text: string) => string };

/**
 * What stands within a line, and what becomes of it. Each looks no further than its bound: a text of nothing but stars must
 * not take a minute.
 */
const forms: readonly [RegExp, (found: RegExpExecArray, inner: Inner) => string][] = [
  [/\\([!-/:-@[-`{-~])/y, ([, sign = '']) => escapeHtml(sign)],
  [/(`{1,8})(?!`)(.{1,2000}?)(?<!`)\1(?!`)/y, ([, , code = '']) => `<code>${escapeHtml(code.trim())}</code>`],
  // A picture is its description: nothing is fetched.
  [/!\[([^\]\n]{0,500})\](?:\([^()\n]{0,2000}\)|\[[^\]\n]{0,200}\])/y, ([, words = '']) => escapeHtml(words)],
  [
    /\[([^\]\n]{1,500})\]\(\s*<?([^\s<>()]{1,2000})>?(?:\s+["'][^\n]{0,300}?["'])?\s*\)/y,
    ([, words = '', address = ''], { deeper }) => anchor(address, deeper(words)),
  ],
  [
    /\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\](?!\()/y,
    ([, numbers = ''], { cite }) =>
      numbers
        .split(',')
        .map((n) => cite(Number(n)))
        .join(''),
  ],
  [/(\*\*|__)(?=\S)(.{1,2000}?)(?<=\S)\1/y, ([, , words = ''], { deeper }) => `<strong>${deeper(words)}</strong>`],
  [/~~(?=\S)(.{1,2000}?)(?<=\S)~~/y, ([, words = ''], { deeper }) => `<del>${deeper(words)}</del>`],
  [/\*(?![\s*])(.{1,2000}?)(?<![\s*])\*(?!\*)/y, ([, words = ''], { deeper }) => `<em>${deeper(words)}</em>`],
  [
    /(?<![\p{L}\p{N}])_(?=\S)(.{1,2000}?)(?<=\S)_(?![\p{L}\p{N}])/uy,
    ([, words = ''], { deeper }) => `<em>${deeper(words)}</em>`,
  ],
];

function inline(text: string, cite: Cite, depth: number): string {
  if (depth > maxDepth) return escapeHtml(text);
  const inner: Inner = { cite, deeper: (words) => inline(words, cite, depth + 1) };
  let out = '';
  let at = 0;
  while (at < text.length) {
    const [found, write] = firstForm(text, at);
    out += found && write ? write(found, inner) : escapeHtml(text[at] ?? '');
    at += found?.[0].length ?? 1;
  }
  return out;
}

function firstForm(text: string, at: number) {
  if (/[\p{L}\s]/u.test(text[at] ?? '')) return []; // no form begins so: most signs are done with here
  for (const [form, write] of forms) {
    form.lastIndex = at;
    const found = form.exec(text);
    if (found) return [found, write] as const;
  }
  return [];
}

function anchor(address: string, inner: string): string {
  const href = webAddress(address);
  return href === null ? inner : `<a href="${escapeHtml(href)}" rel="noopener noreferrer">${inner}</a>`;
}
