/**
 * An answer's Markdown as a tree for a file: headings, lists, quotes, tables, code, emphasis, links, maths and citations.
 *
 * The text is untrusted. The tree holds the nodes written down here and text, nothing else: no picture, no HTML, no address
 * but http and https. It is smaller than CommonMark: what it does not know stays text.
 */

export type Inline =
  | { type: 'text'; text: string }
  | { type: 'code'; text: string }
  | { type: 'strong' | 'emphasis' | 'deleted'; children: Inline[] }
  | { type: 'link'; address: string; children: Inline[] }
  | { type: 'citation'; n: number }
  | { type: 'break' };

export type Block =
  | { type: 'paragraph'; children: Inline[] }
  | { type: 'heading'; level: number; children: Inline[] }
  | { type: 'code'; text: string }
  | { type: 'rule' }
  | { type: 'quote'; children: Block[] }
  | { type: 'list'; isOrdered: boolean; start: number; items: Block[][] }
  | { type: 'table'; head: Inline[][]; rows: Inline[][][] };

/** The address if it may stand in a link, or null. */
export function webAddress(address: string): string | null {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return null;
  const url = new URL(address);
  return url.username === '' && url.password === '' ? url.href : null;
}

/** Deeper nesting stays text: no answer needs it, and the stack has an end. */
export const maxDepth = 6;

export function markdownTree(markdown: string): Block[] {
  return blocks(markdown.replace(/\r\n?/g, '\n').replaceAll('\t', '    ').split('\n'), 0);
}

const fence = /^ {0,3}(`{3,}|~{3,})\s*[^`]*$/;
const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const rule = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const quoted = /^ {0,3}> ?/;
const listItem = /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4}(?=\S)|$)/;
const tableRule = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

function blocks(lines: string[], depth: number): Block[] {
  const out: Block[] = [];
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
      out.push({ type: 'code', text: code.join('\n') });
    } else if (title) {
      at += 1;
      out.push({ type: 'heading', level: (title[1] ?? '').length, children: inline(title[2] ?? '', 0) });
    } else if (rule.test(line)) {
      at += 1;
      out.push({ type: 'rule' });
    } else if (depth < maxDepth && quoted.test(line)) {
      const inner = takeWhile((one) => quoted.test(one)).map((one) => one.replace(quoted, ''));
      out.push({ type: 'quote', children: blocks(inner, depth + 1) });
    } else if (depth < maxDepth && listItem.test(line)) out.push(list());
    else if (isTable(at)) out.push(table(takeWhile((one) => one.includes('|'))));
    else {
      const first = at;
      const text = takeWhile((one) => one.trim() !== '' && (at === first || !startsBlock(at)));
      out.push({ type: 'paragraph', children: paragraph(text) });
    }
  }
  return out;

  function list(): Block {
    const marker = listItem.exec(lines[at] ?? '')?.[2] ?? '-';
    const isOrdered = /\d/.test(marker);
    const items: Block[][] = [];
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
      items.push(blocks(inner, depth + 1));
      if (lines[at]?.trim() === '' && listItem.test(lines[at + 1] ?? '')) at += 1;
    }
    return { type: 'list', isOrdered, start: isOrdered ? Number.parseInt(marker, 10) : 1, items };
  }
}

function paragraph(lines: string[]): Inline[] {
  return lines.flatMap((line, index): Inline[] => {
    const isLast = index === lines.length - 1;
    const breaks = !isLast && /(?: {2,}|\\)$/.test(line);
    const words = inline(line.replace(/\\$/, '').trim(), 0);
    return [...words, ...(breaks ? [{ type: 'break' } as const] : []), ...(isLast ? [] : [textOf('\n')])];
  });
}

function table(rows: string[]): Block {
  const cells = (row: string): Inline[][] =>
    row
      .trim()
      .replace(/^\||(?<!\\)\|$/g, '')
      .split(/(?<!\\)\|/)
      .map((cell) => inline(cell.trim().replaceAll('\\|', '|'), 0));
  const [head = '', , ...body] = rows;
  return { type: 'table', head: cells(head), rows: body.map(cells) };
}

function textOf(text: string): Inline {
  return { type: 'text', text };
}

type Deeper = (text: string) => Inline[];

/**
 * What stands within a line, and what becomes of it. Each looks no further than its bound: a text of nothing but stars must
 * not take a minute. Maths comes first, as it is: its stars, lines and backslashes are its own.
 */
const forms: readonly [RegExp, (found: RegExpExecArray, deeper: Deeper) => Inline[]][] = [
  [/\\\(.{1,1000}?\\\)|\\\[.{1,1000}?\\\]|\$\$.{1,1000}?\$\$/y, ([tex]) => [textOf(tex)]],
  [/\$(?=[^\s$])[^$\n]{0,300}?[\\^_][^$\n]{0,300}?(?<=[^\s\\])\$(?![\d$])/y, ([tex]) => [textOf(tex)]],
  [/\\([!-/:-@[-`{-~])/y, ([, sign = '']) => [textOf(sign)]],
  [/(`{1,8})(?!`)(.{1,2000}?)(?<!`)\1(?!`)/y, ([, , code = '']) => [{ type: 'code', text: code.trim() }]],
  // A picture is its description: nothing is fetched.
  [/!\[([^\]\n]{0,500})\](?:\([^()\n]{0,2000}\)|\[[^\]\n]{0,200}\])/y, ([, words = '']) => [textOf(words)]],
  [
    /\[([^\]\n]{1,500})\]\(\s*<?([^\s<>()]{1,2000})>?(?:\s+["'][^\n]{0,300}?["'])?\s*\)/y,
    ([, words = '', address = ''], deeper) => link(address, deeper(words)),
  ],
  [
    /\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\](?!\()/y,
    ([, numbers = '']) => numbers.split(',').map((n) => ({ type: 'citation', n: Number(n) })),
  ],
  [/(\*\*|__)(?=\S)(.{1,2000}?)(?<=\S)\1/y, ([, , words = ''], deeper) => [marked('strong', deeper(words))]],
  [/~~(?=\S)(.{1,2000}?)(?<=\S)~~/y, ([, words = ''], deeper) => [marked('deleted', deeper(words))]],
  [/\*(?![\s*])(.{1,2000}?)(?<![\s*])\*(?!\*)/y, ([, words = ''], deeper) => [marked('emphasis', deeper(words))]],
  [
    /(?<![\p{L}\p{N}])_(?=\S)(.{1,2000}?)(?<=\S)_(?![\p{L}\p{N}])/uy,
    ([, words = ''], deeper) => [marked('emphasis', deeper(words))],
  ],
];

function marked(type: 'strong' | 'emphasis' | 'deleted', children: Inline[]): Inline {
  return { type, children };
}

function link(address: string, children: Inline[]): Inline[] {
  const href = webAddress(address);
  return href === null ? children : [{ type: 'link', address: href, children }];
}

function inline(text: string, depth: number): Inline[] {
  if (depth > maxDepth) return [textOf(text)];
  const out: Inline[] = [];
  let plain = '';
  let at = 0;
  const endPlain = (): void => {
    if (plain !== '') out.push(textOf(plain));
    plain = '';
  };
  while (at < text.length) {
    const [found, make] = firstForm(text, at);
    if (found && make) {
      endPlain();
      out.push(...make(found, (words) => inline(words, depth + 1)));
      at += found[0].length;
    } else {
      plain += text[at] ?? '';
      at += 1;
    }
  }
  endPlain();
  return out;
}

function firstForm(text: string, at: number) {
  if (/[\p{L}\s]/u.test(text[at] ?? '')) return []; // no form begins so: most signs are done with here
  for (const [form, make] of forms) {
    form.lastIndex = at;
    const found = form.exec(text);
    if (found) return [found, make] as const;
  }
  return [];
}
