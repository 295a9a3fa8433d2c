/**
 * A small strict XML parser for untrusted files: no DTD is read, no entity beyond XML's own five and the numbered ones is
 * expanded, nothing outside is opened. Its time and memory grow with the text and with nothing else. It follows the names
 * and nesting of XML 1.0; it does not check which characters a name may hold.
 */
import { ReadingRefused } from './refusal.ts';
import { decodeText } from './text.ts';

export type XmlLimits = { depth: number; attributes: number; characters: number; elements: number };

/** Office files nest some 30 deep. A tree takes about 200 bytes for an element. */
export const xmlLimits: XmlLimits = { depth: 256, attributes: 1024, characters: 64e6, elements: 2_000_000 };

export type XmlEvent =
  /** `name` without its prefix; attributes with theirs, as written. */
  | { type: 'open'; name: string; attributes: Map<string, string> }
  | { type: 'close'; name: string }
  | { type: 'text'; text: string };

export type XmlElement = { name: string; attributes: Map<string, string>; children: (XmlElement | string)[] };

const noAttributes: Map<string, string> = new Map();
const nameEnd = /[\s/>=]/g;
const textOrSpace = /\S/;

/** The events of a document in its order; an empty element opens and closes. Throws `ReadingRefused` for what is no XML. */
export function* xmlEvents(source: Uint8Array | string, limits: XmlLimits = xmlLimits): Generator<XmlEvent> {
  const text = typeof source === 'string' ? source : decodeXml(source);
  if (text.length > limits.characters) throw new ReadingRefused('too-large', `Its XML has ${text.length} characters.`);
  const open: string[] = [];
  let at = 0;
  let hadRoot = false;
  while (at < text.length) {
    const angle = text.indexOf('<', at);
    const textEnd = angle === -1 ? text.length : angle;
    if (textEnd > at) {
      const raw = text.slice(at, textEnd);
      if (open.length > 0) yield { type: 'text', text: decodeEntities(raw) };
      else if (textOrSpace.test(raw)) throw broken('text outside of its root element', at);
    }
    if (angle === -1) break;
    const next = text.charCodeAt(angle + 1);
    if (next === 0x21) {
      if (text.startsWith('<!--', angle)) at = after(text, '-->', angle + 4);
      else if (text.startsWith('<![CDATA[', angle)) {
        if (open.length === 0) throw broken('text outside of its root element', angle);
        at = after(text, ']]>', angle + 9);
        yield { type: 'text', text: text.slice(angle + 9, at - 3) };
      } else if (!hadRoot && text.startsWith('<!DOCTYPE', angle)) {
        at = after(text, '>', angle);
        // What a document type defines is a program for the parser: the name of one is skipped, a definition is refused.
        if (text.slice(angle, at).includes('['))
          throw new ReadingRefused('damaged', 'Its XML defines its own entities.');
      } else throw broken('an unknown mark', angle);
    } else if (next === 0x3f) at = after(text, '?>', angle + 2);
    else if (next === 0x2f) {
      at = after(text, '>', angle + 2);
      const name = text.slice(angle + 2, at - 1).trimEnd();
      if (open.pop() !== name) throw broken(`an end of <${name.slice(0, 40)}> that was not open`, angle);
      yield { type: 'close', name: localName(name) };
    } else {
      nameEnd.lastIndex = angle + 1;
      const end = nameEnd.exec(text)?.index ?? text.length;
      const name = text.slice(angle + 1, end);
      if (name === '' || end === text.length) throw broken('an unfinished element', angle);
      if (open.length === 0 && hadRoot) throw broken('a second root element', angle);
      const tag = readAttributes(text, end, limits.attributes);
      at = tag.at;
      hadRoot = true;
      if (open.length >= limits.depth)
        throw new ReadingRefused('damaged', `Its XML is more than ${limits.depth} deep.`);
      yield { type: 'open', name: localName(name), attributes: tag.attributes };
      if (tag.isEmpty) yield { type: 'close', name: localName(name) };
      else open.push(name);
    }
  }
  if (open.length > 0 || !hadRoot) throw broken('an early end', text.length);
}

/** The whole document as a tree. White space between elements is kept as text. */
export function parseXml(source: Uint8Array | string, limits: XmlLimits = xmlLimits): XmlElement {
  const top: XmlElement = { name: '', attributes: noAttributes, children: [] };
  const stack = [top];
  let numElements = 0;
  for (const event of xmlEvents(source, limits)) {
    const parent = stack.at(-1)!;
    if (event.type === 'text') parent.children.push(event.text);
    else if (event.type === 'close') stack.pop();
    else {
      numElements += 1;
      if (numElements > limits.elements) throw new ReadingRefused('too-large', 'Its XML has too many elements.');
      const element: XmlElement = { name: event.name, attributes: event.attributes, children: [] };
      parent.children.push(element);
      stack.push(element);
    }
  }
  return top.children[0] as XmlElement;
}

/** The elements directly inside, all of them or those of a name. */
export function childrenOf(element: XmlElement | undefined, name?: string): XmlElement[] {
  const found: XmlElement[] = [];
  for (const child of element?.children ?? [])
    if (typeof child !== 'string' && (name === undefined || child.name === name)) found.push(child);
  return found;
}

/** The first element on a way down by names. */
export function elementAt(element: XmlElement | undefined, ...names: string[]): XmlElement | undefined {
  let found = element;
  for (const name of names) found = childrenOf(found, name)[0];
  return found;
}

/** All elements of a name below an element, in their order. Depth is held by the parser's limit. */
export function* descendantsOf(element: XmlElement | undefined, name: string): Generator<XmlElement> {
  if (!element) return;
  const waiting: XmlElement[] = childrenOf(element).reverse();
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (next.name === name) yield next;
    const { children } = next;
    for (let at = children.length - 1; at >= 0; at--) {
      const child = children[at]!;
      if (typeof child !== 'string') waiting.push(child);
    }
  }
}

/** All text below an element. */
export function textBelow(element: XmlElement | undefined): string {
  if (!element) return '';
  let text = '';
  for (const child of element.children) text += typeof child === 'string' ? child : textBelow(child);
  return text;
}

/** An attribute by its name without a prefix, if none has the name as it is: `id` finds `r:id`. */
export function attributeOf(element: XmlElement | undefined, name: string): string | undefined {
  const exact = element?.attributes.get(name);
  if (exact !== undefined || !element) return exact;
  for (const [key, value] of element.attributes) if (localName(key) === name) return value;
  return undefined;
}

function localName(name: string): string {
  const colon = name.indexOf(':');
  return colon === -1 ? name : name.slice(colon + 1);
}

/** `at` stands after the element's name; the result's stands after its `>`. */
function readAttributes(
  text: string,
  from: number,
  most: number,
): { attributes: Map<string, string>; at: number; isEmpty: boolean } {
  let attributes = noAttributes;
  let at = from;
  for (;;) {
    while (isSpace(text.charCodeAt(at))) at += 1;
    const code = text.charCodeAt(at);
    if (code === 0x3e) return { attributes, at: at + 1, isEmpty: false };
    if (code === 0x2f && text.charCodeAt(at + 1) === 0x3e) return { attributes, at: at + 2, isEmpty: true };
    if (attributes.size >= most) throw new ReadingRefused('damaged', `An element has more than ${most} attributes.`);
    nameEnd.lastIndex = at;
    const end = nameEnd.exec(text)?.index ?? text.length;
    const name = text.slice(at, end);
    at = end;
    while (isSpace(text.charCodeAt(at))) at += 1;
    if (name === '' || text[at] !== '=') throw broken('an attribute without a value', at);
    at += 1;
    while (isSpace(text.charCodeAt(at))) at += 1;
    const quote = text[at];
    if (quote !== '"' && quote !== "'") throw broken('an attribute without quotes', at);
    const close = text.indexOf(quote, at + 1);
    if (close === -1) throw broken('an unfinished attribute', at);
    if (attributes.has(name)) throw broken('an attribute twice', at);
    if (attributes === noAttributes) attributes = new Map();
    attributes.set(name, decodeEntities(text.slice(at + 1, close)));
    at = close + 1;
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** The place behind the next `mark`. */
function after(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  if (found === -1) throw broken('an unfinished mark', from);
  return found + mark.length;
}

const five: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** An entity that is not XML's own stays as it is written: what it stands for is known to nobody here. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(amp|lt|gt|quot|apos));/g,
    (whole, decimal, hexadecimal, name) => {
      if (name) return five[name] ?? whole;
      const code = decimal ? Number(decimal) : Number.parseInt(hexadecimal, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

/** XML names its encoding in its first line; UTF-8 and UTF-16 are known by their bytes. */
function decodeXml(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 200)).toString('latin1');
  const named = /^<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']/i.exec(head)?.[1];
  if (named && !/^utf-?(8|16)/i.test(named)) {
    try {
      return new TextDecoder(named).decode(bytes);
    } catch {
      // A name that nobody knows: the bytes themselves are looked at.
    }
  }
  const decoded = decodeText(bytes);
  if (decoded.type === 'junk') throw new ReadingRefused('damaged', decoded.detail);
  return decoded.text;
}

function broken(what: string, at: number): ReadingRefused {
  return new ReadingRefused('damaged', `Its XML has ${what} at character ${at}.`);
}
