/** How a sheet shows a number: with its currency, its thousands, as many decimals as it has there; dates are numbers too. */
import { attributeOf, childrenOf, elementAt, type XmlElement } from '../xml.ts';
import { compileFormat, type FormatCode, plain } from './format-code.ts';

export type NumberFormats = {
  /** A stored number as a person sees it: 1234.5 → "1,234.50 €", 0.25 → "25%"; a date so that it can be taken for no other: 2023-03-15. */
  show(value: string, style: number): string;
};

/** Codes that every program knows by number (ECMA-376 part 1, 18.8.30); those for money follow the system's country. */
const known: Record<number, string> = {
  1: '0', 2: '0.00', 3: '#,##0', 4: '#,##0.00', 5: '$#,##0;-$#,##0', 6: '$#,##0;-$#,##0', 7: '$#,##0.00;-$#,##0.00',
  8: '$#,##0.00;-$#,##0.00', 9: '0%', 10: '0.00%', 11: '0.00E+00', 37: '#,##0;(#,##0)', 38: '#,##0;(#,##0)',
  39: '#,##0.00;(#,##0.00)', 40: '#,##0.00;(#,##0.00)', 41: '#,##0;(#,##0);"-"', 42: '$#,##0;$(#,##0);$"-"',
  43: '#,##0.00;(#,##0.00);"-"', 44: '$#,##0.00;$(#,##0.00);$"-"', 48: '##0.0E+0',
}; // biome-ignore format: a table

/** The formats that an XLSX's part of styles names. */
export function numberFormatsOf(styles: XmlElement | undefined, is1904: boolean): NumberFormats {
  const codes = new Map<number, string>();
  for (const format of childrenOf(elementAt(styles, 'numFmts'), 'numFmt'))
    codes.set(Number(attributeOf(format, 'numFmtId')), attributeOf(format, 'formatCode') ?? '');
  const formatOfStyle = childrenOf(elementAt(styles, 'cellXfs'), 'xf').map((style) =>
    Number(attributeOf(style, 'numFmtId') ?? 0),
  );
  return createNumberFormats(codes, formatOfStyle, is1904);
}

/** `codes`: the file's own by their numbers. `formatOfStyle`: the number of the format of each style. */
export function createNumberFormats(
  codes: ReadonlyMap<number, string>,
  formatOfStyle: readonly number[],
  is1904: boolean,
): NumberFormats {
  const compiled = new Map<number, FormatCode | 'date' | null>();
  const formats = formatOfStyle.map((id) => {
    if (!compiled.has(id)) compiled.set(id, formatOf(id, codes.get(id)));
    return compiled.get(id) ?? null;
  });
  return {
    show(value, style) {
      const number = Number(value);
      if (value.trim() === '' || !Number.isFinite(number)) return value;
      const format = formats[style] ?? null;
      if (format === 'date') return dateOf(number, is1904) ?? value;
      // A format may hide a number (";;;"): it is in the sheet all the same, for who clicks on it.
      return format?.(number) || plain(number);
    },
  };
}

function formatOf(id: number, code: string | undefined): FormatCode | 'date' | null {
  if (code === undefined) {
    const isDate = (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) || (id >= 50 && id <= 58);
    return isDate ? 'date' : known[id] === undefined ? null : compileFormat(known[id]);
  }
  // Words in quotes, colours and locales in brackets, and escaped letters say nothing of the meaning.
  const bare = code.replace(/"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]/gi, '');
  if (/general/i.test(bare)) return /^general$/i.test(code) ? null : compileFormat(code);
  if (/[ymdhs]/i.test(bare)) return 'date';
  return /[0#?]/.test(bare) ? compileFormat(code) : null;
}

/** Days since 1899-12-30, or since 1904-01-01; Excel counts a 29th of February 1900 that never was. */
function dateOf(serial: number, is1904: boolean): string | null {
  if (serial < 0 || serial > 2_958_466) return null;
  const days = is1904 ? serial + 1462 : serial < 60 ? serial + 1 : serial;
  const seconds = Math.round((days - 25_569) * 86_400);
  const iso = new Date(seconds * 1000).toISOString();
  const time = iso.slice(17, 19) === '00' ? iso.slice(11, 16) : iso.slice(11, 19);
  if (serial < 1) return time;
  return time === '00:00' ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${time}`;
}
