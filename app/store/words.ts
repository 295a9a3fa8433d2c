/**
 * How text becomes words for the word index, and a question becomes a query.
 *
 * SQLite's tokenizer takes a run of letters as one word. Chinese, Japanese and Korean have no spaces where a word ends, so
 * a whole sentence would be one word that no question ever matches: their runs are cut into overlapping pairs of
 * characters, the usual remedy. The ranges are written out, because Unicode tables differ between versions of the runtime
 * and a passage must leave the index with exactly the words with which it came.
 */
const unspaced =
  '\\u{2e80}-\\u{2fdf}\\u{3005}\\u{3007}\\u{3041}-\\u{3096}\\u{309d}-\\u{30fa}\\u{30fc}-\\u{30ff}\\u{31f0}-\\u{31ff}' +
  '\\u{3400}-\\u{4dbf}\\u{4e00}-\\u{9fff}\\u{ac00}-\\u{d7a3}\\u{f900}-\\u{faff}\\u{ff66}-\\u{ff9f}\\u{20000}-\\u{323af}';
const unspacedRun = new RegExp(`[${unspaced}]+`, 'gu');

/** A question of 20,000 characters has some thousands of words; more than this many different ones say nothing new. */
const maxQueryWords = 256;

/** The text with each run of unspaced script cut into pairs of characters. All other text comes back as it is. */
export function words(text: string): string {
  return text.replace(unspacedRun, (run) => ` ${pairs(run).join(' ')} `);
}

function pairs(run: string): string[] {
  const characters = Array.from(run);
  if (characters.length === 1) return characters;
  return characters.slice(1).map((character, i) => `${characters[i]}${character}`);
}

/**
 * An FTS5 query that finds passages with any of the words of `text`, or null if there are none. Each word stands in
 * quotes and holds letters, digits and marks only, so that nothing a person writes can be taken for syntax.
 */
export function wordQuery(text: string): string | null {
  const found = new Set<string>();
  for (const [word] of words(text).matchAll(/[\p{L}\p{N}\p{M}\p{Co}]+/gu)) {
    found.add(word.toLowerCase());
    if (found.size === maxQueryWords) break;
  }
  if (found.size === 0) return null;
  return Array.from(found, (word) => `"${word}"`).join(' OR ');
}
