/** RTF: bytes → numbered paragraphs. One pass over the bytes; what is not text (fonts, pictures, objects) is stepped over. */
import type { ReadResult } from '../../source.ts';
import { ReadingRefused } from '../refusal.ts';
import { createParagraphs, oneLine, titleFromName } from '../sections.ts';

const deepest = 1000;

/** Groups that hold no text of the document's. Those marked with `\*` are unknown to old readers and skipped likewise. */
const skippedGroups = new Set(
  (
    'fonttbl colortbl stylesheet listtable listoverridetable rsidtbl generator pict object themedata colorschememapping ' +
    'datastore latentstyles xmlnstbl filetbl revtbl fldinst header headerl headerr headerf footer footerl footerr footerf ' +
    'pntext pntxta pntxtb bkmkstart bkmkend objdata mmathPr nonshppict template private txe xe tc info'
  ).split(' '),
);
const wordOf: Record<string, string> = {
  tab: ' ',
  line: '\n',
  emdash: '—',
  endash: '–',
  lquote: '‘',
  rquote: '’',
  ldblquote: '“',
  rdblquote: '”',
  bullet: '•',
  emspace: ' ',
  enspace: ' ',
  qmspace: ' ',
};
/** By the number of a font's character set. */
const codePageOfCharset: Record<number, string> = {
  77: 'macintosh',
  128: 'shift_jis',
  129: 'euc-kr',
  134: 'gb18030',
  136: 'big5',
  161: 'windows-1253',
  162: 'windows-1254',
  163: 'windows-1258',
  177: 'windows-1255',
  178: 'windows-1256',
  186: 'windows-1257',
  204: 'windows-1251',
  222: 'windows-874',
  238: 'windows-1250',
};
const codePages: Record<number, string> = {
  932: 'shift_jis',
  936: 'gb18030',
  949: 'euc-kr',
  950: 'big5',
  866: 'ibm866',
  874: 'windows-874',
  10000: 'macintosh',
  65001: 'utf-8',
};

type State = { isSkipped: boolean; isTitle: boolean; isFonts: boolean; skipAfterUnicode: number; encoding: string };

export function readRtf(bytes: Uint8Array, name: string): ReadResult {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  if (!text.startsWith('{\\rtf')) throw new ReadingRefused('damaged', 'It does not begin as an RTF document does.');
  const paragraphs = createParagraphs();
  const fonts = new Map<number, string>();
  let font = 0;
  let title = '';
  let line = '';
  let cells: string[] = [];
  let rows: string[][] = [];
  let state: State = {
    isSkipped: false,
    isTitle: false,
    isFonts: false,
    skipAfterUnicode: 1,
    encoding: 'windows-1252',
  };
  const stack: State[] = [];
  let toSkip = 0;
  let waiting: number[] = [];

  const say = (words: string) => {
    if (state.isTitle) title += words;
    else if (!state.isSkipped) line += words;
  };
  const endBytes = () => {
    if (waiting.length === 0) return;
    say(decode(Uint8Array.from(waiting), state.encoding));
    waiting = [];
  };
  const endTable = () => {
    if (rows.length > 0) paragraphs.addTable(rows, rows.length > 1 && rows[0]!.every((cell) => /\p{L}/u.test(cell)));
    rows = [];
  };
  const endParagraph = () => {
    if (line.trim()) {
      endTable();
      paragraphs.add(line);
    }
    line = '';
  };
  const control = (word: string, number: number | null) => {
    if (word === 'par' || word === 'sect' || word === 'page') {
      if (state.isSkipped) return;
      // Within a row a paragraph is a line of its cell.
      if (cells.length > 0) line += ' ';
      else endParagraph();
    } else if (word === 'cell' || word === 'nestcell') {
      if (state.isSkipped) return;
      cells.push(oneLine(line));
      line = '';
    } else if (word === 'row') {
      if (cells.some((cell) => cell !== '')) rows.push(cells);
      cells = [];
    } else if (Object.hasOwn(wordOf, word)) say(wordOf[word]!);
    else if (word === 'u' && number !== null) {
      say(String.fromCharCode(number & 0xffff));
      toSkip = state.skipAfterUnicode;
    } else if (word === 'uc' && number !== null) state.skipAfterUnicode = Math.max(0, Math.min(10, number));
    else if (word === 'ansicpg' && number !== null) state.encoding = codePages[number] ?? `windows-${number}`;
    else if (word === 'mac') state.encoding = 'macintosh';
    else if (word === 'f' && number !== null) {
      font = number;
      const encoding = fonts.get(number);
      if (!state.isFonts && encoding) state.encoding = encoding;
    } else if (word === 'fcharset' && state.isFonts && number !== null && codePageOfCharset[number])
      fonts.set(font, codePageOfCharset[number]);
    else if (word === 'fonttbl') state.isFonts = true;
    if (word === 'title' && state.isSkipped) state.isTitle = true;
    if (skippedGroups.has(word)) state.isSkipped = true;
  };

  // biome-ignore lint/suspicious/noControlCharactersInRegex: line ends are no text in RTF
  const token = /\\([a-z]{1,32})(-?\d{1,10})?[ ]?|\\'([\da-f]{2})|\\([^a-z'])|([{}])|([^\\{}\r\n\x00]+)/giy;
  for (let at = 0; at < text.length; ) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (!found) {
      at += 1; // a line end, or a backslash that leads nowhere
      continue;
    }
    at = token.lastIndex;
    const [, word, number, hexadecimal, symbol, brace, plain] = found;
    if (hexadecimal !== undefined) {
      if (toSkip > 0) toSkip -= 1;
      else waiting.push(Number.parseInt(hexadecimal, 16));
      continue;
    }
    if (plain !== undefined) {
      const skipped = Math.min(toSkip, plain.length);
      toSkip -= skipped;
      // Bytes above ASCII that stand there bare are of the document's encoding too; a second byte may look like a letter.
      if (waiting.length > 0 && isDouble(state.encoding)) {
        for (let index = skipped; index < plain.length; index++) waiting.push(plain.charCodeAt(index) & 0xff);
        endBytes();
      } else {
        endBytes();
        const words = plain.slice(skipped);
        say(/[\x80-\xff]/.test(words) ? decode(Buffer.from(words, 'latin1'), state.encoding) : words);
      }
      continue;
    }
    endBytes();
    toSkip = 0;
    if (brace === '{') {
      if (stack.length >= deepest) throw new ReadingRefused('damaged', `Its groups are more than ${deepest} deep.`);
      stack.push({ ...state });
    } else if (brace === '}') {
      const outer = stack.pop();
      if (outer) state = outer;
      if (stack.length === 0) break; // what follows the document is no part of it
    } else if (word !== undefined) {
      const value = number === undefined ? null : Number(number);
      if (word === 'bin' && value !== null && value > 0) at += value;
      else control(word, value);
    } else if (symbol === '*') state.isSkipped = true;
    else if (symbol === '~') say(' ');
    else if (symbol === '_') say('-');
    else if (symbol === '\n' || symbol === '\r') control('par', null);
    else if (symbol === '\\' || symbol === '{' || symbol === '}') say(symbol);
  }
  endBytes();
  endParagraph();
  endTable();
  if (paragraphs.sections.length === 0) throw new ReadingRefused('no-text', 'The document opens but holds no text.');
  return {
    type: 'read',
    kind: 'rtf',
    title: oneLine(title).slice(0, 200) || titleFromName(name),
    numPages: null,
    sections: paragraphs.sections,
  };
}

function isDouble(encoding: string): boolean {
  return ['shift_jis', 'euc-kr', 'gb18030', 'big5'].includes(encoding);
}

function decode(bytes: Uint8Array, encoding: string): string {
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes); // a code page that nobody has
  }
}
