/**
 * Whether a sentence turns round what a stretch of text says, though it has the same words: it leaves a "not" out, or says of
 * two that the second did to the first what the first did to the second. Looked for where it can be told by the order of
 * words; what takes grammar to tell passes.
 */
import { contentWords } from './sentences.ts';

const negator =
  /(?<![\p{L}\p{M}])(?:not(?!\s+(?:only|just|merely))|never|cannot|nicht(?!\s+nur)|niemals|kein\p{L}*|jamais|nunca|neither|nor)(?![\p{L}\p{M}])|n['’]t(?![\p{L}\p{M}])/giu;
const clauseEnd = /[,;:.!?()—–]|(?<!\p{L})(?:but|sondern|mais|sino|ma|although|because|until|and|or)(?!\p{L})/iu;
/** So many content words behind a "not" are what it denies. */
const deniedWords = 3;

/** For each "not" of the text, what it denies: the stems that follow it in its clause. */
function denialsIn(text: string): string[][] {
  return [...text.matchAll(negator)].map((match) => {
    const after = text.slice(match.index + match[0].length);
    const end = after.search(clauseEnd);
    const clause = end < 0 ? after : after.slice(0, end);
    return contentWords(clause)
      .slice(0, deniedWords)
      .map(({ stem }) => stem);
  });
}

/** The sentence says plainly what the stretch denies. */
export function dropsDenial(sentence: string, stretch: string): boolean {
  if (sentence.search(negator) >= 0) return false;
  const said = new Set(contentWords(sentence).map(({ stem }) => stem));
  return denialsIn(stretch).some((denied) => denied.length > 0 && denied.every((stem) => said.has(stem)));
}

/** Either may come first: A met B, B met A. */
const mutual = /^(?:meet|met|marr|border|equal|resembl|join|ally|alli|neighbor|versus|between|compar|differ|and)/;
const passive =
  /(?<!\p{L})(?:by|von|vom|durch|par|por|da|dal|dalla|from|than|before|after|of|in|to|with|for|within|over|under|into)(?!\p{L})/iu;

type Part = { stems: Set<string>; from: number; to: number };

/** Content words in order; words with capitals side by side are one name. */
function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let wasCapital = false;
  for (const match of text.matchAll(/[\p{L}\p{M}\p{N}][\p{L}\p{M}\p{N}'’-]*/gu)) {
    const stems = contentWords(match[0]).map(({ stem }) => stem);
    if (stems.length === 0) {
      wasCapital = false;
      continue;
    }
    const isCapital = /^\p{Lu}/u.test(match[0]);
    const last = parts.at(-1);
    const to = match.index + match[0].length;
    if (isCapital && wasCapital && last && text.slice(last.to, match.index).trim() === '') {
      for (const stem of stems) last.stems.add(stem);
      last.to = to;
    } else parts.push({ stems: new Set(stems), from: match.index, to });
    wasCapital = isCapital;
  }
  return parts;
}

const share = (one: Part, other: Part): boolean => !one.stems.isDisjointFrom(other.stems);

/** "A beat B" where the stretch has "B beat A", in the same voice, and nowhere "A beat B". */
export function swapsRoles(sentence: string, stretch: string): boolean {
  const said = partsOf(sentence);
  const there = partsOf(stretch);
  for (let i = 0; i + 2 < said.length; i++) {
    const [a, verb, b] = [said[i]!, said[i + 1]!, said[i + 2]!];
    if ([...verb.stems].some((stem) => mutual.test(stem)) || share(a, b)) continue;
    if (passive.test(sentence.slice(a.to, b.from))) continue;
    let reversed = false;
    let same = false;
    for (let j = 0; j + 2 < there.length; j++) {
      const [first, middle, last] = [there[j]!, there[j + 1]!, there[j + 2]!];
      if (!share(middle, verb) || passive.test(stretch.slice(first.to, last.from))) continue;
      reversed ||= share(first, b) && share(last, a);
      same ||= share(first, a) && share(last, b);
    }
    if (reversed && !same) return true;
  }
  return false;
}
