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

/** Fenced blocks and spans of code: what stands in them is shown as it is. */
const code = /(^ {0,3}```[\s\S]*?(?:^ {0,3}```\s*$|$(?![\s\S]))|`[^`\n]+`)/m;

/**
 * A model's Markdown without links and pictures: it has read the documents, and a document may have told it to show one.
 * Their words stay, and an address stays as words. Addresses that the person wrote remain links.
 */
export function withoutLinks(markdown: string, question: string): string {
  const isWritten = (address: string): boolean => personWrote(address, question);
  const pieces = markdown.split(code);
  return pieces
    .map((piece, index) =>
      index % 2 === 1
        ? piece
        : piece
            .replace(/!\[([^\]\n]{0,500})\](?:\([^()\n]{0,2000}\)|\[[^\]\n]{0,200}\])?/g, '$1')
            .replace(
              /(?<!\\)\[([^\]\n]{1,500})\]\(\s*<?([^\s<>()]{0,2000})>?(?:\s+["'(][^\n]{0,300}?["')])?\s*\)/g,
              (whole, words: string, address: string) => (isWritten(address) ? whole : words),
            )
            .replace(/^( {0,3})\[(?!\d{1,3}\])([^\]\n]{1,300})\]:/gm, '$1\\[$2]:')
            .replace(/<(?=[a-z][a-z0-9+.-]{1,31}:|[\w.+-]+@|\/?[a-z!?])/gi, '\\<')
            .replace(/\b(?:[a-z][a-z0-9+.-]{1,31}:\/\/|www\.)[^\s<>()[\]]*/gi, (address) =>
              isWritten(address) ? address : address.replace(/:(?=\/\/)/, '\\:').replace(/^www\./i, 'www\\.'),
            )
            .replace(/(?<=[\w.+-])@(?=[\w-]+\.\w)/g, '\\@'),
    )
    .join('');
}

/** An address stands in the person's own words, with or without `https://` and a slash at its end. */
function personWrote(address: string, question: string): boolean {
  const bare = (text: string): string => text.toLowerCase().replace(/^[a-z]+:\/\/(?:www\.)?|^www\./, '');
  const wanted = bare(address).replace(/[/.,;:!?'"]+$/, '');
  return wanted !== '' && question.toLowerCase().includes(wanted);
}
