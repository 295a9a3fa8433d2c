/**
 * Markdown: bytes → numbered paragraphs under headings. The text stays as written, marks included, so that quotes are the
 * file's own words; only what a reader never sees (front matter, comments, link targets' brackets in headings) is handled.
 */
import type { ReadResult } from '../source.ts';
import { createParagraphs, oneLine, titleFromName } from './sections.ts';
import { decodeText } from './text.ts';

/** A longer line is no heading, and the search for the marks at its end would take the square of its length. */
const longestHeading = 1000;

export function readMarkdown(bytes: Uint8Array, name: string): ReadResult {
  const decoded = decodeText(bytes);
  if (decoded.type === 'junk') return { type: 'failed', kind: 'markdown', reason: 'damaged', detail: decoded.detail };
  const paragraphs = createParagraphs();
  let title = '';
  let block: string[] = [];
  let fence = '';
  const flush = () => {
    paragraphs.add(block.join('\n'));
    block = [];
  };
  const heading = (text: string, level: number) => {
    const plain = oneLine(text.replace(/[*_`]+/g, '').replace(/!?\[([^[\]]*)\]\([^()]*\)/g, '$1'));
    if (level === 1) title ||= plain;
    paragraphs.startHeading(plain);
  };

  for (const line of withoutFrontMatter(decoded.text).split(/\r?\n|\r/)) {
    const fenceMark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence) {
      block.push(line);
      if (fenceMark?.startsWith(fence)) fence = '';
      continue;
    }
    if (fenceMark) {
      fence = fenceMark;
      block.push(line);
      continue;
    }
    const hashes = line.length > longestHeading ? null : /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?[ \t]*#*[ \t]*$/.exec(line);
    const underline = /^ {0,3}(=+|-+)[ \t]*$/.exec(line)?.[1];
    if (hashes) {
      flush();
      heading(hashes[2] ?? '', hashes[1]!.length);
    } else if (underline && block.length === 1 && !/^\s*([-*+>|]|\d+[.)])/.test(block[0]!)) {
      const text = block[0]!;
      block = [];
      heading(text, underline.startsWith('=') ? 1 : 2);
    } else if (/^\s*$/.test(line)) flush();
    else block.push(line);
  }
  flush();

  if (paragraphs.sections.length === 0)
    return { type: 'failed', kind: 'markdown', reason: 'no-text', detail: 'It holds no text.' };
  return {
    type: 'read',
    kind: 'markdown',
    title: title.slice(0, 200) || titleFromName(name),
    numPages: null,
    sections: paragraphs.sections,
  };
}

/** Front matter is settings for a site generator between two `---` lines at the very top. */
function withoutFrontMatter(text: string): string {
  if (!/^---[ \t]*\r?\n/.test(text)) return text;
  const end = /\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/.exec(text.slice(3));
  if (!end) return text;
  return text.slice(3 + end.index + end[0].length);
}
