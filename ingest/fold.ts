/**
 * Passages that say the same: copies of a document, its versions, a page's footer. Of those that a search finds one is shown.
 *
 * Two passages are one where at least `leastLikeness` of all their runs of three words (three signs in scripts without spaces)
 * are in both, **and** they differ in nothing that may be the answer: no number, no name (a capital within a sentence), no
 * negation. Spaces, capitals, punctuation and hyphens of line ends do not count. So a contract whose sum was changed is two
 * passages, and one with a comma mended is one.
 */

/**
 * Of all runs that either has, those that both have. In 100 words, six replaced ones far from each other leave 0.7. Of 2,400
 * passages of the open question sets none that are different pass 0.5 and the rule of facts.
 */
export const leastLikeness = 0.7;

const wordOrEnd = /\p{Lu}?[\p{L}\p{M}]+|\p{N}[\p{N}.,:/%-]*|[.!?。！？؟।:;•“«"\n]/gu;
const unspaced =
  /[\u{e00}-\u{eff}\u{1000}-\u{109f}\u{1780}-\u{17ff}\u{3041}-\u{30ff}\u{3400}-\u{4dbf}\u{4e00}-\u{9fff}\u{20000}-\u{323af}]/u;
const negations = new Set(
  (
    'no not none never neither nor without cannot nothing nobody nowhere t non ne pas jamais sans aucun aucune mai senza nessun ' +
    'nessuna nicht kein keine keinen keiner nie ohne sin nunca ningún ninguna не нет ни без никогда لا ليس لم لن غير بدون'
  ).split(' '),
);
/** Within scripts without spaces a negation is a sign or an ending. */
const unspacedNegation = /ない|ません|なし|[不没沒未無无非否勿别]|ไม่/gu;

export type Sketch = {
  /** Hashes of the runs. */
  runs: Set<number>;
  /** What must be the same in both: numbers, names, negations. */
  facts: string;
};

/** What two passages are compared by. */
export function sketchOf(text: string): Sketch {
  // A hyphen at a line's end joins; the same document as a web page has none.
  const plain = text.normalize('NFKC').replace(/(\p{Ll})[-\u00ad]\s*\n\s*(\p{Ll})/gu, '$1$2');
  const words: string[] = [];
  const facts: string[] = [];
  /** Each as often as it stands there. */
  const denied: string[] = [];
  let atBegin = true;
  for (const [found] of plain.matchAll(wordOrEnd)) {
    if (found.length === 1 && !/[\p{L}\p{N}]/u.test(found)) {
      if (found !== '\n') atBegin = true; // a line that ends is no sentence that ends
      continue;
    }
    const lower = found.toLowerCase();
    if (/^\p{N}/u.test(found)) {
      const number = found.replace(/[.,:/-]+$/, '');
      facts.push(number);
      words.push(number);
    } else if (unspaced.test(found)) words.push(...lower);
    else {
      if (negations.has(lower)) denied.push(`!${lower}`);
      else if (!atBegin && lower !== found) facts.push(lower);
      words.push(lower);
    }
    atBegin = false;
  }
  for (const [found] of plain.matchAll(unspacedNegation)) denied.push(`!${found}`);
  const runs = new Set<number>();
  const hashes = words.map(hashOf);
  const last = Math.max(0, hashes.length - 3);
  for (let first = 0; first <= last && hashes.length > 0; first++)
    runs.add(mix(mix(hashes[first]!, hashes[first + 1] ?? 0), hashes[first + 2] ?? 0));
  return { runs, facts: [...new Set(facts), ...denied].sort().join(' ') };
}

/**
 * What two passages have in common that say the same, sign for sign: the same file twice, a page's footer. Spaces and
 * capitals do not count.
 */
export function bareText(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim();
}

/** `likeness`: the share of runs in both; 1 for the same words. */
export type Folded = { into: number; likeness: number };

/**
 * Takes passages one after another, the best first. `take` says into which of those kept before the passage is folded, by its
 * place among all that were taken, or null for one that is kept. One lookup for each run: no pair is compared.
 */
export function createFolding(): { take: (text: string) => Folded | null } {
  const kept: { place: number; sketch: Sketch }[] = [];
  const holders = new Map<number, number[]>();
  const said = new Map<string, number>();
  let numTaken = 0;
  return {
    take(text) {
      const place = numTaken++;
      const bare = bareText(text);
      const same = said.get(bare);
      if (same !== undefined) return { into: same, likeness: 1 };
      const sketch = sketchOf(text);
      const numShared = new Map<number, number>();
      for (const run of sketch.runs)
        for (const holder of holders.get(run) ?? []) numShared.set(holder, (numShared.get(holder) ?? 0) + 1);
      let best: Folded | null = null;
      for (const [holder, shared] of numShared) {
        const other = kept[holder]!;
        const likeness = shared / (sketch.runs.size + other.sketch.runs.size - shared);
        if (likeness < leastLikeness || likeness <= (best?.likeness ?? 0)) continue;
        if (other.sketch.facts === sketch.facts) best = { into: other.place, likeness };
      }
      said.set(bare, best?.into ?? place);
      if (best) return best;
      for (const run of sketch.runs) {
        const some = holders.get(run);
        if (some) some.push(kept.length);
        else holders.set(run, [kept.length]);
      }
      kept.push({ place, sketch });
      return null;
    },
  };
}

/** FNV-1a over the word's UTF-16. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  return hash;
}

function mix(hash: number, other: number): number {
  return Math.imul((hash ^ other) + 0x9e3779b9, 0x85ebca6b) ^ (hash >>> 13);
}
