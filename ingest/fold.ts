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

const unspaced =
  /[\u{e00}-\u{eff}\u{1000}-\u{109f}\u{1780}-\u{17ff}\u{3041}-\u{30ff}\u{3400}-\u{4dbf}\u{4e00}-\u{9fff}\u{d800}-\u{dfff}]/u;
const negations = new Set(
  (
    'no not none never neither nor without cannot nothing nobody nowhere t non ne pas jamais sans aucun aucune mai senza nessun ' +
    'nessuna nicht kein keine keinen keiner nie ohne sin nunca ningún ninguna не нет ни без никогда لا ليس لم لن غير بدون'
  ).split(' '),
);
const longestNegation = 8;
/** Within scripts without spaces a negation is a sign or an ending. */
const unspacedNegation = /ない|ません|なし|[不没沒未無无非否勿别]|ไม่/gu;

export type Sketch = {
  /** Hashes of the runs. */
  runs: Set<number>;
  /** What must be the same in both: numbers, names, negations. */
  facts: string;
};

const letter = 1;
const digit = 2;
const capital = 4;
/** A sign that is a word by itself; so is either half of one that UTF-16 writes as two. */
const alone = 8;
/** What may stand within a number. */
const joint = 16;
/** After it a capital says nothing: an end, a quotation mark, a bullet. */
const begin = 32;

/** What each UTF-16 unit is, and its small letter. Made once: a lookup is ten times as fast as an expression. */
let known: { kinds: Uint8Array; small: Uint16Array } | null = null;
function signs(): { kinds: Uint8Array; small: Uint16Array } {
  if (known) return known;
  const kinds = new Uint8Array(0x10000);
  const small = new Uint16Array(0x10000);
  for (let unit = 0; unit < 0x10000; unit++) {
    const sign = String.fromCharCode(unit);
    const lower = sign.toLowerCase();
    small[unit] = lower.length === 1 ? lower.charCodeAt(0) : unit;
    kinds[unit] =
      (unspaced.test(sign) ? alone : /[\p{L}\p{M}]/u.test(sign) ? letter : /\p{N}/u.test(sign) ? digit : 0) |
      (/\p{Lu}/u.test(sign) ? capital : 0) |
      (/[.,:/%-]/.test(sign) ? joint : 0) |
      (/[.!?。！？؟।:;•“«"]/.test(sign) ? begin : 0);
  }
  known = { kinds, small };
  return known;
}

const negationHashes = new Set([...negations].map(hashOf));

/** What two passages are compared by. Some 10 µs per kilobyte. */
export function sketchOf(text: string): Sketch {
  const { kinds, small } = signs();
  // A hyphen at a line's end joins; the same document as a web page has none.
  const joined = /[-\u00ad]\s*\n/.test(text) ? text.replace(/(\p{Ll})[-\u00ad]\s*\n\s*(\p{Ll})/gu, '$1$2') : text;
  const plain = joined.normalize('NFKC');
  const hashes: number[] = [];
  const facts = new Set<string>();
  /** Each as often as it stands there. */
  const denied: string[] = [];
  let atBegin = true;
  for (let at = 0; at < plain.length; ) {
    const first = at;
    const kind = kinds[plain.charCodeAt(at)]!;
    let hash = 0x811c9dc5;
    if (kind & alone) {
      hashes.push(Math.imul(hash ^ plain.charCodeAt(at++), 0x01000193));
    } else if (kind & letter) {
      for (; at < plain.length && kinds[plain.charCodeAt(at)]! & letter; at++)
        hash = Math.imul(hash ^ small[plain.charCodeAt(at)]!, 0x01000193);
      hashes.push(hash);
      if (at - first <= longestNegation && negationHashes.has(hash)) denied.push(`!${hash}`);
      else if (!atBegin && kind & capital) facts.add(plain.slice(first, at).toLowerCase());
    } else if (kind & digit) {
      let last = at;
      for (; at < plain.length && kinds[plain.charCodeAt(at)]! & (digit | joint); at++)
        if (kinds[plain.charCodeAt(at)]! & digit) last = at;
      at = last + 1; // "5." ends a sentence
      const number = plain.slice(first, at);
      hashes.push(hashOf(number));
      facts.add(number);
    } else {
      if (kind & begin) atBegin = true;
      at += 1;
      continue;
    }
    atBegin = false;
  }
  for (const [found] of plain.matchAll(unspacedNegation)) denied.push(`!${found}`);
  const runs = new Set<number>();
  const last = Math.max(0, hashes.length - 3);
  for (let first = 0; first <= last && hashes.length > 0; first++)
    runs.add(mix(mix(hashes[first]!, hashes[first + 1] ?? 0), hashes[first + 2] ?? 0));
  return { runs, facts: [...facts, ...denied].sort().join(' ') };
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
