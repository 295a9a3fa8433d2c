/** XML of any kind: bytes → numbered paragraphs. Records of simple fields keep their fields' names. */
import type { ReadResult } from '../source.ts';
import { ReadingRefused } from './refusal.ts';
import { createParagraphs, oneLine, titleFromName } from './sections.ts';
import { childrenOf, parseXml, textBelow, type XmlElement } from './xml.ts';

export function readXmlDocument(bytes: Uint8Array, name: string): ReadResult {
  const root = parseXml(bytes);
  const paragraphs = createParagraphs();
  let title = '';
  const walk = (element: XmlElement) => {
    const own = element.children.some((child) => typeof child === 'string' && child.trim() !== '');
    const children = childrenOf(element);
    if (own) {
      const text = textBelow(element);
      if (/^(title|head|heading|h[1-6])$/i.test(element.name)) {
        title ||= oneLine(text);
        paragraphs.startHeading(text);
      } else paragraphs.add(text.replace(/[^\S\n]+/g, ' ').replace(/\s*\n\s*/g, '\n'));
    } else if (
      children.length > 1 &&
      children.every(isField) &&
      new Set(children.map((child) => child.name)).size > 1
    ) {
      const lines = children.flatMap((child) => {
        const text = oneLine(textBelow(child));
        return text ? [`${child.name}: ${text}`] : [];
      });
      paragraphs.add(lines.join('\n'));
    } else for (const child of children) walk(child);
  };
  walk(root);
  if (paragraphs.sections.length === 0) throw new ReadingRefused('no-text', 'It holds no text.');
  return {
    type: 'read',
    kind: 'xml',
    title: title.slice(0, 200) || titleFromName(name),
    numPages: null,
    sections: paragraphs.sections,
  };
}

/** A name and a short value, with nothing inside. */
function isField(element: XmlElement): boolean {
  return childrenOf(element).length === 0 && textBelow(element).length <= 300;
}
