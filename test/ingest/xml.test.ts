import { describe, expect, test } from 'vitest';
import { ReadingRefused } from '../../ingest/readers/refusal.ts';
import { parseXml, textBelow, xmlEvents } from '../../ingest/readers/xml.ts';

describe('the XML parser', () => {
  test('gives names without prefixes, attributes with theirs, and text with the five entities', () => {
    const root = parseXml(
      '<?xml version="1.0"?><!DOCTYPE r SYSTEM "x.dtd"><!-- no --><p:r a="1 &lt; 2" p:id=\'x\'>A&amp;B <e/><![CDATA[<raw>]]>&#x41;&#66;&unknown;</p:r>\n',
    );
    expect(root.name).toBe('r');
    expect([...root.attributes]).toEqual([
      ['a', '1 < 2'],
      ['p:id', 'x'],
    ]);
    expect(textBelow(root)).toBe('A&B <raw>AB&unknown;');
  });

  test.each([
    ['text outside of the root', 'x<a/>'],
    ['two roots', '<a/><b/>'],
    ['an end that was not open', '<a></b>'],
    ['no end', '<a><b></b>'],
    ['nothing', ''],
    ['an attribute without a value', '<a b/>'],
    ['an attribute without quotes', '<a b=c/>'],
    ['an attribute twice', '<a b="1" b="2"/>'],
    ['an unfinished element', '<a b="1'],
    ['an unfinished comment', '<a><!-- </a>'],
    [
      'entities of its own (a billion laughs)',
      '<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><l>&b;</l>',
    ],
    ['an entity from outside', '<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>'],
    ['more than 256 levels', '<a>'.repeat(257) + '</a>'.repeat(257)],
    ['more than 1,024 attributes', `<a ${Array.from({ length: 1025 }, (_, n) => `b${n}=""`).join(' ')}/>`],
  ])('refuses %s', (_what, source) => {
    expect(() => [...xmlEvents(source)]).toThrow(ReadingRefused);
  });

  test('takes what stands at its limits', () => {
    expect(textBelow(parseXml(`${'<a>'.repeat(256)}x${'</a>'.repeat(256)}`))).toBe('x');
    const most = parseXml(`<a ${Array.from({ length: 1024 }, (_, n) => `b${n}=""`).join(' ')}/>`);
    expect(most.attributes.size).toBe(1024);
    expect(() => parseXml('<a>12345678</a>', { depth: 9, attributes: 9, characters: 10, elements: 9 })).toThrow(/15/);
    expect(() => parseXml('<a><b/><b/></a>', { depth: 9, attributes: 9, characters: 99, elements: 2 })).toThrow(/many/);
  });

  test('reads the encoding that the document names', () => {
    const latin = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>caf\xe9</a>', 'latin1');
    expect(textBelow(parseXml(new Uint8Array(latin)))).toBe('café');
    expect(textBelow(parseXml(new Uint8Array(Buffer.from('\ufeff<a>日本</a>', 'utf16le'))))).toBe('日本');
  });
});
