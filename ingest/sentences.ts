/** Where sentences end, in Latin, Cyrillic, Greek, Chinese, Japanese, Indic and Arabic writing. */

/** A stretch of a text: [from, to), without white space at its ends. */
export type Span = { from: number; to: number };

/** Longer runs without any sentence end (tables, code, minified data) are cut at white space near this. */
const longestSentence = 400;

// After these a full stop does not end the sentence. Lower case, without the stop.
const abbreviations = new Set(
  (
    'mr mrs ms dr prof st jr sr vs etc e.g i.e cf al fig figs eq eqs no nos vol pp ch sec art approx inc ltd co corp dept est ' +
    'jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k z.b d.h bzw usw ca nr abb s'
  ).split(' '),
);

const ends = /[.!?…]+["'”’»)\]]*(?=\s|$)|[。！？｡]+["'”’」』）】]*|[।؟۔](?=\s|$)|\n[^\S\n]*\n/gu;

/** The sentences of a text in order. Together they cover all of it but white space. */
export function sentencesOf(text: string): Span[] {
  const spans: Span[] = [];
  let from = 0;
  for (const end of text.matchAll(ends)) {
    const to = end.index + end[0].length;
    if (end[0].startsWith('.') && !endsSentence(text, from, end.index, to)) continue;
    addSpan(text, from, to, spans);
    from = to;
  }
  addSpan(text, from, text.length, spans);
  return spans;
}

function endsSentence(text: string, from: number, stop: number, to: number): boolean {
  const next = /\S/u.exec(text.slice(to, to + 40))?.[0];
  if (next && /\p{Ll}/u.test(next)) return false;
  const word = /[\p{L}.]+$/u.exec(text.slice(Math.max(from, stop - 20), stop))?.[0].toLowerCase();
  if (!word) return true;
  // A single letter is an initial: "J. Smith". A year or a list's "1." has no letters and was let through above.
  return !abbreviations.has(word) && !(word.length === 1 && /\p{L}/u.test(word));
}

function addSpan(text: string, start: number, end: number, spans: Span[]): void {
  let from = start;
  let to = end;
  while (from < to && /\s/.test(text[from]!)) from += 1;
  while (to > from && /\s/.test(text[to - 1]!)) to -= 1;
  while (to - from > longestSentence) {
    const cut = cutBefore(text, from, from + longestSentence);
    addSpan(text, from, cut, spans);
    from = cut;
    while (from < to && /\s/.test(text[from]!)) from += 1;
  }
  if (to > from) spans.push({ from, to });
}

/** The best place to cut in the second half of [from, most): a line's end, then a space, else never inside a character. */
export function cutBefore(text: string, from: number, most: number): number {
  const half = from + Math.ceil((most - from) / 2);
  let space = 0;
  // Never beyond the half: to look for a line's end in all of a text without any would take forever.
  for (let at = most; at > half; at--) {
    if (text[at - 1] === '\n') return at;
    if (space === 0 && /\s/.test(text[at - 1]!)) space = at;
  }
  if (space > 0) return space;
  const isInsidePair = /[\ud800-\udbff]/.test(text[most - 1] ?? '') && most - 1 > from;
  return isInsidePair ? most - 1 : most;
}
