/** Words that are not ours inside the Markdown of an answer. */

/** Words of a document inside a Markdown text: they stay the words they are, "[3]" and "2 * 3 * 4" among them. */
export function asMarkdown(words: string): string {
  return words.replace(/[\\`*_[\]<~|&]/g, (sign) => `\\${sign}`);
}

/** Any words as one line of Markdown that shows them as they are; no address in them becomes a link. */
export function asLine(text: string): string {
  return asMarkdown(text.replace(/\s+/g, ' ').trim())
    .replace(/^(#{1,6}|[-+>]|\d{1,9}[.)])(?=\s)/, '\\$1')
    .replace(/:(?=\/\/)/g, '\\:')
    .replace(/\b(www)\./gi, '$1\\.')
    .replace(/@/g, '\\@');
}
