import type { PhrasingContent, Root, RootContent, Text } from 'mdast';

type Parent = { children: RootContent[] };

const wordJoiner = '\u2060';
/** Stands for a bracket that was written `\[`: the words of a document, not a citation. */
const plainBracket = '\uE000';
const numbers = /\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/g;

/**
 * Turns `[3]` and `[1, 2]` in an answer into `cite` elements, and pictures into their descriptions: nothing that an answer
 * says may be fetched. `\\[3]` stays as it is: quotes hold the brackets of their documents. A reference definition for a number (`[1]: https://…`) does not make a link of it.
 */
export function remarkCitations() {
  return (tree: Root, file: { value: unknown }): void => walk(tree as Parent, String(file.value));
}

function walk(parent: Parent, source: string): void {
  parent.children = parent.children.flatMap((child): RootContent[] => {
    if (child.type === 'text') return split(withPlainBrackets(child, source));
    if (child.type === 'image' || child.type === 'imageReference') return [{ type: 'text', value: child.alt ?? '' }];
    if (child.type === 'linkReference' && /^\d{1,3}$/.test(child.label ?? '')) {
      const words = child.referenceType === 'full' ? child.children : [];
      return [...words, cite(Number(child.label))];
    }
    if ('children' in child && child.type !== 'link' && child.type !== 'linkReference') walk(child as Parent, source);
    return [child];
  });
}

/** The text of a node with the brackets marked that its source escapes; the text itself where that cannot be told. */
function withPlainBrackets({ value, position }: Text, source: string): string {
  const written = source.slice(position?.start.offset ?? 0, position?.end.offset ?? 0);
  if (!written.includes('\\[')) return value;
  const marked = written.replace(/\\([!-/:-@[-`{-~])/g, (_, sign: string) => (sign === '[' ? plainBracket : sign));
  return marked.replaceAll(plainBracket, '[') === value ? marked : value;
}

function split(value: string): PhrasingContent[] {
  const parts: PhrasingContent[] = [];
  let from = 0;
  for (const match of value.matchAll(numbers)) {
    // A number hangs on the word before it, and never starts a line; nor does the full stop after it.
    const before = value.slice(from, match.index).replaceAll(plainBracket, '[').trimEnd();
    const start = from > 0 && /^\p{P}/u.test(before) ? wordJoiner : '';
    if (before !== '' || parts.length === 0) parts.push({ type: 'text', value: `${start}${before}${wordJoiner}` });
    for (const n of match[1]?.split(',') ?? []) parts.push(cite(Number(n)));
    from = match.index + match[0].length;
  }
  const rest = value.slice(from).replaceAll(plainBracket, '[');
  if (rest !== '') parts.push({ type: 'text', value: from > 0 && /^\p{P}/u.test(rest) ? wordJoiner + rest : rest });
  return parts;
}

/** An element of its own, by the hints that the step to HTML understands. */
function cite(n: number): PhrasingContent {
  return { type: 'emphasis', data: { hName: 'cite', hProperties: { title: String(n) } }, children: [] };
}
