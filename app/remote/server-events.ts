/** Server-sent events (WHATWG HTML, section 9.2.6): only their data is read. */

/** An event of a chat is a few hundred bytes; one of a megabyte is an attack or a mistake. */
const maxEventCharacters = 1 << 20;

/** The data of each event, in order. An event that the stream's end cuts is left out. Throws `RangeError` past the limit. */
export async function* readServerEvents(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  let data: string[] = [];
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    // A carriage return at the end may be the first half of one line end.
    for (let match = lineEnd(rest); match; match = lineEnd(rest)) {
      const line = rest.slice(0, match.index);
      rest = rest.slice(match.index + match.length);
      if (line === '') {
        if (data.length > 0) yield data.join('\n');
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
    }
    if (rest.length + data.reduce((sum, one) => sum + one.length, 0) > maxEventCharacters)
      throw new RangeError('an event is too long');
  }
}

function lineEnd(text: string): { index: number; length: number } | null {
  const found = /\r\n|\n|\r(?!$)/.exec(text);
  return found ? { index: found.index, length: found[0].length } : null;
}
