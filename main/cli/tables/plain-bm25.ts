/**
 * BM25 as the usual libraries have it by default (k1 0.9, b 0.4, no stems, no list of stop words): what Quoth's own search is
 * compared with. Words are runs of letters and digits; Chinese, Japanese, Korean and Thai are taken by pairs of characters.
 */
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー\p{Script=Hangul}\p{Script=Thai}]+/u;
const runs =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー\p{Script=Hangul}\p{Script=Thai}]+|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー\p{Script=Hangul}\p{Script=Thai}])[\p{L}\p{N}\p{M}])+/gu;

function terms(text: string): string[] {
  return [...text.toLowerCase().matchAll(runs)].flatMap(([run]) => {
    if (!unspaced.test(run)) return [run];
    const characters = Array.from(run);
    return characters.length === 1 ? [run] : characters.slice(1).map((one, i) => characters[i]! + one);
  });
}

/** A search over the texts: places in `texts`, best first. */
export function plainBm25(texts: readonly string[], k1 = 0.9, b = 0.4): (question: string, limit: number) => number[] {
  const counts = texts.map((text) => {
    const count = new Map<string, number>();
    for (const term of terms(text)) count.set(term, (count.get(term) ?? 0) + 1);
    return count;
  });
  const lengths = counts.map((count) => [...count.values()].reduce((sum, one) => sum + one, 0));
  const meanLength = lengths.reduce((sum, one) => sum + one, 0) / Math.max(1, lengths.length);
  const places = new Map<string, { text: number; count: number }[]>();
  for (const [text, count] of counts.entries())
    for (const [term, times] of count) {
      const list = places.get(term) ?? [];
      places.set(term, list);
      list.push({ text, count: times });
    }
  return (question, limit) => {
    const scores = new Float64Array(texts.length);
    for (const term of terms(question)) {
      const list = places.get(term) ?? [];
      const idf = Math.log(1 + (texts.length - list.length + 0.5) / (list.length + 0.5));
      for (const { text, count } of list)
        scores[text]! += (idf * count * (k1 + 1)) / (count + k1 * (1 - b + (b * lengths[text]!) / meanLength));
    }
    const order = [...scores.keys()].filter((text) => scores[text]! > 0);
    return order.sort((one, other) => scores[other]! - scores[one]! || one - other).slice(0, limit);
  };
}
