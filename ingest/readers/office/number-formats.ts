/** How a sheet shows a number: dates are numbers with a format, and so are percentages. */
import { attributeOf, childrenOf, elementAt, type XmlElement } from '../xml.ts';

export type NumberFormats = {
  /** A stored number as a person sees it, as far as its meaning goes: 45000 → 2023-03-15, 0.25 → 25%. */
  show(value: string, style: number): string;
};

type Meaning = 'number' | 'percent' | 'date';

export function createNumberFormats(styles: XmlElement | undefined, is1904: boolean): NumberFormats {
  const codes = new Map<number, string>();
  for (const format of childrenOf(elementAt(styles, 'numFmts'), 'numFmt'))
    codes.set(Number(attributeOf(format, 'numFmtId')), attributeOf(format, 'formatCode') ?? '');
  const meanings: Meaning[] = childrenOf(elementAt(styles, 'cellXfs'), 'xf').map((style) => {
    const id = Number(attributeOf(style, 'numFmtId') ?? 0);
    return meaningOf(id, codes.get(id));
  });
  return {
    show(value, style) {
      const number = Number(value);
      if (value.trim() === '' || !Number.isFinite(number)) return value;
      const meaning = meanings[style] ?? 'number';
      if (meaning === 'date') return dateOf(number, is1904) ?? value;
      // The last digits of a binary fraction are nobody's figure: 0.1 + 0.2.
      if (meaning === 'percent') return `${Number((number * 100).toPrecision(12))}%`;
      return String(Number(number.toPrecision(15)));
    },
  };
}

function meaningOf(id: number, code: string | undefined): Meaning {
  if (code === undefined) {
    if (id === 9 || id === 10) return 'percent';
    return (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) || (id >= 50 && id <= 58)
      ? 'date'
      : 'number';
  }
  // Words in quotes, colours and locales in brackets, and escaped letters say nothing of the meaning.
  const bare = code.replace(/"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]/gi, '');
  if (/general/i.test(bare)) return 'number';
  if (/[ymdhs]/i.test(bare)) return 'date';
  return bare.includes('%') ? 'percent' : 'number';
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
