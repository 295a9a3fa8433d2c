/** How the byte-level families cut text into words: each family's published rule, nothing near it. */
import type { WordRule } from './types.ts';
import {
  letter,
  lowerCaseLike as lower,
  notLetterOrNumber,
  number,
  punctuation,
  upperCaseLike as upper,
} from './unicode.ts';

// `\s` of JavaScript has U+FEFF and lacks U+0085; theirs is Unicode's white space. `(?i:'s)` takes the long s, too.
const space = '\\p{White_Space}';
const notSpace = '\\P{White_Space}';
const contractions = "'[sSſ]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
const endings = `\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** Llama 3 and Qwen 2 differ in how many digits stand together. */
const llamaLike = (digits: string): string =>
  `${contractions}|[^\\r\\n${notLetterOrNumber}]?${letter}+|${digits}| ?[^\\s${notLetterOrNumber}]+[\\r\\n]*|${endings}`;
/** Words that begin with capitals are words of their own; `after` = what may follow them. */
const casedLike = (digits: string, after: string): string =>
  [
    `[^\\r\\n${notLetterOrNumber}]?${upper}*${lower}+${after}`,
    `[^\\r\\n${notLetterOrNumber}]?${upper}+${lower}*${after}`,
    digits,
    ` ?[^\\s${notLetterOrNumber}]+[\\r\\n\\/]*`,
    endings,
  ].join('|');

const compile = (source: string): RegExp =>
  new RegExp(source.replaceAll('\\s', space).replaceAll('\\S', notSpace), 'gv');

const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?${letter}+| ?${number}+| ?[^\\s${notLetterOrNumber}]+|\\s+(?!\\S)|\\s+`;
const rules = {
  'gpt-2': compile(gpt2),
  'llama-3': compile(llamaLike(`${number}{1,3}`)),
  'qwen-2': compile(llamaLike(number)),
  bloom: compile(` ?[^\\(\\s\\|\\).,!?…。，、।۔،]+`),
  tekken: compile(casedLike(number, '')),
  'gpt-4o': compile(casedLike(`${number}{1,3}`, `(?:${contractions})?`)),
};
const punctuations = new RegExp(`${punctuation}+`, 'gv');
/** What Falcon cuts within a word once its bytes are letters: runs of digits, of three at most. */
const digitRuns = /[0-9][0-9][0-9]|(?:(?![0-9][0-9][0-9])\p{N})+|\P{N}+/gv;

/** The words of a text, one behind the other: together they are the text. */
export function wordsOf(rule: WordRule, text: string): Iterable<string> {
  if (rule === 'whole') return [text];
  if (rule === 'falcon') return falconWords(text);
  if (rule === 'bloom') return withBetween(rules.bloom, text);
  return matches(rules[rule], text);
}

/** Cuts a word whose bytes are letters already; most families do not. */
export function partsOfWord(rule: WordRule, mapped: string): Iterable<string> {
  return rule === 'falcon' ? (mapped.match(digitRuns) ?? []) : [mapped];
}

/** The published regular expressions of tokenizer.json files, to the letter. */
const published: readonly [string, WordRule][] = [
  [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    'llama-3',
  ],
  [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    'qwen-2',
  ],
  [' ?[^(\\s|[.,!?…。，、।۔،])]+', 'bloom'],
  [
    '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
    'tekken',
  ],
  [
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    'gpt-4o',
  ],
];
const ruleOfPattern = new Map(published);

/** The rule of a published regular expression, or null for one that is not known here. */
export function ruleOf(pattern: string): WordRule | null {
  return ruleOfPattern.get(pattern) ?? null;
}

function* matches(rule: RegExp, text: string): Generator<string> {
  for (const [word] of text.matchAll(rule)) yield word;
}

/** What a rule matches, and what lies between. */
function* withBetween(rule: RegExp, text: string): Generator<string> {
  let end = 0;
  for (const match of text.matchAll(rule)) {
    if (match.index > end) yield text.slice(end, match.index);
    yield match[0];
    end = match.index + match[0].length;
  }
  if (end < text.length) yield text.slice(end);
}

/** Runs of punctuation stand alone; between them words as GPT-2's. */
function* falconWords(text: string): Generator<string> {
  for (const part of withBetween(punctuations, text)) yield* matches(rules['gpt-2'], part);
}
