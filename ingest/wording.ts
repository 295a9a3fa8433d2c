/**
 * How much of a question's wording a passage holds, and how close together: what neither a vector nor BM25 says of the first
 * few dozen that they find. One pass over each text, some 20 µs per kilobyte.
 */

/** Words that ask or bind and name nothing, of the languages that have spaces and most documents are in. */
const plainWords = new Set(
  (
    'a an the and or but nor so if then than that this these those there here it its he she they them his her their our we ' +
    'you your i me my us is are was were be been being am do does did done has have had having will would can could shall ' +
    'should may might must not no of in on at by for from to into onto over with about as up out off per via who whom whose ' +
    'which what when where why how many much all any some each such also many ' +
    'le la les l un une des du de d et ou que qu qui quoi quel quelle quels quelles dans pour sur avec est sont a au aux ce ' +
    'cette ces il elle ils elles comment quand où pourquoi ' +
    'der die das ein eine einer eines einem einen und oder in im ist sind war waren von zu zum zur mit auf für als an dem den ' +
    'des was wer wie wo wann warum welche welcher welches welchen welchem wurde wurden hat haben ' +
    'il lo gli i uno una di e che per con su è sono della del dei nel nella chi cosa come dove quando perché quale quali ' +
    'el los las unos unas y en por para es son fue al se su sus qué quién quiénes cómo dónde cuándo cuál cuáles cuánto ' +
    'cuántos cuántas с и в на не что кто как где когда почему какой какая какие каким каких по из от к у был была были ' +
    'في من على إلى ما ماذا متى أين كيف هو هي هل كم التي الذي أن عن'
  ).split(' '),
);

/** Scripts without spaces: pairs of characters stand for words. */
const unspacedRange =
  '\\u{e00}-\\u{eff}\\u{1000}-\\u{109f}\\u{1780}-\\u{17ff}\\u{3041}-\\u{30ff}\\u{3400}-\\u{4dbf}\\u{4e00}-\\u{9fff}' +
  '\\u{ac00}-\\u{d7a3}\\u{20000}-\\u{323af}';
const unspaced = new RegExp(`[${unspacedRange}]`, 'u');
const runsOfOneKind = new RegExp(`[${unspacedRange}]+|[^${unspacedRange}]+`, 'gu');
const wordOrStop = /[\p{L}\p{N}\p{M}]+|[.!?。！？؟।\n]/gu;
const plainWordOrStop = /[a-z0-9]+|[.!?\n]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: whether a text is ASCII
const isAscii = /^[\x00-\x7f]*$/;

type Token = { term: string; sentence: number };

/** A word without its commonest endings; both sides of every comparison are cut alike. */
function cut(word: string): string {
  if (isAscii.test(word)) {
    if (word.length < 4 || /\d/.test(word)) return word;
    const stem = word.replace(/ies$/, 'y').replace(/(?<=[a-z]{3})(?:ing|ed|ly|es|s|e)$/, '');
    return stem.replace(/([b-df-hj-np-tv-z])\1$/, '$1');
  }
  const folded = word
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .normalize('NFC');
  if (isAscii.test(folded)) return cut(folded);
  // Other languages inflect too: of a long word its first letters are left.
  return folded.length > longestStem && !/\p{N}/u.test(folded) ? folded.slice(0, longestStem) : folded;
}
const longestStem = 7;

function tokensOf(text: string): Token[] {
  const lower = text.toLowerCase();
  const tokens: Token[] = [];
  let sentence = 0;
  for (const [found] of lower.matchAll(isAscii.test(lower) ? plainWordOrStop : wordOrStop)) {
    if (found.length === 1 && stops.has(found)) sentence += 1;
    else if (!unspaced.test(found)) {
      if (!plainWords.has(found)) tokens.push({ term: cut(found), sentence });
    } else
      for (const [run] of found.matchAll(runsOfOneKind)) {
        const characters = Array.from(run);
        if (characters.length === 1 || !unspaced.test(run)) tokens.push({ term: cut(run), sentence });
        else characters.slice(1).forEach((one, i) => void tokens.push({ term: characters[i]! + one, sentence }));
      }
  }
  return tokens;
}
const stops = new Set('.!?。！？؟।\n');

/** All from 0 to 1, weighed by how rare the words are among the texts. */
export type Wording = {
  /** Of the question's words, what stands anywhere in the text. */
  whole: number;
  /** What stands together in its best stretch of two sentences. */
  stretch: number;
  /** Of the question's pairs of neighbouring words, what stands side by side (with at most one word between). */
  pairs: number;
};

/** The wording of each text. The texts are what a search found: a word that stands in all of them tells none from another. */
export function wordingOf(question: string, texts: readonly string[]): Wording[] {
  const asked = tokensOf(question).map(({ term }) => term);
  const terms = new Set(asked);
  const found = texts.map((text) => tokensOf(text));
  const numWith = new Map<string, number>();
  for (const tokens of found)
    for (const term of new Set(tokens.map((token) => token.term)))
      if (terms.has(term)) numWith.set(term, (numWith.get(term) ?? 0) + 1);
  const weights = new Map(
    [...terms].map((term) => [term, Math.log(1 + (texts.length + 1) / ((numWith.get(term) ?? 0) + 0.5))]),
  );
  const all = sum([...weights.values()]);
  const pairs = [...new Set(asked.slice(1).map((term, i) => `${asked[i]!} ${term}`))];
  const pairWeight = (pair: string): number => sum(pair.split(' ').map((term) => weights.get(term) ?? 0));
  const allPairs = sum(pairs.map(pairWeight));
  const wanted = new Set(pairs);
  return found.map((tokens) => {
    const bySentence = new Map<number, Set<string>>();
    const there = new Set<string>();
    const seenPairs = new Set<string>();
    tokens.forEach(({ term, sentence }, i) => {
      if (!terms.has(term)) return;
      there.add(term);
      const set = bySentence.get(sentence) ?? new Set<string>();
      bySentence.set(sentence, set.add(term));
      for (const back of [1, 2]) {
        const before = tokens[i - back];
        if (before && wanted.has(`${before.term} ${term}`)) seenPairs.add(`${before.term} ${term}`);
      }
    });
    let stretch = 0;
    for (const [sentence, set] of bySentence) {
      const both = bySentence.get(sentence + 1)?.union(set) ?? set;
      stretch = Math.max(stretch, sum([...both].map((term) => weights.get(term)!)));
    }
    const whole = sum([...there].map((term) => weights.get(term)!));
    return {
      whole: all > 0 ? whole / all : 0,
      stretch: all > 0 ? stretch / all : 0,
      pairs: allPairs > 0 ? sum([...seenPairs].map(pairWeight)) / allPairs : 0,
    };
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
