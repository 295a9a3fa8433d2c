import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readMember } from '../../ingest/readers/read-document.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { splitSections } from '../../ingest/split.ts';
import { bytesOf, dataFolder, docxOf, entriesOf, f1OfWords, filesBelow, hasData, textOf, zipOf } from './data.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const sectionsOf = (result: ReadResult) => {
  expect(result, textOf(result)).toMatchObject({ type: 'read' });
  return result.type === 'read' ? result.sections : [];
};
const relations = (targets: Record<string, [string, string]>) =>
  `<Relationships xmlns="x">${Object.entries(targets)
    .map(([id, [type, target]]) => `<Relationship Id="${id}" Type="http://x/${type}" Target="${target}"/>`)
    .join('')}</Relationships>`;

const paragraph = (text: string) => `<a:p><a:r><a:t>${text}</a:t></a:r></a:p>`;
const shape = (text: string, role = '') =>
  `<p:sp><p:nvSpPr><p:nvPr>${role && `<p:ph type="${role}"/>`}</p:nvPr></p:nvSpPr><p:txBody>${paragraph(text)}</p:txBody></p:sp>`;
const slide = (body: string) => `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>${body}</p:spTree></p:cSld></p:sld>`;

describe('PPTX', () => {
  const deck = zipOf(
    entriesOf({
      '_rels/.rels': relations({ r1: ['officeDocument', 'ppt/presentation.xml'] }),
      'ppt/presentation.xml':
        '<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="256" r:id="r2"/><p:sldId id="257" r:id="r1"/></p:sldIdLst></p:presentation>',
      'ppt/_rels/presentation.xml.rels': relations({
        r1: ['slide', 'slides/slide1.xml'],
        r2: ['slide', '/ppt/slides/slide2.xml'],
      }),
      'ppt/slides/slide1.xml': slide(
        `${shape('Figures', 'title')}<p:graphicFrame><a:tbl><a:tblPr firstRow="1"/><a:tr><a:tc><p:txBody>${paragraph('Year')}</p:txBody></a:tc><a:tc><p:txBody>${paragraph('Sales')}</p:txBody></a:tc></a:tr><a:tr><a:tc><p:txBody>${paragraph('2024')}</p:txBody></a:tc><a:tc><p:txBody>${paragraph('17')}</p:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>`,
      )
        .replaceAll('p:txBody>', 'a:txBody>')
        .replaceAll('<a:txBody><a:p><a:r><a:t>Figures', '<p:txBody><a:p><a:r><a:t>Figures')
        .replace('Figures</a:t></a:r></a:p></a:txBody>', 'Figures</a:t></a:r></a:p></p:txBody>'),
      'ppt/slides/slide2.xml': slide(
        `${shape('Welcome', 'ctrTitle')}<p:grpSp>${shape('to the show')}</p:grpSp>${shape('7', 'sldNum')}`,
      ),
      'ppt/slides/_rels/slide2.xml.rels': relations({ r1: ['notesSlide', '../notesSlides/notesSlide1.xml'] }),
      'ppt/notesSlides/notesSlide1.xml': slide(`${shape('x', 'sldImg')}${shape('Smile.', 'body')}`),
    }),
  );

  test('gives slides in the order of the show, with title, tables and notes, and without numbers', async () => {
    const result = await readMember(deck, 'deck.pptx');
    expect(result).toMatchObject({ kind: 'pptx', title: 'Welcome', numPages: 2 });
    expect(sectionsOf(result).map(({ label, text, heading }) => [label, heading, text])).toEqual([
      ['Slide 1', 'Welcome', 'Welcome\nto the show'],
      ['Notes of slide 1', 'Welcome', 'Smile.'],
      ['Slide 2', 'Figures', 'Figures'],
      ['Slide 2', 'Figures', '2024 | 17'],
    ]);
    expect(
      splitSections(sectionsOf(result), { countTokens: (text) => text.length / 4 }).map(({ label, text }) => [
        label,
        text,
      ]),
    ).toEqual([
      ['Slide 1', 'Welcome\nto the show'],
      ['Notes of slide 1', 'Smile.'],
      ['Slide 2', 'Figures'],
      ['Slide 2', 'Year | Sales\n2024 | 17'],
    ]);
  });

  test('cut off, without slides, or encrypted ends with that reason', async () => {
    expect(await readMember(deck.slice(0, deck.length - 30), 'a.pptx')).toMatchObject({ reason: 'damaged' });
    expect(await readMember(zipOf(entriesOf({ a: 'b' })), 'a.pptx')).toMatchObject({ reason: 'damaged' });
    expect(await readMember(Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0), 'a.pptx')).toMatchObject({ reason: 'password' });
  });
});

const workbook = (sheet: string, extra: Record<string, string> = {}) =>
  zipOf(
    entriesOf({
      'xl/workbook.xml':
        '<workbook xmlns:r="r"><sheets><sheet name="Budget" sheetId="1" r:id="r1"/></sheets></workbook>',
      'xl/_rels/workbook.xml.rels': relations({
        r1: ['worksheet', 'worksheets/sheet1.xml'],
        r2: ['sharedStrings', 'sharedStrings.xml'],
        r3: ['styles', 'styles.xml'],
      }),
      'xl/styles.xml':
        '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="[$-407]d/m/yyyy &quot;h&quot;"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="9"/><xf numFmtId="20"/></cellXfs></styleSheet>',
      'xl/worksheets/sheet1.xml': `<worksheet>${sheet}</worksheet>`,
      ...extra,
    }),
  );

describe('XLSX', () => {
  test('gives rows under their header, dates as dates, and a range of cells for each chunk', async () => {
    const rows = Array.from(
      { length: 40 },
      (_, n) =>
        `<row r="${n + 4}"><c r="A${n + 4}" t="s"><v>1</v></c><c r="B${n + 4}"><v>0.30000000000000004</v></c><c r="C${n + 4}" s="1"><v>${45000 + n}</v></c><c r="D${n + 4}" s="2"><v>0.07</v></c></row>`,
    ).join('');
    const book = workbook(
      `<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>Costs of 2023</t></is></c></row><row r="3"><c r="A3" t="s"><v>0</v></c><c r="B3" t="str"><v>Cost</v></c><c r="C3" t="inlineStr"><is><t>Day</t></is></c><c r="D3" t="str"><v>Share</v></c></row>${rows}</sheetData>`,
      {
        'xl/sharedStrings.xml':
          '<sst><si><r><t>It</t></r><r><t>em</t></r><rPh sb="0" eb="1"><t>unsaid</t></rPh></si><si><t>Tea &amp; milk</t></si></sst>',
      },
    );
    const sections = sectionsOf(await readMember(book, 'costs.xlsx'));
    expect(sections[0]).toMatchObject({ text: 'Costs of 2023', label: 'Sheet Budget' });
    expect(sections[1]).toMatchObject({
      text: 'Tea & milk | 0.3 | 2023-03-15 | 7%',
      heading: 'Costs of 2023',
      row: { header: 'Item | Cost | Day | Share', cells: { first: 'A4', last: 'D4' } },
    });
    const chunks = splitSections(sections, { countTokens: (text) => Math.ceil(text.length / 4), mostTokens: 120 });
    const tables = chunks.slice(1);
    expect(tables.length).toBeGreaterThan(2);
    for (const chunk of tables) expect(chunk.text.startsWith('Item | Cost | Day | Share\nTea & milk |')).toBe(true);
    expect(tables[0]!.label).toMatch(/^Sheet Budget A4:D\d+$/);
    expect(tables.at(-1)!.label).toMatch(/^Sheet Budget A\d+:D43$/);
    expect(tables.flatMap((chunk) => chunk.text.split('\n').slice(1)).length).toBe(40);
  });

  test('keeps a merged label with each of its rows, and two tables side by side apart', async () => {
    const cell = (name: string, text: string) => `<c r="${name}" t="str"><v>${text}</v></c>`;
    const sections = sectionsOf(
      await readMember(
        workbook(
          `<sheetData><row r="1">${cell('A1', 'Region')}${cell('B1', 'Town')}${cell('D1', 'Bird')}${cell('E1', 'Count')}</row><row r="2">${cell('A2', 'North')}${cell('B2', 'Alba')}${cell('D2', 'Duck')}<c r="E2"><v>3</v></c></row><row r="3">${cell('B3', 'Bergen')}</row></sheetData><mergeCells><mergeCell ref="A2:A3"/><mergeCell ref="A1:XFD1048576"/></mergeCells>`,
        ),
        'a.xlsx',
      ),
    );
    expect(sections.map(({ text, row }) => [row?.header, text])).toEqual([
      ['Region | Town', 'North | Alba'],
      [undefined, 'North | Bergen'],
      ['Bird | Count', 'Duck | 3'],
    ]);
  });

  test('with a row a million times away, a bomb or entities of its own ends in a state', async () => {
    const far = workbook('<sheetData><row r="1048576"><c r="XFD1048576"><v>5</v></c></row></sheetData>');
    expect(textOf(await readMember(far, 'far.xlsx'))).toBe('5');
    const bomb = workbook('<sheetData></sheetData>', { 'xl/sharedStrings.xml': ' '.repeat(60e6) });
    expect(await readMember(bomb, 'bomb.xlsx')).toMatchObject({ type: 'failed', reason: 'too-large' });
    const laughs = workbook('<sheetData></sheetData>', {
      'xl/sharedStrings.xml': '<!DOCTYPE s [<!ENTITY a "b">]><sst><si><t>&a;</t></si></sst>',
    });
    expect(await readMember(laughs, 'laughs.xlsx')).toMatchObject({ type: 'failed', reason: 'damaged' });
  });
});

describe('CSV', () => {
  test('finds its separator, its header, and cells in quotes', async () => {
    const sections = sectionsOf(
      await readMember(
        bytes('\ufeffName;Born;"Said; often"\r\nAda;1815;"a ""quote""\nin two lines"\r\n\r\nAlan;1912;\r\n'),
        'p.csv',
      ),
    );
    expect(sections.map(({ text, row, label }) => [label, row?.cells, row?.header, text])).toEqual([
      ['Cells', { first: 'A2', last: 'C2' }, 'Name | Born | Said; often', 'Ada | 1815 | a "quote" in two lines'],
      ['Cells', { first: 'A4', last: 'C4' }, undefined, 'Alan | 1912'],
    ]);
  });

  test('without a header has rows alone, with tabs is a TSV', async () => {
    expect(textOf(await readMember(bytes('1,2\n3,4\n'), 'n.csv'))).toBe('1 | 2\n3 | 4');
    expect(textOf(await readMember(bytes('Name\tAge\nAda, Countess\t36\n'), 'n.tsv'))).toBe(
      'Name | Age\nAda, Countess | 36',
    );
  });
});

const open = (mimetype: string, body: string) =>
  zipOf(
    entriesOf({
      mimetype: `application/vnd.oasis.opendocument.${mimetype}`,
      'content.xml': `<office:document-content xmlns:office="o" xmlns:text="t" xmlns:table="b" xmlns:draw="d" xmlns:presentation="p"><office:body>${body}</office:body></office:document-content>`,
    }),
  );

describe('OpenDocument', () => {
  test('ODT: paragraphs under headings; struck changes and comments are left out', async () => {
    const result = await readMember(
      open(
        'text',
        '<office:text><text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Ducks</text:h><text:p>They<text:s text:c="2"/>swim<text:line-break/>well.<office:annotation><text:p>really?</text:p></office:annotation><text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p></text:note-body></text:note></text:p><text:list><text:list-item><text:p>One</text:p></text:list-item></text:list></office:text>',
      ),
      'a.odt',
    );
    expect(result).toMatchObject({ kind: 'odt', title: 'Ducks' });
    expect(textOf(result)).toBe('Ducks\nThey  swim\nwell.\nA note.\nOne');
  });

  test('ODS: repeated rows and cells are believed within reason', async () => {
    const cell = (text: string, repeats = 1) =>
      `<table:table-cell table:number-columns-repeated="${repeats}">${text && `<text:p>${text}</text:p>`}</table:table-cell>`;
    const sections = sectionsOf(
      await readMember(
        open(
          'spreadsheet',
          `<office:spreadsheet><table:table table:name="Plan"><table:table-row>${cell('Name')}${cell('Sum')}</table:table-row><table:table-row table:number-rows-repeated="2">${cell('tea')}${cell('5')}</table:table-row><table:table-row table:number-rows-repeated="1048000">${cell('', 16384)}</table:table-row><table:table-row>${cell('', 2)}${cell('far')}</table:table-row></table:table></office:spreadsheet>`,
        ),
        'a.ods',
      ),
    );
    expect(sections.map(({ text, row }) => [row?.cells?.first, text])).toEqual([
      ['A2', 'tea | 5'],
      ['A3', 'tea | 5'],
      ['C1048004', 'far'],
    ]);
  });

  test('ODP: slides with titles and notes', async () => {
    const result = await readMember(
      open(
        'presentation',
        '<office:presentation><draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>Top</text:p></draw:text-box></draw:frame><draw:frame><draw:text-box><text:list><text:list-item><text:p>Point</text:p></text:list-item></text:list></draw:text-box></draw:frame><presentation:notes><text:p>Say it.</text:p></presentation:notes></draw:page></office:presentation>',
      ),
      'a.odp',
    );
    expect(sectionsOf(result).map(({ label, heading, text }) => [label, heading, text])).toEqual([
      ['Slide 1', 'Top', 'Top\nPoint'],
      ['Notes of slide 1', 'Top', 'Say it.'],
    ]);
  });
});

describe('RTF', () => {
  test('gives paragraphs in any of its encodings, and nothing of fonts, pictures and fields', async () => {
    const source = String.raw`{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Cyr;}}{\info{\title A \'e9tude}{\author X}}{\*\generator G;}{\pict\pngblip 89504e47}\f0 Caf\'e9 \u8364?5\par {\f1\'cf\'f0\'e8}\'e9\par{\field{\*\fldinst HYPERLINK "x"}{\fldrslt a link}} \{braces\}\par\trowd Name\cell Age\cell\row Ada\cell 36\cell\row\pard end}`;
    const result = await readMember(new Uint8Array(Buffer.from(source, 'latin1')), 'a.rtf');
    expect(result).toMatchObject({ kind: 'rtf', title: 'A étude' });
    expect(textOf(result)).toBe('Café €5\nПриé\na link {braces}\nName | Age\nAda | 36\nend');
  });
});

describe('DOCX', () => {
  test('headers, footers and charts are read after the text, each once', async () => {
    const part = (text: string) => `<w:hdr xmlns:w="w"><w:p><w:r><w:t>${text}</w:t></w:r></w:p></w:hdr>`;
    const result = await readMember(
      docxOf(
        ['Body.'],
        entriesOf({
          'word/header1.xml': part('Acme, confidential'),
          'word/header2.xml': part('Acme, confidential'),
          'word/footer1.xml': part('12'),
          'word/header3.xml': '<broken',
          'word/charts/chart1.xml':
            '<c:chartSpace xmlns:c="c"><c:ser><c:tx><c:v>Sales</c:v></c:tx><c:cat><c:v>2023</c:v></c:cat><c:val><c:v>4.5</c:v></c:val></c:ser></c:chartSpace>',
        }),
      ),
      'a.docx',
    );
    expect(sectionsOf(result).map(({ label, text }) => [label, text])).toEqual([
      [undefined, 'Body.'],
      ['Page header', 'Acme, confidential'],
      ['Chart', 'Sales\n2023 | 4.5'],
    ]);
  });
});

describe.skipIf(!hasData)('real office files', () => {
  const expected = (path: string) =>
    new TextDecoder()
      .decode(bytesOf(`${path}.md`))
      .replace(/<!--.*?-->/gs, ' ')
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/^(?:\s*\d+\.|#+ [\d.]+) /gm, '')
      .replace(/&amp;/g, '&');
  /** docling writes a sheet's name above its tables; here it is each row's heading and the place it is shown with. */
  const withHeadings = (result: ReadResult) => {
    const sections = result.type === 'read' ? result.sections : [];
    const text = textOf(result);
    const headings = sections.map(({ heading }) => heading ?? '').filter((heading) => !text.includes(heading));
    const isBook = result.kind === 'xlsx'; // docling names the sheets of no other kind
    const sheets = !isBook ? [] : sections.flatMap(({ label }) => /^Sheet (.*)$/.exec(label ?? '')?.[1] ?? []);
    return [...new Set([...headings, ...sheets]), text].join('\n');
  };

  test.each([
    // docling leaves notes and hidden sheets out, and of a thread's comments keeps the last.
    ['pptx', 0.92, 0.97],
    ['xlsx', 0.84, 0.95],
    ['odf', 1, 1],
    ['webvtt', 1, 1],
    ['docx', 0.82, 0.96],
    ['html', 0.9, 0.98],
  ])('%s: word F1 against docling, at least %f each and %f in the mean', async (kind, least, mean) => {
    const scores: Record<string, number> = {};
    for (const truth of filesBelow(join(dataFolder, 'documents/groundtruth', kind))) {
      const path = truth.replace(/\.md$/, '');
      if (!truth.endsWith('.md') || !filesBelow(join(path, '..')).includes(path)) continue;
      scores[path.split('/').at(-1)!] = f1OfWords(
        expected(path),
        withHeadings(await readMember(bytesOf(path), path.split('/').at(-1)!)),
      );
    }
    const values = Object.values(scores);
    expect(values.length).toBeGreaterThan(0);
    expect(Math.min(...values), JSON.stringify(scores)).toBeGreaterThanOrEqual(least);
    expect(
      values.reduce((sum, score) => sum + score, 0) / values.length,
      JSON.stringify(scores),
    ).toBeGreaterThanOrEqual(mean);
  });

  test('every file of the corpora ends in a state, most of them with text', { timeout: 120_000 }, async () => {
    const paths = filesBelow(join(dataFolder, 'documents/office')).filter((path) =>
      /\.(pptx|xlsx|epub|csv)$/.test(path),
    );
    const reasons: Record<string, string[]> = {};
    for (const path of paths) {
      const result = await readMember(bytesOf(path), path.split('/').at(-1)!);
      const end = result.type === 'read' ? 'read' : result.reason;
      reasons[end] = [...(reasons[end] ?? []), path.split('/').at(-1)!];
    }
    expect(paths.length).toBeGreaterThan(60);
    expect(Object.keys(reasons).filter((end) => !['read', 'no-text', 'damaged', 'password'].includes(end))).toEqual([]);
    // One workbook defines entities of its own, a billion laughs.
    expect(reasons.damaged).toEqual(['54764.xlsx']);
    expect(reasons.read!.length).toBeGreaterThan(55);
  });
});
