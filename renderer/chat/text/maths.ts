/**
 * The maths of an answer: found before Markdown sees the text, because the stars, lines and bars in it are its own, and
 * because most dollars in documents are money. `\(…\)`, `\[…\]` and `$$…$$` are maths; `$…$` only where it looks so.
 */

export type Formula = { tex: string; isDisplay: boolean };

/** The text with a mark for each formula, as long as the formula was: places in the text stay what they are. */
export type MarkedText = { text: string; formulas: Formula[] };

const mark = '\ue002';
const filler = '\ue003';
const firstNumber = 0xe100;
const mostFormulas = 2000;
/** What Markdown is given must not hold signs of ours already. */
const ours = /[\ue000-\uefff]/g;
const marks = /\ue002([\ue100-\uefff])\ue003*/g;

/** Fenced blocks, the last of which may still be open, and spans of code. */
const code =
  /^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\1[`~]*[ \t]*$|$(?![\s\S]))|(`{1,3})(?!`)[^\n]+?(?<!`)\2(?!`)/m;

/** Longer ones stay text: nothing that a person reads is so long, and the parser's time has an end. */
const formula =
  /\\[\\$]|\\\((?<inline>[\s\S]{1,2000}?)\\\)|\\\[(?<block>[\s\S]{1,4000}?)\\\]|\$\$(?<display>[^$]{1,4000}?)\$\$|(?<![\p{L}\p{N}$\\])\$(?=[^\s$])(?<dollar>[^$\n]{1,300}?)(?<=[^\s\\$])\$(?![\p{L}\p{N}$])/gu;

/** Commands, indices, powers, sums, a letter alone: money and words have none of these. */
function looksLikeMaths(tex: string): boolean {
  if (/[\\^_]/.test(tex)) return true;
  return /\p{L}/u.test(tex) && !/\p{L}{3}/u.test(tex) && /^[\p{L}\d\s+\-*/=<>≤≥≠±·×(),.!|'[\]]+$/u.test(tex);
}

/** Finds the formulas outside of code and puts marks in their place. Not `hasMaths`, a text has none. */
export function markMaths(answer: string, hasMaths: boolean): MarkedText {
  const formulas: Formula[] = [];
  const clean = answer.replace(ours, '\ufffd');
  if (!hasMaths || !/\$|\\[([]/.test(clean)) return { text: clean, formulas };
  const markIn = (piece: string): string =>
    piece.replace(formula, (whole, ...rest) => {
      const groups = rest.at(-1) as Partial<Record<'inline' | 'block' | 'display' | 'dollar', string>>;
      const tex = groups.inline ?? groups.block ?? groups.display ?? groups.dollar;
      if (tex === undefined || tex.trim() === '' || formulas.length >= mostFormulas) return whole;
      // "\[3\]" is a bracket of a quoted document, not a formula.
      if ((groups.block ?? groups.dollar) !== undefined && !looksLikeMaths(tex)) return whole;
      const number = String.fromCharCode(firstNumber + formulas.length);
      formulas.push({ tex: tex.trim(), isDisplay: groups.block !== undefined || groups.display !== undefined });
      return mark + number + filler.repeat(whole.length - 2);
    });
  let text = '';
  let rest = clean;
  for (let found = code.exec(rest); found !== null; found = code.exec(rest)) {
    text += markIn(rest.slice(0, found.index)) + found[0];
    rest = rest.slice(found.index + found[0].length);
  }
  return { text: text + markIn(rest), formulas };
}

export function countMarks(text: string): number {
  return text.split(mark).length - 1;
}

/** The pieces of a text: words, and the numbers of formulas. */
export function splitAtMarks(text: string): (string | number)[] {
  const pieces: (string | number)[] = [];
  let from = 0;
  for (const found of text.matchAll(marks)) {
    if (found.index > from) pieces.push(text.slice(from, found.index));
    pieces.push((found[1]?.charCodeAt(0) ?? firstNumber) - firstNumber);
    from = found.index + found[0].length;
  }
  if (from < text.length || pieces.length === 0) pieces.push(text.slice(from));
  return pieces;
}
