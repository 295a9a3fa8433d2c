/**
 * Numbers and dates in a text, by what they say and not by how they are written: "3 million" is 3,000,000, "12 March 2020" is
 * 2020-03-12, "third" is 3rd. What an answer states of them must stand in the passage that is quoted for it.
 */

import type { Writing } from '../../ingest/writing.ts';
import { contentWords } from './sentences.ts';

export type Fact =
  | { type: 'number'; value: number; unit: string | null; isOrdinal: boolean }
  | { type: 'date'; year: number | null; month: number; day: number | null };

const monthNames = [
  'january|jan|januar|janvier|gennaio|enero|janeiro',
  'february|feb|februar|février|febbraio|febrero|fevereiro',
  'march|mar|märz|mars|marzo|março',
  'april|apr|avril|aprile|abril',
  'may|mai|maggio|mayo|maio',
  'june|jun|juni|juin|giugno|junio|junho',
  'july|jul|juli|juillet|luglio|julio|julho',
  'august|aug|août|agosto',
  'september|sept|sep|septembre|settembre|septiembre|setembro',
  'october|oct|oktober|okt|octobre|ottobre|octubre|outubro',
  'november|nov|novembre|noviembre|novembro',
  'december|dec|dezember|dez|décembre|dicembre|diciembre|dezembro',
];
const monthOf = new Map(
  monthNames.flatMap((names, index) => names.split('|').map((name) => [name, index + 1] as const)),
);
const month = `(${monthNames.join('|')})\\.?`;
const ordinalEnding = '(?:st|nd|rd|th|er|[.ºª])?';

/** By pattern: which groups are year, month and day. Day and month of "03/04/2020" cannot be told apart: see below. */
const datePatterns: readonly [RegExp, (groups: string[]) => [string?, string?, string?]][] = [
  [/(?<![\d./-])(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)/gu, ([y, m, d]) => [y, m, d]],
  [/(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월](?:\s?(\d{1,2})\s?[日일])?/gu, ([y, m, d]) => [y, m, d]],
  [/(?<!\d)(\d{1,2})\s?月\s?(\d{1,2})\s?日/gu, ([m, d]) => [undefined, m, d]],
  [/(?<![\d./-])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?!\d)/gu, ([d, m, y]) => [y, m, d]],
  [
    new RegExp(
      `(?<!\\d)(\\d{1,2})${ordinalEnding}\\s+(?:of\\s+|de\\s+)?${month}(?:,?\\s+(?:de\\s+|of\\s+)?(\\d{4}))?(?![\\p{L}\\d])`,
      'giu',
    ),
    ([d, m, y]) => [y, m, d],
  ],
  [
    new RegExp(`(?<!\\p{L})${month}\\s+(\\d{1,2})${ordinalEnding}(?:,?\\s+(\\d{4}))?(?![\\p{L}\\d])`, 'giu'),
    ([m, d, y]) => [y, m, d],
  ],
  [new RegExp(`(?<!\\p{L})${month},?\\s+(?:de\\s+|of\\s+)?(\\d{4})(?!\\d)`, 'giu'), ([m, y]) => [y, m, undefined]],
];

const scales: { readonly [word: string]: number } = {
  hundred: 100,
  thousand: 1e3,
  million: 1e6,
  millions: 1e6,
  mio: 1e6,
  millionen: 1e6,
  milliard: 1e9,
  milliarde: 1e9,
  milliarden: 1e9,
  billion: 1e9,
  billions: 1e9,
  bn: 1e9,
  trillion: 1e12,
  tausend: 1e3,
  mille: 1e3,
  mil: 1e3,
  百: 100,
  千: 1e3,
  万: 1e4,
  萬: 1e4,
  亿: 1e8,
  億: 1e8,
};
const numberWords =
  'two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'
    .split(' ')
    .map((word, index) => [word, index + 2] as const);
const tens = 'thirty forty fifty sixty seventy eighty ninety'
  .split(' ')
  .map((word, index) => [word, 10 * (index + 3)] as const);
const wordValues = new Map<string, number>([...numberWords, ...tens]);
const ordinalWords =
  'third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth'
    .split(' ')
    .map((word, index) => [word, index + 3] as const);
const ordinalValues = new Map<string, number>(ordinalWords);

/** One name for each unit that has several; a word that is none of these is no unit. */
const units = new Map(
  [
    '% percent per\u00a0cent prozent pourcent percento ciento ％',
    'm metre metres meter meters mètres metri metros',
    'km kilometre kilometres kilometer kilometers kilomètres',
    'cm centimetre centimetres centimeter centimeters',
    'mm millimetre millimetres millimeter millimeters',
    'mi mile miles',
    'ft foot feet',
    'in inch inches',
    'kg kilogram kilograms kilogramm',
    'mg milligram milligrams',
    'g gram grams gramm',
    't tonne tonnes ton tons tonnen',
    'lb lbs',
    'l litre litres liter liters',
    'ml millilitre millilitres milliliter milliliters',
    '°c celsius ℃',
    '°f fahrenheit',
    'w watt watts',
    'kw kilowatt kilowatts',
    'mw megawatt megawatts',
    'v volt volts',
    's second seconds sekunden',
    'min minute minutes minuten',
    'h hour hours stunden',
    'day days tage',
    'week weeks',
    'month months',
    'year years jahre',
    '$ usd dollar dollars',
    '€ eur euro euros',
    '£ gbp',
    '¥ yen jpy',
  ].flatMap((names) => names.split(' ').map((name) => [name, names.split(' ')[0]!] as const)),
);

const numberPattern =
  /(?<sign>(?<![\p{L}\p{N}.,)])[-−])?(?<currency>[$€£¥]\s?)?(?<![\p{L}\p{N}]|\p{N}[.,]|\p{L}\.)(?<digits>\d{1,3}(?:[ \u00a0\u202f’']\d{3})+(?!\d)|\d+(?:[.,]\d+)*)(?<ordinal>(?:st|nd|rd|th)(?!\p{L}))?(?:\s?(?<unit>%|°[CF]|\p{L}+)(?![\p{L}\p{N}]))?(?:\s(?<second>\p{L}+(?![\p{L}\p{N}])|[%$€£¥]))?/giu;

/** "1.000" is a thousand where commas are decimal, and one elsewhere: `writing` says where. */
function numberOf(digits: string, writing: Writing): number {
  const plain = digits.replace(/[’'\u00a0\u202f ]/g, '');
  const grouped = writing === 'latin' ? '.' : ',';
  const marks = new Set(plain.replace(/\d/g, ''));
  const parts = plain.split(/[.,]/);
  // Two different marks: the last is the decimal one. The same twice: it groups.
  if (marks.size === 2) {
    const last = Math.max(plain.lastIndexOf('.'), plain.lastIndexOf(','));
    return Number(`${plain.slice(0, last).replace(/[.,]/g, '')}.${plain.slice(last + 1)}`);
  }
  if (parts.length > 2) return Number(parts.join(''));
  if (parts.length === 2 && parts[1]!.length === 3 && parts[0] !== '0' && plain.includes(grouped))
    return Number(parts.join(''));
  return Number(parts.join('.'));
}

/** All facts of a text. `writing` is that of the whole it comes from: one sentence has too little to tell by. */
export function factsIn(text: string, writing: Writing): Fact[] {
  let rest = text.normalize('NFKC').replace(/per cent/giu, 'percent');
  const facts: Fact[] = [];
  for (const [pattern, order] of datePatterns)
    rest = rest.replace(pattern, (whole: string, ...groups: unknown[]) => {
      const [y, m, d] = order(groups.filter((one) => typeof one !== 'object').slice(0, -2) as string[]);
      const monthNumber = monthOf.get((m ?? '').toLowerCase()) ?? Number(m);
      const day = d === undefined ? null : Number(d);
      if (!(monthNumber >= 1 && monthNumber <= 12) || (day !== null && !(day >= 1 && day <= 31))) return whole;
      facts.push({ type: 'date', year: y === undefined ? null : Number(y), month: monthNumber, day });
      return ' ';
    });
  rest = rest.replace(numberPattern, (...found: unknown[]) => {
    const { sign, currency, digits, ordinal, unit, second } = found.at(-1) as { [name: string]: string | undefined };
    const next = [unit, second].flatMap((word) => (word === undefined ? [] : [word.toLowerCase()]));
    // Without spaces, the scale is the first character: 2万人.
    const scale = scales[next[0] ?? ''] ?? (/^[百千万萬亿億]/u.test(next[0] ?? '') ? scales[next[0]![0]!] : undefined);
    // "30–60 %": the unit stands behind the second.
    const after = (found.at(-2) as string).slice(
      (found.at(-3) as number) + (found[0] as string).indexOf(digits!) + digits!.length,
    );
    const ofRange = /^\s?(?:[-–—]|to|and|or|bis|à)\s?[\d.,]+\s?(\p{L}+|%)/iu.exec(after)?.[1]?.toLowerCase();
    const named = [scale === undefined ? next[0] : next[1], currency?.trim(), ofRange].flatMap(
      (word) => units.get(word ?? '') ?? [],
    );
    const value = numberOf(digits!, writing) * (scale ?? 1) * (sign ? -1 : 1);
    facts.push({ type: 'number', value, unit: named[0] ?? null, isOrdinal: ordinal !== undefined });
    return ' ';
  });
  facts.push(...spelledOut(rest));
  return facts;
}

/** Numbers in English words: "one hundred and ninety-three", "third". A bare "one", "first" or "second" states no number. */
function spelledOut(text: string): Fact[] {
  const facts: Fact[] = [];
  const tokens = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  for (let at = 0; at < tokens.length; at++) {
    const ordinal = ordinalValues.get(tokens[at]!);
    if (ordinal !== undefined) facts.push({ type: 'number', value: ordinal, unit: null, isOrdinal: true });
    let total = 0;
    let part = 0;
    let end = at;
    for (; end < tokens.length; end++) {
      const token = tokens[end]!;
      const value = token === 'one' ? 1 : wordValues.get(token);
      const scale = scales[token];
      if (value !== undefined && (part % 100 === 0 || (part % 10 === 0 && part % 100 >= 20 && value < 10)))
        part += value;
      else if (scale === 100 && part > 0) part *= 100;
      else if (scale !== undefined && part > 0) {
        total += part * scale;
        part = 0;
      } else if (
        !(
          token === 'and' &&
          end > at &&
          scales[tokens[end - 1]!] !== undefined &&
          (wordValues.has(tokens[end + 1] ?? '') || tokens[end + 1] === 'one')
        )
      )
        break;
    }
    if (end === at) continue;
    // "One" and "two and three" are no composite: what stands alone is taken alone.
    if (total + part > 1)
      facts.push({ type: 'number', value: total + part, unit: units.get(tokens[end] ?? '') ?? null, isOrdinal: false });
    at = end - 1;
  }
  return facts;
}

/** Whether what a sentence states stands among the facts of a stretch. A stretch may say more than the sentence, never less. */
export function bearsOut(stated: Fact, facts: readonly Fact[]): boolean {
  if (stated.type === 'number')
    return facts.some((fact) =>
      fact.type === 'date'
        ? !stated.isOrdinal && stated.unit === null && (fact.year === stated.value || fact.day === stated.value)
        : sameNumber(fact, stated),
    );
  return facts.some(
    (fact) =>
      fact.type === 'date' &&
      fact.month === stated.month &&
      (stated.day === null || fact.day === stated.day) &&
      (stated.year === null || fact.year === stated.year || (fact.year === null && hasNumber(facts, stated.year))),
  );
}

function sameNumber(fact: Fact & { type: 'number' }, stated: Fact & { type: 'number' }): boolean {
  const close = Math.abs(fact.value - stated.value) <= 1e-9 * Math.max(1, Math.abs(stated.value));
  // A number may stand without its unit, "30 to 40 metres tall", but what is no percentage is not made one.
  const sameUnit = fact.unit === stated.unit || stated.unit === null || (fact.unit === null && stated.unit !== '%');
  return close && sameUnit && fact.isOrdinal === stated.isOrdinal;
}

function hasNumber(facts: readonly Fact[], value: number): boolean {
  return facts.some((fact) => fact.type === 'number' && fact.value === value);
}

/** Words that are part of a number or a date, as stems: what `factsIn` compares by its meaning. */
export function isFactWord(stem: string): boolean {
  return /^\d+(?:[.,/’'-]\d+)*(?:st|nd|rd|th)?$/.test(stem) || factStems.has(stem);
}
const factStems: ReadonlySet<string> = new Set(
  [...monthOf.keys(), ...Object.keys(scales), ...wordValues.keys(), ...ordinalValues.keys(), ...units.keys()].flatMap(
    (word) => contentWords(word).map(({ stem }) => stem),
  ),
);
