import type { PhrasingContent, Root, RootContent, Text } from 'mdast';
import { splitAtMarks } from './maths.ts';

type Parent = { type: string; children: RootContent[] };

/** A stretch of the source, by its places in it. */
export type Stretch = { start: number; endExclusive: number };

/**
 * Puts formulas where their marks stand (`maths.ts`), and marks the sentences for which no quote was found. Comes before the
 * citations: it goes by the places of the source.
 */
export function remarkAnswer({ unsupported }: { unsupported: readonly Stretch[] }) {
  return (tree: Root, file: { value: unknown }): void => walk(tree, String(file.value), unsupported);
}

function walk(parent: Parent | Root, source: string, unsupported: readonly Stretch[]): void {
  parent.children = parent.children.flatMap((child): RootContent[] => {
    if (child.type === 'text')
      return splitAtSentences(child, source, unsupported).flatMap(({ node, isUnsupported }) => {
        const words = withFormulas(node);
        return isUnsupported ? [span(words)] : words;
      });
    if ('children' in child) walk(child as Parent, source, unsupported);
    return [child];
  }) as typeof parent.children;
}

type Piece = { node: Text; isUnsupported: boolean };

/** The text cut where unsupported sentences begin and end. Where its places cannot be told, it is one piece. */
function splitAtSentences(node: Text, source: string, unsupported: readonly Stretch[]): Piece[] {
  const start = node.position?.start.offset;
  const endExclusive = node.position?.end.offset;
  if (start === undefined || endExclusive === undefined || unsupported.length === 0)
    return [{ node, isUnsupported: false }];
  const inside = unsupported.filter((one) => one.start < endExclusive && start < one.endExclusive);
  if (inside.length === 0) return [{ node, isUnsupported: false }];
  if (inside.some((one) => one.start <= start && endExclusive <= one.endExclusive))
    return [{ node, isUnsupported: true }];
  const places = placesOf(node.value, source.slice(start, endExclusive));
  if (places === null) return [{ node, isUnsupported: false }];
  const cuts = [start, ...inside.flatMap((one) => [one.start, one.endExclusive]), endExclusive]
    .filter((cut) => cut >= start && cut <= endExclusive)
    .toSorted((a, b) => a - b);
  return cuts.slice(1).flatMap((to, index): Piece[] => {
    const from = cuts[index] ?? start;
    const value = node.value.slice(places(from - start), places(to - start));
    if (value === '' || !node.position) return [];
    const position = {
      start: { ...node.position.start, offset: from },
      end: { ...node.position.end, offset: to },
    };
    const isUnsupported = inside.some((one) => one.start <= from && to <= one.endExclusive);
    return [{ node: { ...node, value, position }, isUnsupported }];
  });
}

/** From a place in what was written to the one in what it says: escapes are shorter there. Null where that cannot be told. */
function placesOf(value: string, written: string): ((place: number) => number) | null {
  if (value === written) return (place) => place;
  const shorter: number[] = [];
  const said = written.replace(/\\([!-/:-@[-`{-~])/g, (_, sign: string, place: number) => {
    shorter.push(place);
    return sign;
  });
  return said === value ? (place) => place - shorter.filter((one) => one < place).length : null;
}

function withFormulas(node: Text): PhrasingContent[] {
  const pieces = splitAtMarks(node.value);
  if (pieces.length === 1 && typeof pieces[0] === 'string') return [node];
  return pieces.map((piece) => (typeof piece === 'string' ? { type: 'text', value: piece } : formulaOf(piece)));
}

/** Elements of our own, by the hints that the step to HTML understands. */
function formulaOf(number: number): PhrasingContent {
  return { type: 'emphasis', data: { hName: 'var', hProperties: { title: String(number) } }, children: [] };
}

function span(children: PhrasingContent[]): PhrasingContent {
  return { type: 'emphasis', data: { hName: 'span' }, children };
}
