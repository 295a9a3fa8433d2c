import { describe, expect, test } from 'vitest';
import { decideKind } from '../../ingest/readers/kind.ts';
import { readMember } from '../../ingest/readers/read-document.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { compoundOf } from './compound-of.ts';
import { textOf } from './data.ts';

const bytes = (...values: number[]) => Buffer.from(values);
const u16 = (...values: number[]) => Buffer.from(Uint16Array.from(values).buffer);
const u32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
const f64 = (value: number) => Buffer.from(Float64Array.of(value).buffer);
const record = (type: number, ...parts: Buffer[]) => {
  const data = Buffer.concat(parts);
  return Buffer.concat([u16(type, data.length), data]);
};
const begin = (kind: number, version = 0x600) => record(0x809, u16(version, kind, 0, 0), u32(0, 0));
const end = record(0x0a);
/** A string's letters with their flags: one byte each, or two where one needs them. */
const letters = (text: string) => {
  const isWide = [...text].some((letter) => letter.charCodeAt(0) > 255);
  return Buffer.concat([bytes(isWide ? 1 : 0), Buffer.from(text, isWide ? 'utf16le' : 'latin1')]);
};
const string = (text: string) => Buffer.concat([u16(text.length), letters(text)]);

/** A book of one sheet and one chart, whose offsets are filled in. */
function bookOf(globals: Buffer[], cells: Buffer[], version = 0x600): Uint8Array {
  const named = (offset: number, type: number, name: string) =>
    record(0x85, u32(offset), bytes(0, type, name.length), letters(name));
  const head = (offset: number) => [
    begin(5, version),
    ...globals,
    named(offset, 0, '予算'),
    named(offset, 2, 'Chart'),
    end,
  ];
  const offset = Buffer.concat(head(0)).length;
  return compoundOf([['Workbook', Buffer.concat([...head(offset), begin(16, version), ...cells, end])]]);
}

const style = (format: number) => record(0xe0, u16(0, format), Buffer.alloc(16));
const styles = [record(0x41e, u16(164), string('#,##0.00\\ "€"')), ...[0, 164, 9, 14].map(style)];
/** The second string is cut by a record's end within its letters, from which on they have two bytes; the third is in two colours. */
const strings = [
  record(0xfc, u32(5, 4), string('Item'), u16(9), bytes(0), Buffer.from('Cle')),
  record(
    0x3c,
    bytes(1),
    Buffer.from('aning…', 'utf16le'),
    u16(4),
    bytes(8),
    u16(2),
    Buffer.from('Rent'),
    u32(1, 2),
    string('Ünit'),
  ),
];
const text = (row: number, column: number, index: number) => record(0xfd, u16(row, column, 0), u32(index));
const number = (row: number, column: number, xf: number, value: number) =>
  record(0x203, u16(row, column, xf), f64(value));

const sheet = [
  text(0, 0, 0),
  text(0, 1, 3),
  record(0x204, u16(0, 2, 0), string('Share')),
  text(1, 0, 1),
  number(1, 1, 1, 1234.5),
  record(0x27e, u16(1, 2, 2), u32(((25 << 2) | 3) >>> 0)), // 25 hundredths
  text(2, 0, 2),
  // A formula with a number, and one with a text in the next record.
  record(0x06, u16(2, 1, 1), f64(-900), u16(0), u32(0), u16(0)),
  record(0x06, u16(2, 2, 0), bytes(0, 0, 0, 0, 0, 0, 0xff, 0xff), u16(0), u32(0), u16(0)),
  record(0x207, string('none')),
  // A chart in the sheet brings records of its own.
  begin(32),
  number(0, 0, 0, 77),
  end,
  record(0xbd, u16(3, 1), u16(3), u32((45000 << 2) | 2), u16(0), u32(((-7 << 2) | 2) >>> 0), u16(2)),
  record(0x205, u16(4, 1, 0), bytes(1, 0)),
  record(0x205, u16(4, 2, 0), bytes(7, 1)),
];
const rowsOf = (result: ReadResult) => textOf(result).split('\n');

describe('XLS', () => {
  const book = bookOf([...styles, ...strings], sheet);

  test('is read as its sheets show it: texts, prices, shares, dates, results of formulas', async () => {
    const result = await readMember(book, 'budget.xls');
    expect(rowsOf(result)).toEqual([
      'Item | Ünit | Share',
      'Cleaning… | 1,234.50 € | 25%',
      'Rent | -900.00 € | none',
      ' | 2023-03-15 | -7',
      ' | TRUE | #DIV/0!',
    ]);
    expect(result.type === 'read' && result.sections[0]).toMatchObject({
      label: 'Sheet 予算',
      row: { cells: { first: 'A2', last: 'C2' } },
    });
  });

  test('that is encrypted, of Excel 95, or none of Excel ends with that reason', async () => {
    const end = async (file: Uint8Array) => {
      const result = await readMember(file, 'a.xls');
      return result.type === 'failed' ? result.reason : 'read';
    };
    expect(await end(bookOf([record(0x2f, u16(1))], sheet))).toBe('password');
    expect(await end(bookOf([], sheet, 0x500))).toBe('unsupported');
    expect(await end(compoundOf([['WordDocument', bytes(1)]]))).toBe('unsupported');
    expect(await end(compoundOf([['EncryptedPackage', bytes(1)]]))).toBe('password');
    expect(await end(bookOf([], []))).toBe('no-text');
  });

  test('with any byte changed ends in a state', async () => {
    for (let at = 0; at < book.length; at += 3) {
      const changed = Uint8Array.from(book);
      changed[at] = changed[at]! ^ 0xff;
      expect(['read', 'failed']).toContain((await readMember(changed, 'a.xls')).type);
    }
  });

  test('that is a page or a list under that name is read as what it is', () => {
    const kind = (said: string) => decideKind(new TextEncoder().encode(said), 'report.xls');
    expect(kind('<html><table><tr><td>1</td></tr></table></html>')).toMatchObject({ kind: 'html' });
    expect(kind('<?xml version="1.0"?><Workbook/>')).toMatchObject({ kind: 'xml' });
    expect(kind('Name\tPrice\nPen\t2')).toMatchObject({ kind: 'csv' });
    expect(kind('PK\x03\x04')).toMatchObject({ kind: 'xlsx' });
  });
});
