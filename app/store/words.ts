/**
 * How text becomes words for the word index, and a question becomes a query.
 *
 * SQLite's tokenizer takes a run of letters as one word. Chinese, Japanese, Korean, Thai and some others have no spaces
 * where a word ends, so a whole sentence would be one word that no question ever matches. Their runs are cut into
 * overlapping pieces of a fixed length, the usual remedy. Found first, of XQuAD's questions: Thai 20 % → 93 %.
 *
 * The ranges are written out, because Unicode tables differ between versions of the runtime and a passage must leave the
 * index with exactly the words with which it came.
 */
const pairRange =
  '\\u{2e80}-\\u{2fdf}\\u{3005}\\u{3007}\\u{3041}-\\u{3096}\\u{309d}-\\u{30fa}\\u{30fc}-\\u{30ff}\\u{31f0}-\\u{31ff}' +
  '\\u{3400}-\\u{4dbf}\\u{4e00}-\\u{9fff}\\u{ac00}-\\u{d7a3}\\u{f900}-\\u{faff}\\u{ff66}-\\u{ff9f}\\u{20000}-\\u{323af}';
/** Thai, Lao, Myanmar, Khmer: alphabets, in which two letters say too little. */
const tripleRange = '\\u{e00}-\\u{eff}\\u{1000}-\\u{109f}\\u{1780}-\\u{17ff}';
/** Their vowel and tone signs, which the tokenizer would take for the end of a word. */
const signs =
  /[\u{e31}\u{e34}-\u{e3a}\u{e47}-\u{e4e}\u{eb1}\u{eb4}-\u{ebc}\u{ec8}-\u{ece}\u{102b}-\u{103e}\u{1056}-\u{1060}\u{17b4}-\u{17d3}]/gu;
const unspacedRun = new RegExp(`([${pairRange}]+)|([${tripleRange}]+)`, 'gu');

/** A question of 20,000 characters has some thousands of words; more than this many different ones say nothing new. */
const maxQueryWords = 256;

/** The text with each run of unspaced script cut into pieces. All other text comes back as it is. */
export function words(text: string): string {
  return text.replace(unspacedRun, (_run, pairs?: string, triples?: string) =>
    pairs ? ` ${pieces(pairs, 2)} ` : ` ${pieces((triples ?? '').replace(signs, ''), 3)} `,
  );
}

function pieces(run: string, length: number): string {
  const characters = Array.from(run);
  if (characters.length <= length) return run;
  const starts = characters.slice(length - 1);
  return starts.map((_, i) => characters.slice(i, i + length).join('')).join(' ');
}

/** The different words of a question, as they stand in it. They hold letters, digits and marks, and nothing else. */
export function questionWords(question: string): string[] {
  const found = new Set<string>();
  for (const [word] of words(question).matchAll(/[\p{L}\p{N}\p{M}\p{Co}]+/gu)) {
    found.add(word.toLowerCase());
    if (found.size === maxQueryWords) break;
  }
  return [...found];
}

/** An FTS5 query for passages with any of the words. In quotes, nothing that a person writes can be taken for syntax. */
export function anyOf(found: string[]): string {
  return found.map((word) => `"${word}"`).join(' OR ');
}
