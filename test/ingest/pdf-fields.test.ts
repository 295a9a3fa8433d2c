import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPdf } from '../../ingest/readers/pdf.ts';
import { type Field, fieldsOf, placeFields } from '../../ingest/readers/pdf-fields.ts';
import { letterOfGlyph } from '../../ingest/readers/pdf-glyphs.ts';
import { linesOfPage, type PdfItem } from '../../ingest/readers/pdf-lines.ts';
import { readPdfWords } from '../../ingest/readers/pdf-words.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { bytesOf, dataFolder, hasData, textOf } from './data.ts';

/** A PDF of one page with the objects given, from number 5; `page` goes into the page's dictionary, `catalog` into the root's. */
function pdfWith(content: string, objects: string[], page: string, catalog = ''): Uint8Array {
  const all = [
    `<< /Type /Catalog /Pages 2 0 R ${catalog} >>`,
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R ${page} >>`,
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    ...objects,
  ];
  let file = '%PDF-1.5\n';
  const offsets = all.map((object, index) => {
    const at = file.length;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return at;
  });
  const at = file.length;
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  file += `xref\n0 ${all.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${all.length + 1} /Root 1 0 R >>\nstartxref\n${at}\n%%EOF\n`;
  return new TextEncoder().encode(file);
}

const helvetica = '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>';
const said = (text: string, x: number, y: number) => `BT /F1 10 Tf ${x} ${y} Td (${text}) Tj ET`;
const field = (name: string, rect: string, facts: string) =>
  `<< /Type /Annot /Subtype /Widget /F 4 /T (${name}) /Rect [${rect}] ${facts} >>`;
const linesOf = (result: ReadResult) => textOf(result).split(/\n+/);

describe('a form', () => {
  const fields = [
    field('name', '150 695 300 712', '/FT /Tx /V (Luc\\355a)'),
    field('country', '150 675 300 692', '/FT /Ch /Ff 131072 /V (es) /Opt [[(es) (Spain)] [(it) (Italy)]]'),
    field('married', '100 655 112 667', '/FT /Btn /V /Yes /AS /Yes /AP << /N << /Yes 5 0 R /Off 5 0 R >> >>'),
    field('abroad', '200 655 212 667', '/FT /Btn /V /Off /AS /Off /AP << /N << /Yes 5 0 R /Off 5 0 R >> >>'),
    field('secret', '150 635 300 652', '/FT /Tx /Ff 8192 /V (hunter2)'),
    field('hidden', '150 615 300 632', '/FT /Tx /F 2 /V (unseen)'),
    field('remarks', '100 540 400 600', '/FT /Tx /Ff 4096 /V (First line\\nSecond line)'),
    field('nowhere', '500 50 600 60', '/FT /Tx /V (Alone)'),
  ].map((one) => one.replace('/F 4 /T (hidden)', '/T (hidden)'));
  const kids = fields.map((_, index) => `${7 + index} 0 R`).join(' ');
  const content = [
    said('Name:', 100, 700),
    said('Country: ............................', 100, 680),
    said('Married', 116, 658),
    said('Living abroad', 216, 658),
    said('Password:', 100, 640),
    said('Remarks', 100, 605),
    said('End of the form.', 100, 500),
  ].join('\n');
  const empty = '<< /Type /XObject /Subtype /Form /BBox [0 0 10 10] /Length 0 >>\nstream\n\nendstream';
  const form = () =>
    pdfWith(
      content,
      [empty, helvetica, ...fields],
      `/Resources << /Font << /F1 6 0 R >> >> /Annots [${kids}]`,
      `/AcroForm << /Fields [${kids}] >>`,
    );

  test('is read with what was typed behind its labels and ticks before theirs; passwords and what is hidden are not', async () => {
    expect(linesOf(await readPdf(form(), 'form.pdf'))).toEqual([
      'Name: Lucía',
      'Country: ............................ Spain',
      '☑ Married ☐ Living abroad',
      'Password:',
      'Remarks',
      'First line',
      'Second line',
      'End of the form.',
      'Alone',
    ]);
  });

  test('has boxes for what was typed, where it was typed', async () => {
    const result = await readPdfWords(form(), [1]);
    const words = result.type === 'read' ? (result.scannedPages?.[0]?.words ?? []) : [];
    const [left, top, right, bottom] = words.find(({ text }) => text === 'Lucía')!.box;
    expect(left).toBeGreaterThanOrEqual(150);
    expect(right).toBeLessThanOrEqual(300);
    expect(top).toBeGreaterThan(792 - 715);
    expect(bottom).toBeLessThan(792 - 690);
    expect(words.map(({ text }) => text).join(' ')).toContain('Name: Lucía Country:');
  });
});

describe('fields among the words of a page', () => {
  const word = (str: string, x: number, y: number, hasEOL = false): PdfItem => {
    return { str, transform: [10, 0, 0, 10, x, y], width: str.length * 5, height: 10, hasEOL, fontName: 'f' };
  };
  const typed = (text: string, place: Field['place'], isBox = false): Field => ({ texts: [text], place, isBox });
  const lines = (items: PdfItem[], fields: Field[]) => linesOfPage(placeFields(items, fields)).map(({ text }) => text);

  test('stand below their label where none is beside them, behind all of its line', () => {
    const items = [word('First name', 0, 100), word('Last name', 200, 100, true), word('Next', 0, 40, true)];
    expect(lines(items, [typed('Ada', [0, 75, 100, 90]), typed('Lovelace', [200, 75, 300, 90])])).toEqual([
      'First name Last name',
      'Ada',
      'Lovelace',
      'Next',
    ]);
  });

  test('keep apart from words that fill their gap, and from turned ones', () => {
    const turned: PdfItem = { ...word('Form 7', 500, 100), transform: [0, 10, -10, 0, 500, 100] } as PdfItem;
    expect(lines([word('Name: ____', 0, 100, true), turned], [typed('Ada', [30, 98, 90, 110])])).toEqual([
      'Name: ____ Ada',
      'Form 7',
    ]);
  });

  test('say nothing where a file says nonsense', () => {
    const nonsense = [null, 7, {}, { rect: [1, 2] }, { rect: [0, 0, Number.NaN, 1], subtype: 'Widget' }];
    expect(fieldsOf(nonsense)).toEqual({ fields: [], drawn: new Map() });
    const rect = [0, 0, 1, 1];
    for (const fieldValue of [undefined, null, 5, {}, [[]], [null]])
      for (const fieldType of ['Tx', 'Ch', 'Btn', 'Sig', 'Zz', undefined])
        expect(fieldsOf([{ rect, subtype: 'Widget', fieldType, fieldValue, options: 'x' }]).fields).toEqual([]);
  });
});

test('a signature is read from its drawing', async () => {
  const drawing = 'BT /F1 8 Tf 2 20 Td (Signed by Ada) Tj 0 -10 Td (on 2024-05-01) Tj ET';
  const appearance = `<< /Type /XObject /Subtype /Form /BBox [0 0 150 40] /Resources << /Font << /F1 5 0 R >> >> /Length ${drawing.length} >>\nstream\n${drawing}\nendstream`;
  const signature = field('s', '100 600 250 640', '/FT /Sig /AP << /N 6 0 R >>');
  const file = pdfWith(
    said('Signature', 100, 650),
    [helvetica, appearance, signature],
    '/Resources << /Font << /F1 5 0 R >> >> /Annots [7 0 R]',
    '/AcroForm << /Fields [7 0 R] >>',
  );
  expect(linesOf(await readPdf(file, 'signed.pdf'))).toEqual(['Signature', 'Signed by Ada', 'on 2024-05-01']);
});

test('figures whose glyphs have a name and no place in Unicode are read', async () => {
  const widths = `/FirstChar 32 /LastChar 132 /Widths [${'500 '.repeat(101)}]`;
  const names = '/Differences [128 /zero.os /one.os /two.os 131 /oneoldstyle /Asmall]';
  const font = `<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica ${widths} /Encoding << /Type /Encoding ${names} >> >>`;
  const file = pdfWith(
    'BT /F1 10 Tf 100 700 Td (In the year \\202\\200\\201\\202 and Section \\203, \\204bc) Tj ET',
    [font],
    '/Resources << /Font << /F1 5 0 R >> >>',
  );
  expect(textOf(await readPdf(file, 'old.pdf'))).toBe('In the year 2012 and Section 1, abc');
  expect(
    ['one.oldstyle', 'f_f_i', 'uni20AC', 'u1F600', 'eacute.sc', 'threesuperior', 'g123', ''].map(letterOfGlyph),
  ).toEqual(['1', 'ffi', '€', '😀', 'é', '3', '', '']);
});

test.skipIf(!hasData)('real forms and a real signature say what poppler finds in them', async () => {
  const read = (name: string) => readPdf(bytesOf(join(dataFolder, 'documents/pdf/pdfjs', name)), name);
  const form = textOf(await read('issue17492.pdf'));
  for (const line of ['First name: Lucía', 'Country: Spain', '☐ TypeScript ☑ JavaScript ☑ Java ☐ C#', '☑ Oracle'])
    expect(form).toContain(line);
  expect(textOf(await read('bug854315.pdf'))).toContain('Paul Frey (Qualified');
  expect(textOf(await read('issue10640.pdf'))).toContain('November 3, 2011');
});
