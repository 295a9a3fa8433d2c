/** An answer's Markdown as HTML for a file: the tags written down here and escaped text, nothing else. */
import { type Block, type Inline, markdownTree } from './markdown-tree.ts';

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

/** Gives the HTML of a citation `[n]`. */
export type Cite = (n: number) => string;

/** Below the file's title and the question. */
const headingShift = 2;

export function markdownToHtml(markdown: string, cite: Cite): string {
  return blocksHtml(markdownTree(markdown), cite);
}

function blocksHtml(blocks: readonly Block[], cite: Cite): string {
  return blocks.map((block) => blockHtml(block, cite)).join('\n');
}

function blockHtml(block: Block, cite: Cite): string {
  switch (block.type) {
    case 'paragraph':
      return `<p>${inlineHtml(block.children, cite)}</p>`;
    case 'heading': {
      const level = Math.min(6, block.level + headingShift);
      return `<h${level}>${inlineHtml(block.children, cite)}</h${level}>`;
    }
    case 'code':
      return `<pre><code>${escapeHtml(block.text)}</code></pre>`;
    case 'rule':
      return '<hr>';
    case 'quote':
      return `<blockquote>${blocksHtml(block.children, cite)}</blockquote>`;
    case 'list': {
      const tag = block.isOrdered ? 'ol' : 'ul';
      const start = block.start > 1 ? ` start="${block.start}"` : '';
      const items = block.items.map((item) => `<li>${itemHtml(item, cite)}</li>`);
      return `<${tag}${start}>\n${items.join('\n')}\n</${tag}>`;
    }
    case 'table': {
      const row = (tag: string, cells: readonly Inline[][]): string =>
        `<tr>${cells.map((cell) => `<${tag}>${inlineHtml(cell, cite)}</${tag}>`).join('')}</tr>`;
      const rows = block.rows.map((cells) => row('td', cells));
      return `<table>\n<thead>${row('th', block.head)}</thead>\n<tbody>${rows.join('\n')}</tbody>\n</table>`;
    }
  }
}

/** The first paragraph of an item stands without tags of its own. */
function itemHtml([first, ...others]: readonly Block[], cite: Cite): string {
  if (first?.type !== 'paragraph') return blocksHtml(first ? [first, ...others] : [], cite);
  return [inlineHtml(first.children, cite), ...others.map((block) => blockHtml(block, cite))].join('\n');
}

const tags = { strong: 'strong', emphasis: 'em', deleted: 'del' } as const;

function inlineHtml(nodes: readonly Inline[], cite: Cite): string {
  return nodes
    .map((node): string => {
      switch (node.type) {
        case 'text':
          return escapeHtml(node.text);
        case 'code':
          return `<code>${escapeHtml(node.text)}</code>`;
        case 'citation':
          return cite(node.n);
        case 'break':
          return '<br>';
        case 'link':
          return `<a href="${escapeHtml(node.address)}" rel="noopener noreferrer">${inlineHtml(node.children, cite)}</a>`;
        default:
          return `<${tags[node.type]}>${inlineHtml(node.children, cite)}</${tags[node.type]}>`;
      }
    })
    .join('');
}
