/** Headings of a PDF that has no outline, by how they are set: larger than the text, or in a font of their own. */
import type { PdfLine } from './pdf-lines.ts';
import type { OutlineEntry } from './pdf-outline.ts';
import { mostHeadingCharacters, oneLine } from './sections.ts';

const mostWords = 14;
const largerBy = 1.12;
/** A font that more of the text is in is another voice (code, a second language), not headings. */
const mostShareOfFont = 0.15;
/** Where more lines would be headings, something else is meant: a form, slides, a poem. */
const mostShareOfLines = 0.25;
const mostEntries = 3000;

/**
 * The headings of all pages in order. One stands in a line of its own, in one font, short, without a stop at its end, and text
 * follows it; lines that follow one another in the same font are one.
 */
export function headingsOf(pages: readonly PdfLine[][]): OutlineEntry[] {
  const numCharacters = new Map<string, number>();
  const styleOf = ({ font }: PdfLine): string => (font ? `${font.name} ${Math.round(font.size * 2) / 2}` : '');
  let all = 0;
  let numLines = 0;
  for (const line of pages.flat()) {
    all += line.text.length;
    numLines += 1;
    if (line.font) numCharacters.set(styleOf(line), (numCharacters.get(styleOf(line)) ?? 0) + line.text.length);
  }
  const [body] = [...numCharacters].sort(([, one], [, other]) => other - one);
  if (!body) return [];
  const [bodyStyle] = body;
  const bodySize = Number(bodyStyle.slice(bodyStyle.lastIndexOf(' ')));
  const isHeading = (line: PdfLine, isFirst: boolean): boolean => {
    const style = styleOf(line);
    if (!line.font || style === bodyStyle || !mayBeHeading(line.text)) return false;
    if ((numCharacters.get(style) ?? 0) > mostShareOfFont * all) return false;
    return (
      line.font.size >= largerBy * bodySize || ((line.startsParagraph || isFirst) && line.font.size > 0.94 * bodySize)
    );
  };

  const entries: OutlineEntry[] = [];
  let numHeadings = 0;
  for (const [index, lines] of pages.entries())
    for (let at = 0; at < lines.length && entries.length < mostEntries; at++) {
      const line = lines[at]!;
      if (!isHeading(line, at === 0)) continue;
      let last = at;
      while (
        lines[last + 1] &&
        last - at < 2 &&
        styleOf(lines[last + 1]!) === styleOf(line) &&
        !lines[last + 1]!.startsParagraph
      )
        last += 1;
      const title = oneLine(
        lines
          .slice(at, last + 1)
          .map(({ text }) => text)
          .join(' '),
      );
      const isShort = title.length <= mostHeadingCharacters && title.split(' ').length <= mostWords;
      // A line in bold at the foot of a page is followed by nothing that it could be the heading of.
      if (isShort && last + 1 < lines.length) {
        entries.push({ title, page: index + 1 });
        numHeadings += last - at + 1;
      }
      at = last;
    }
  return numHeadings > mostShareOfLines * numLines ? [] : entries;
}

function mayBeHeading(text: string): boolean {
  const words = text.trim();
  return (
    words.length >= 3 &&
    words.length <= mostHeadingCharacters &&
    /^[\p{Lu}\p{Lo}\p{N}“"(]/u.test(words) &&
    /\p{L}{2}/u.test(words) &&
    !/[.,;:!?…]$/.test(words) &&
    words.split(/\s+/).length <= mostWords
  );
}
