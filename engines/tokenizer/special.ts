/** Finds control and user-defined pieces in text, longest first. */
import { pieceKinds } from './types.ts';

type Part = string | { readonly id: number };

/**
 * Returns a function that cuts a text at its special pieces. With `controls` false, only user-defined pieces that are
 * plain text cut; those that look like markup (`<|end|>`, `[INST]`) count as control tokens, whatever the file says.
 */
export function splitSpecial(pieces: readonly string[], kindOf: (id: number) => number) {
  const all = new Map<string, number>();
  const plain = new Map<string, number>();
  pieces.forEach((piece, id) => {
    const kind = kindOf(id);
    if (piece === '') return;
    if (kind === pieceKinds.control || kind === pieceKinds.unknown || kind === pieceKinds.userDefined)
      all.set(piece, id);
    if (kind === pieceKinds.userDefined && !isMarkup(piece)) plain.set(piece, id);
  });
  const allPattern = patternOf([...all.keys()]);
  const plainPattern = patternOf([...plain.keys()]);

  return (text: string, controls: boolean): Part[] => {
    const pattern = controls ? allPattern : plainPattern;
    const ids = controls ? all : plain;
    if (pattern === null) return text === '' ? [] : [text];
    const parts: Part[] = [];
    let end = 0;
    for (const match of text.matchAll(pattern)) {
      if (match.index > end) parts.push(text.slice(end, match.index));
      parts.push({ id: ids.get(match[0])! });
      end = match.index + match[0].length;
    }
    if (end < text.length) parts.push(text.slice(end));
    return parts;
  };
}

/**
 * Whether a piece that the file calls the user's looks like a control token of the model: `<|end|>`, `[INST]`. Names of HTML's
 * elements do not (Gemma has them); `<s>` does, for it is another model's start.
 */
export function isMarkup(piece: string): boolean {
  return /^[<[].*[>\]]$/su.test(piece) && !htmlElement.test(piece);
}
const htmlElement =
  /^<\/?(?:table|caption|thead|tbody|tfoot|tr|th|td|h[1-6]|blockquote|ul|ol|li|strong|em|b|i|u|sub|sup|code|a|img|p|br|hr|div|span|pre)>$/;

/** Matches any of the names, the longest of those that begin at one place; null for none. */
export function patternOf(names: readonly string[]): RegExp | null {
  const longestFirst = names.filter((name) => name !== '').sort((a, b) => b.length - a.length);
  if (longestFirst.length === 0) return null;
  return new RegExp(longestFirst.map((name) => name.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')).join('|'), 'g');
}
