/** A number as a spreadsheet's format code shows it (ECMA-376 part 1, 18.8.31): "#,##0.00 €;(#,##0.00)" and the like, not dates. */

type Condition = { operator: string; limit: number };
type Part =
  | { type: 'literal'; text: string }
  /** Digits are filled in from the right: "0" always, "#" and "?" where there is one. */
  | { type: 'digit'; sign: string }
  | { type: 'point' }
  | { type: 'percent' }
  | { type: 'exponent'; plus: boolean; numDigits: number }
  | { type: 'value' };
type FormatSection = {
  parts: Part[];
  condition: Condition | null;
  isGrouped: boolean;
  /** Each comma behind the last digit shows thousands. */
  numScales: number;
};

export type FormatCode = (value: number) => string;

const mostCharacters = 255; // Excel's own limit
const mostDecimals = 15;

/** Null for a code that shows something else than a number, or in a way that is not known here: fractions. */
export function compileFormat(code: string): FormatCode | null {
  if (code.length > mostCharacters) return null;
  const sections = splitSections(code).map(parseSection);
  if (sections.length === 0 || sections.includes(null)) return null;
  const known = sections as FormatSection[];
  return (value) => {
    const section = sectionFor(known, value);
    if (!section) return plain(value);
    // A section that is for negative numbers alone says itself that they are.
    const isOwn = known.length > 1 && section !== known[0] && section.condition === null;
    const shown = showIn(section, Math.abs(value));
    return (value < 0 && !isOwn && /[1-9]/.test(shown) ? `-${shown}` : shown).replace(/\s+/g, ' ').trim();
  };
}

/** The last digits of a binary fraction are nobody's figure: 0.1 + 0.2. */
export function plain(value: number): string {
  return String(Number(value.toPrecision(15)));
}

function splitSections(code: string): string[] {
  return (code.match(/(?:"[^"]*"?|\\[\s\S]?|\[[^\]]*\]?|[_*][\s\S]?|[^;])+|(?<=;)(?=;|$)|^(?=;)/g) ?? []).slice(0, 4);
}

function sectionFor(sections: FormatSection[], value: number): FormatSection | undefined {
  if (sections.some(({ condition }) => condition !== null))
    return sections.find(({ condition }) => condition === null || holds(condition, value));
  const [positive, negative, zero] = sections;
  if (value < 0 && negative) return negative;
  return value === 0 && zero ? zero : positive;
}

function holds({ operator, limit }: Condition, value: number): boolean {
  switch (operator) {
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '<>':
      return value !== limit;
    default:
      return value === limit;
  }
}

function parseSection(code: string): FormatSection | null {
  const parts: Part[] = [];
  let condition: Condition | null = null;
  let isGrouped = false;
  let numScales = 0;
  const tokens = code.matchAll(
    /"([^"]*)"?|\\([\s\S]?)|\[([^\]]*)\]?|[_]([\s\S]?)|\*[\s\S]?|(general)|([eE])([+-])(0+)|([\s\S])/gi,
  );
  for (const [whole, quoted, escaped, bracket, room, general, e, plusMinus, zeros, sign] of tokens) {
    if (general) parts.push({ type: 'value' });
    else if (quoted !== undefined || escaped !== undefined)
      parts.push({ type: 'literal', text: quoted ?? escaped ?? '' });
    else if (room !== undefined) parts.push({ type: 'literal', text: ' ' });
    else if (bracket !== undefined) {
      const currency = /^\$([^-]*)/.exec(bracket)?.[1];
      const test = /^(<=|>=|<>|<|>|=)\s*(-?[\d.]+)$/.exec(bracket);
      if (currency) parts.push({ type: 'literal', text: currency });
      if (test) condition = { operator: test[1]!, limit: Number(test[2]) };
    } else if (e) parts.push({ type: 'exponent', plus: plusMinus === '+', numDigits: zeros!.length });
    else if (whole.startsWith('*') || sign === undefined) continue;
    else if (/[0#?]/.test(sign)) {
      parts.push({ type: 'digit', sign });
      if (numScales > 0) isGrouped = true; // the commas stood between digits
      numScales = 0;
    } else if (sign === '.') parts.push({ type: 'point' });
    else if (sign === ',' && parts.at(-1)?.type === 'digit') numScales += 1;
    else if (sign === ',' && numScales > 0) numScales += 1;
    else if (sign === '%') parts.push({ type: 'percent' });
    else if (sign === '@') parts.push({ type: 'value' });
    else if (sign === '/' && parts.some(({ type }) => type === 'digit')) return null;
    else parts.push({ type: 'literal', text: sign });
  }
  return { parts, condition, isGrouped, numScales };
}

function showIn({ parts, isGrouped, numScales }: FormatSection, value: number): string {
  const numPercents = parts.filter(({ type }) => type === 'percent').length;
  let number = (value * 100 ** numPercents) / 1000 ** numScales;
  const exponent = parts.find((part) => part.type === 'exponent');
  const point = parts.findIndex(({ type }) => type === 'point');
  const decimals = point === -1 ? [] : parts.slice(point).filter((part) => part.type === 'digit');
  const wholes = (point === -1 ? parts : parts.slice(0, point)).filter((part) => part.type === 'digit');
  let power = 0;
  if (exponent && number > 0) {
    power = Math.floor(Math.log10(number));
    number /= 10 ** power;
  }
  const [whole = '0', fraction = ''] = rounded(number, Math.min(mostDecimals, decimals.length)).split('.');
  if (/e/.test(whole)) return plain(value);
  const leastDecimals = decimals.findLastIndex(({ sign }) => sign === '0') + 1;
  const shownFraction = fraction.slice(0, Math.max(leastDecimals, fraction.replace(/0+$/, '').length));
  const numZeros =
    wholes.length -
    Math.max(
      0,
      wholes.findIndex(({ sign }) => sign === '0'),
    );
  const least = wholes.some(({ sign }) => sign === '0') ? numZeros : 0;
  const digits = (whole === '0' ? '' : whole).padStart(least, '0');

  const shown: string[] = [];
  let left = wholes.length;
  let from = 0;
  let hasPoint = false;
  for (const part of parts) {
    if (part.type === 'literal') shown.push(part.text);
    else if (part.type === 'percent') shown.push('%');
    else if (part.type === 'value') shown.push(plain(value));
    else if (part.type === 'point') {
      hasPoint = true;
      if (shownFraction !== '' || leastDecimals > 0) shown.push(`.${shownFraction}`);
    } else if (part.type === 'exponent')
      shown.push(`E${power < 0 ? '-' : part.plus ? '+' : ''}${String(Math.abs(power)).padStart(part.numDigits, '0')}`);
    else if (!hasPoint) {
      left -= 1;
      const to = Math.max(from, digits.length - left);
      shown.push(isGrouped ? grouped(digits, from, to) : digits.slice(from, to));
      from = to;
    }
  }
  return shown.join('');
}

/** As decimal figures are rounded: 1.005, which is 1.00499999… in the file, to 1.01. */
function rounded(number: number, numDecimals: number): string {
  const [figures = '0', power = '0'] = number.toPrecision(15).split('e');
  const scaled = Math.round(Number(`${figures}e${Number(power) + numDecimals}`));
  return scaled < 1e15 ? Number(`${scaled}e-${numDecimals}`).toFixed(numDecimals) : number.toFixed(numDecimals);
}

/** Digits `from` to `to` of a number with a comma before each group of three. */
function grouped(digits: string, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) text += (at > 0 && (digits.length - at) % 3 === 0 ? ',' : '') + digits[at];
  return text;
}
