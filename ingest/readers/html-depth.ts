/**
 * Keeps hostile nesting from the HTML parser: at the end of a page it hands what was never closed upwards, level by level, so
 * its time grows with the square of the depth. One pass over the text.
 */

/** Deeper than any page that a person wrote: browsers stop at 512. */
const deepest = 256;

const voidTags = new Set('area base br col embed hr img input link meta param source track wbr'.split(' '));
/** A new one of these closes the one that is open, so a long list without end tags is not deep. */
const selfClosing = new Set('p li td th tr dt dd option thead tbody tfoot'.split(' '));
const rawTags = new Set(['script', 'style', 'textarea', 'title', 'noscript', 'xmp', 'iframe']);
const space = /[\s/>]/g;

/** The same page, without comments, declarations, and the tags that stand deeper than `deepest`; their text stays. */
export function boundDepth(html: string): string {
  const open: string[] = [];
  /** How often a tag stands in `open`: an end of what is not open must not be searched for. */
  const numOpen = new Map<string, number>();
  /** Raw tags that no end follows any more: looking for one each time would take the square of the time. */
  const endless = new Set<string>();
  const kept: string[] = [];
  let keptTo = 0;
  const drop = (from: number, to: number) => {
    kept.push(html.slice(keptTo, from), ' ');
    keptTo = to;
  };
  for (let at = html.indexOf('<'); at !== -1; ) {
    const code = html.charCodeAt(at + 1);
    let end: number;
    if (html.startsWith('<!--', at)) {
      const close = html.indexOf('-->', at + 4);
      end = close === -1 ? html.length : close + 3;
      drop(at, end);
    } else if (code === 0x21 || code === 0x3f) {
      const isData = html.startsWith('<![CDATA[', at);
      const close = html.indexOf(isData ? ']]>' : '>', at);
      end = close === -1 ? html.length : close + (isData ? 3 : 1);
      if (isData) {
        drop(at, at + 9);
        if (close !== -1) drop(close, end);
      } else drop(at, end);
    } else if (isLetter(code) || (code === 0x2f && isLetter(html.charCodeAt(at + 2)))) {
      const isEnd = code === 0x2f;
      const nameAt = at + (isEnd ? 2 : 1);
      space.lastIndex = nameAt;
      const nameEnd = Math.min(space.exec(html)?.index ?? html.length, nameAt + 100);
      const name = html.slice(nameAt, nameEnd).toLowerCase();
      end = endOfTag(html, nameEnd);
      // A tag that never ends is no tag to a browser, and a long search to a parser: all that follows goes.
      if (end === -1) {
        drop(at, html.length);
        break;
      }
      const isEmpty = voidTags.has(name) || html[end - 2] === '/';
      if (isEnd) {
        if ((numOpen.get(name) ?? 0) === 0) drop(at, end);
        else
          for (let closed = open.pop(); closed !== undefined; closed = open.pop()) {
            numOpen.set(closed, numOpen.get(closed)! - 1);
            if (closed === name) break;
          }
      } else if (rawTags.has(name) && !isEmpty) {
        const close = endless.has(name) ? -1 : indexOfEnd(html, name, end);
        if (close === -1) endless.add(name);
        // Without its end it would swallow the page, in the parser as well.
        if (close === -1) drop(at, end);
        else end = endOfTag(html, close + 2 + name.length);
        if (end === -1) end = html.length;
      } else if (!isEmpty) {
        if (selfClosing.has(name) && open.at(-1) === name) {
          // The parser closes it too: the depth stays.
        } else if (open.length >= deepest) drop(at, end);
        else {
          open.push(name);
          numOpen.set(name, (numOpen.get(name) ?? 0) + 1);
        }
      }
    } else end = at + 1;
    at = html.indexOf('<', end);
  }
  kept.push(html.slice(keptTo));
  return kept.join('');
}

/** The place behind the `>` of a tag; one in a quoted value is none. -1 where there is none. */
function endOfTag(html: string, from: number): number {
  for (let at = from; at < html.length; at++) {
    const character = html[at];
    if (character === '>') return at + 1;
    if ((character === '"' || character === "'") && /[=\s]/.test(html[at - 1] ?? '')) {
      const close = html.indexOf(character, at + 1);
      // A quote that never closes is a letter.
      if (close === -1) return html.indexOf('>', at) + 1 || -1;
      at = close;
    }
  }
  return -1;
}

function indexOfEnd(html: string, name: string, from: number): number {
  const end = new RegExp(`</${name}(?=[\\s/>])`, 'gi');
  end.lastIndex = from;
  return end.exec(html)?.index ?? -1;
}

function isLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}
