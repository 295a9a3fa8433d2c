import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readDocx } from '../../ingest/readers/docx.ts';
import { formatCount, numberingOf, withNumbers } from '../../ingest/readers/office/word-numbers.ts';
import { parseXml } from '../../ingest/readers/xml.ts';
import { bytesOf, dataFolder, entriesOf, hasData, zipOf } from './data.ts';

const level = (at: number, format: string, text: string, more = '') =>
  `<w:lvl w:ilvl="${at}"><w:start w:val="1"/><w:numFmt w:val="${format}"/>${more}<w:lvlText w:val="${text}"/></w:lvl>`;
const contract = `<w:abstractNum w:abstractNumId="0">${level(0, 'upperRoman', 'Article %1', '<w:pStyle w:val="Heading1"/>')}${level(1, 'decimal', '%1.%2', '<w:isLgl/>')}${level(2, 'lowerLetter', '(%3)')}</w:abstractNum>`;
const bullets = `<w:abstractNum w:abstractNumId="1">${level(0, 'bullet', 'o')}</w:abstractNum>`;
const num = (id: number, abstract: number, more = '') =>
  `<w:num w:numId="${id}"><w:abstractNumId w:val="${abstract}"/>${more}</w:num>`;
const restart = '<w:lvlOverride w:ilvl="2"><w:startOverride w:val="5"/></w:lvlOverride>';
const numberingXml = `<w:numbering xmlns:w="w">${contract}${bullets}${num(1, 0)}${num(2, 0, restart)}${num(3, 1)}</w:numbering>`;
const stylesXml =
  '<w:styles xmlns:w="w"><w:style w:styleId="Heading1"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style><w:style w:styleId="Mine"><w:basedOn w:val="Heading1"/></w:style></w:styles>';
const numbering = numberingOf(parseXml(numberingXml), parseXml(stylesXml));

const run = (text: string) => (text ? `<w:r><w:t>${text}</w:t></w:r>` : '');
const listed = (text: string, id: number, at: number, more = '') =>
  `<w:p><w:pPr>${more}<w:numPr><w:ilvl w:val="${at}"/><w:numId w:val="${id}"/></w:numPr></w:pPr>${run(text)}</w:p>`;
const styled = (text: string, style: string, more = '') =>
  `<w:p><w:pPr><w:pStyle w:val="${style}"/>${more}</w:pPr>${run(text)}</w:p>`;

/** The texts of paragraphs, numbers included. */
const shown = (...paragraphs: string[]) =>
  withNumbers(paragraphs.join(''), numbering)
    .split('</w:p>')
    .map((paragraph) => paragraph.replace(/<[^>]*>/g, ''))
    .filter((text) => text !== '');

describe('numbers that Word counts', () => {
  test('run through levels, styles and lists, and begin again under the next heading', () => {
    expect(
      shown(
        styled('Parties', 'Heading1'),
        listed('the tenant', 1, 1),
        listed('of age', 1, 2),
        listed('solvent', 1, 2),
        listed('the owner', 1, 1),
        listed('sound', 1, 2),
        styled('Rent', 'Mine'),
        listed('900 a month', 1, 1),
      ),
    ).toEqual([
      'Article I Parties',
      '1.1 the tenant',
      '(a) of age',
      '(b) solvent',
      '1.2 the owner',
      '(a) sound',
      'Article II Rent',
      '2.1 900 a month',
    ]);
  });

  test('are counted for empty paragraphs too, stand nowhere for bullets, and go where the paragraph says so', () => {
    expect(
      shown(
        listed('one', 1, 1),
        listed('', 1, 1),
        listed('three', 1, 1),
        listed('dot', 3, 0),
        styled('plain', 'Heading1', '<w:numPr><w:numId w:val="0"/></w:numPr>'),
        listed('from five', 2, 2),
        listed('six', 2, 2),
        listed('unknown', 99, 0),
      ),
    ).toEqual(['1.1 one', '1.3 three', 'dot', 'plain', '(e) from five', '(f) six', 'unknown']);
  });

  test('are those of today, not of a tracked change, and are counted once for what stands twice', () => {
    const before = '<w:pPrChange><w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:pPrChange>';
    const twice = `<mc:AlternateContent><mc:Choice>${listed('box', 1, 1)}</mc:Choice><mc:Fallback>${listed('box', 1, 1)}</mc:Fallback></mc:AlternateContent>`;
    expect(
      shown(
        `<w:p><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr>${before}</w:pPr>${run('now')}</w:p>`,
        twice,
        listed('after', 1, 1),
      ),
    ).toEqual(['1.1 now', 'box', '1.2 box', '1.3 after']);
  });

  test('leave a document without lists, and one that is no XML, as it is', () => {
    const xml = listed('a', 1, 0);
    expect(withNumbers(xml, numberingOf(undefined, undefined))).toBe(xml);
    for (const broken of [
      '<w:p><w:pPr>',
      '</w:p></w:p>',
      '<w:p><w:pPr><w:numPr><w:numId w:val="1"/></w:pPr>',
      '<<<',
      '',
    ])
      expect(withNumbers(broken, numbering)).toBe(broken);
    expect(withNumbers('<w:p '.repeat(200_000), numbering)).toHaveLength(1_000_000);
  });

  test.each([
    ['lowerRoman', 1994, 'mcmxciv'],
    ['upperRoman', 4000, '4000'],
    ['lowerLetter', 28, 'bb'],
    ['upperLetter', 26, 'Z'],
    ['decimalZero', 7, '07'],
    ['ordinal', 12, '12th'],
    ['ordinal', 23, '23rd'],
    ['chineseCountingThousand', 10, '十'],
    ['chineseCountingThousand', 21, '二十一'],
    ['chineseCounting', 105, '一百零五'],
    ['japaneseCounting', 3, '三'],
    ['decimalEnclosedCircle', 3, '③'],
    ['decimalFullWidth', 12, '１２'],
    ['none', 4, ''],
    ['something new', 4, '4'],
  ])('%s %i is %s', (format, count, text) => {
    expect(formatCount(count, format)).toBe(text);
  });

  test('stand in the text and the headings of a DOCX', async () => {
    const main = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main';
    const parts = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
    const rels = 'http://schemas.openxmlformats.org/package/2006/relationships';
    const own = (xml: string) => xml.replace('xmlns:w="w"', `xmlns:w="${main}"`);
    const body = [styled('Parties', 'Heading1'), listed('the tenant', 1, 1)].join('');
    const docx = zipOf(
      entriesOf({
        '[Content_Types].xml':
          '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        '_rels/.rels': `<Relationships xmlns="${rels}"><Relationship Id="r1" Type="${parts}/officeDocument" Target="word/document.xml"/></Relationships>`,
        'word/document.xml': `<w:document xmlns:w="${main}"><w:body>${body}</w:body></w:document>`,
        'word/_rels/document.xml.rels': `<Relationships xmlns="${rels}"><Relationship Id="r1" Type="${parts}/styles" Target="styles.xml"/></Relationships>`,
        'word/styles.xml': own(stylesXml).replace(
          'w:styleId="Heading1">',
          'w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/>',
        ),
        'word/numbering.xml': own(numberingXml),
      }),
    );
    const result = await readDocx(docx, 'a.docx');
    expect(result.type === 'read' && result.sections.map(({ text, heading }) => [heading, text])).toEqual([
      ['Article I Parties', 'Article I Parties'],
      ['Article I Parties', '1.1 the tenant'],
    ]);
  });
});

test.skipIf(!hasData)('real headings have the numbers that docling finds', async () => {
  const path = join(dataFolder, 'documents/groundtruth/docx/unit_test_headers_numbered.docx');
  const result = await readDocx(bytesOf(path), 'numbered.docx');
  const sections = result.type === 'read' ? result.sections : [];
  expect(sections.map(({ text }) => text)).toEqual(
    expect.arrayContaining([
      '1. Section 1',
      '1.2.1. Section 1.2.3',
      '2.2. Section 2.1',
      '2.3.8.3. Third sub-item at this level',
    ]),
  );
  expect(sections.find(({ text }) => text === 'Paragraph 1.2.3.1')?.heading).toBe('1.2.1. Section 1.2.3');
});
