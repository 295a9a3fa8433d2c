import { describe, expect, test } from 'vitest';
import { compileFormat } from '../../ingest/readers/office/format-code.ts';
import { readMember } from '../../ingest/readers/read-document.ts';
import { entriesOf, textOf, zipOf } from './data.ts';

const accounting = '_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)';

describe('a number in a format is shown as a sheet shows it', () => {
  test.each([
    ['#,##0.00', 1234567.891, '1,234,567.89'],
    ['#,##0', 0, '0'],
    ['#,##0', 999, '999'],
    ['0.00', 1.005, '1.01'],
    ['0.00', -0.001, '0.00'],
    ['0.###', 2, '2'],
    ['#.##', 0.5, '.5'],
    ['00000', 123, '00123'],
    ['000-00-0000', 123456789, '123-45-6789'],
    ['0.0%', 0.1234, '12.3%'],
    ['0%', -0.5, '-50%'],
    ['0.00E+00', 12345.678, '1.23E+04'],
    ['0.0E+0', 0.00012, '1.2E-4'],
    ['#,##0.00 "€"', -1234.5, '-1,234.50 €'],
    ['#,##0.00\\ [$€-407]', 1234.5, '1,234.50 €'],
    ['[$CHF-807] #,##0.00;[Red]-[$CHF-807] #,##0.00', -5, '-CHF 5.00'],
    ['¥#,##0', 1200, '¥1,200'],
    [accounting, 1234.5, '$1,234.50'],
    [accounting, -1234.5, '$(1,234.50)'],
    [accounting, 0, '$-'],
    ['#,##0,,"M"', 12345678, '12M'],
    ['0.0,"k"', 1234, '1.2k'],
    ['0 "kg"', 3.6, '4 kg'],
    ['[<1000]0;[>=1000]#,##0,"K"', 12, '12'],
    ['[<1000]0;[>=1000]#,##0,"K"', 45678, '46K'],
    ['General" pts"', 12.5, '12.5 pts'],
    ['0', 1e21, '1e+21'],
    [';;;', 5, ''],
  ])('%s: %d → %s', (code, value, shown) => {
    expect(compileFormat(code)?.(value)).toBe(shown);
  });

  test('what is no format of numbers is none', () => {
    expect(compileFormat('# ?/?')).toBeNull();
    expect(compileFormat('0'.repeat(300))).toBeNull();
    for (const code of ['', ';', '"', '[', '\\', '_', '*', '[<]0', '0;0;0;0;0', '....', ',,,', '%%%', 'E+', '[$', '@'])
      for (const value of [0, 1.5, -1e300, 5e-324]) expect(typeof (compileFormat(code)?.(value) ?? '')).toBe('string');
  });
});

test('an XLSX shows prices, shares and hidden numbers', async () => {
  const relations = (targets: [string, string, string][]) =>
    `<Relationships xmlns="x">${targets.map(([id, type, target]) => `<Relationship Id="${id}" Type="http://x/${type}" Target="${target}"/>`).join('')}</Relationships>`;
  const cell = (name: string, style: number, value: number) => `<c r="${name}" s="${style}"><v>${value}</v></c>`;
  const book = zipOf(
    entriesOf({
      '_rels/.rels': relations([['r1', 'officeDocument', 'xl/workbook.xml']]),
      'xl/workbook.xml':
        '<workbook xmlns:r="r"><sheets><sheet name="Prices" sheetId="1" r:id="r1"/></sheets></workbook>',
      'xl/_rels/workbook.xml.rels': relations([
        ['r1', 'worksheet', 'worksheets/sheet1.xml'],
        ['r2', 'styles', 'styles.xml'],
      ]),
      'xl/styles.xml':
        '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="#,##0.00\\ &quot;€&quot;"/><numFmt numFmtId="165" formatCode=";;;"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="10"/><xf numFmtId="165"/><xf numFmtId="3"/><xf numFmtId="39"/></cellXfs></styleSheet>',
      'xl/worksheets/sheet1.xml': `<worksheet><sheetData><row r="1">${cell('A1', 0, 0.1 + 0.2)}${cell('B1', 1, 1234.5)}${cell('C1', 2, 0.12345)}${cell('D1', 3, 7)}${cell('E1', 4, 1e6)}${cell('F1', 5, -2.5)}</row></sheetData></worksheet>`,
    }),
  );
  expect(textOf(await readMember(book, 'prices.xlsx'))).toBe('0.3 | 1,234.50 € | 12.35% | 7 | 1,000,000 | (2.50)');
});
