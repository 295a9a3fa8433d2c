/** An answer in blocks that Markdown reads alone, so that while it is being written only the last one is read again. */

export type TextBlock = { start: number; text: string };

const fence = /^\s*(`{3,}|~{3,})/;
/** Belongs to what stands before the blank line: the next item of a list, or what is indented under one. */
const goesOn = /^(?:\s|[-*+](?:\s|$)|\d{1,9}[.)](?:\s|$))/;

/** Cuts at blank lines, but not in code, nor within a list. Footnotes belong to all of the text: with one it stays whole. */
export function splitBlocks(text: string): TextBlock[] {
  if (/^ {0,3}\[\^[^\]\n]+\]:/m.test(text)) return [{ start: 0, text }];
  const blocks: TextBlock[] = [];
  let start = 0;
  let at = 0;
  let isBlank = false;
  let open: string | null = null;
  for (const line of text.split(/(?<=\n)/)) {
    const isEmpty = line.trim() === '';
    if (open === null && isBlank && !isEmpty && !goesOn.test(line)) {
      blocks.push({ start, text: text.slice(start, at).trimEnd() });
      start = at;
    }
    const marker = fence.exec(line)?.[1];
    if (marker && open === null) open = marker;
    else if (marker && open !== null && marker.startsWith(open) && line.trim() === marker) open = null;
    isBlank = isEmpty;
    at += line.length;
  }
  blocks.push({ start, text: text.slice(start).trimEnd() });
  return blocks;
}
