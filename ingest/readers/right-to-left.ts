/** Lines written from right to left: their pieces in reading order, and Arabic letters that were stored by their shape. */

/** What stands together on a line; `left` and `right` along the line. */
export type Piece = { text: string; left: number; right: number; size: number };

const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const rightToLeftLetters =
  /[\u05d0-\u05ea\u0620-\u064a\u066e-\u06d3\u0710-\u072f\u0750-\u077f\u08a0-\u08c9\ufb1d-\ufdff\ufe70-\ufefc]/g;
const otherLetters = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]/gu;
const leftToRightPiece = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Nd}]/u;

/** Whether a line is read from the right: most of its letters are. */
export function isRightToLeft(text: string): boolean {
  if (!rightToLeft.test(text)) return false;
  return (text.match(rightToLeftLetters)?.length ?? 0) > (text.match(otherLetters)?.length ?? 0);
}

/**
 * The text of a line that is read from the right. A PDF has its pieces as they stand on the page, from the left; numbers and
 * Latin words among them are read from the left nevertheless, side by side too.
 */
export function textFromRight(pieces: readonly Piece[]): string {
  const fromRight = [...pieces].sort((one, other) => other.left - one.left);
  const ordered: Piece[] = [];
  let run: Piece[] = [];
  const endRun = () => {
    ordered.push(...run.reverse());
    run = [];
  };
  for (const [at, piece] of fromRight.entries()) {
    const isOther = !rightToLeft.test(piece.text);
    const isLeftToRight = isOther && leftToRightPiece.test(piece.text);
    // A sign between two Latin words belongs to them; at the end of a run it is the line's own.
    const next = fromRight.slice(at + 1).find(({ text }) => rightToLeft.test(text) || leftToRightPiece.test(text));
    const isBetween = isOther && run.length > 0 && next !== undefined && !rightToLeft.test(next.text);
    if (isLeftToRight || isBetween) run.push(piece);
    else {
      endRun();
      ordered.push(isOther ? { ...piece, text: turned(piece.text) } : piece);
    }
  }
  endRun();
  let text = '';
  for (const [at, piece] of ordered.entries()) {
    const before = ordered[at - 1];
    const gap = before ? Math.max(before.left - piece.right, piece.left - before.right) : 0;
    const isApart = gap > piece.size * 0.15 && !/\s$/.test(text) && !/^\s/.test(piece.text);
    text += (isApart ? ' ' : '') + piece.text;
  }
  return text;
}

const mirrored: Record<string, string> = {
  '(': ')',
  ')': '(',
  '[': ']',
  ']': '[',
  '{': '}',
  '}': '{',
  '<': '>',
  '>': '<',
  '«': '»',
  '»': '«',
};

/** Signs as they are read from the right: the one that looks like "(" closes there. */
function turned(signs: string): string {
  return Array.from(signs, (sign) => mirrored[sign] ?? sign)
    .reverse()
    .join('');
}

/** Where the shapes of each letter begin in Unicode's block: alone and last, or alone, last, first and between. */
const startsOfTwo = '\ufe81\ufe83\ufe85\ufe87\ufe8d\ufe93\ufea9\ufeab\ufead\ufeaf\ufeed\ufeef\ufef5\ufef7\ufef9\ufefb';
const shapes = new Map<string, 'alone' | 'last' | 'first' | 'between'>();
for (let code = 0xfe81; code <= 0xfefc; ) {
  const size = startsOfTwo.includes(String.fromCharCode(code)) ? 2 : 4;
  for (const [at, shape] of (['alone', 'last', 'first', 'between'] as const).slice(0, size).entries())
    shapes.set(String.fromCharCode(code + at), shape);
  code += size;
}
const shaped = /[\ufb50-\ufdf1\ufdfc\ufe70-\ufefc]/;
const plainRun = /[\u0590-\u08ff](?:[^\p{L}\p{Nd}]*[\u0590-\u08ff])*/gu;

/**
 * Arabic letters instead of their shapes: some programs store "first ب", "last ب". Where the shapes also tell that a text has
 * its letters from left to right as they are seen, it is turned round; pdf.js does that with plain letters only.
 */
export function withoutShapes(text: string): string {
  if (!shaped.test(text)) return text;
  let numRead = 0;
  let numSeen = 0;
  const characters = Array.from(text);
  for (const [at, character] of characters.entries()) {
    const [one, other] = [shapes.get(character), shapes.get(characters[at + 1] ?? '')];
    if (!one || !other) continue;
    if (one !== 'last' && one !== 'alone' && (other === 'last' || other === 'between')) numRead += 1;
    if ((one === 'last' || one === 'between') && (other === 'first' || other === 'between')) numSeen += 1;
  }
  if (numSeen <= numRead) return unshaped(text);
  const seen = text.replace(plainRun, (run) => reversed(run));
  const read = reversed(seen).replace(
    /[\p{Script=Latin}\p{Nd}](?:[^\u0590-\u08ff\ufb50-\ufefc]*[\p{Script=Latin}\p{Nd}])?/gu,
    reversed,
  );
  return unshaped(read);
}

/** Marks stay behind the letters that they stand on. */
function reversed(text: string): string {
  return (text.match(/\P{M}\p{M}*|\p{M}+/gu) ?? []).reverse().join('');
}

function unshaped(text: string): string {
  return text.replace(/[\ufb50-\ufdf1\ufdfc\ufe70-\ufefc]/g, (shape) => shape.normalize('NFKC').trim());
}
