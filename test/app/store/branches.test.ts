import { describe, expect, it } from 'vitest';
import { growTree, type TurnNode } from '../../../app/store/branches.ts';

const node = (id: string, parentId: string | null, isShown = true): TurnNode => ({ id, parentId, isShown });
const ids = (nodes: TurnNode[]): string => nodes.map(({ id }) => id).join(' ');

describe('the tree of a chat', () => {
  const nodes = [
    node('a', null, false),
    node('b', 'a'),
    node('c', 'b', false),
    node('a2', null),
    node('d', 'a2', false),
    node('c2', 'b'),
    node('d2', 'a2'),
  ];

  it('shows one way through it', () => {
    expect(ids(growTree(nodes).shown)).toBe('a2 d2');
    expect(ids(growTree([]).shown)).toBe('');
  });

  it('knows what stands in the same place, and the way to each turn', () => {
    const tree = growTree(nodes);
    expect(ids(tree.siblingsOf('c2'))).toBe('c c2');
    expect(ids(tree.siblingsOf('a'))).toBe('a a2');
    expect(ids(tree.siblingsOf('nobody'))).toBe('');
    expect(ids(tree.pathTo('c2'))).toBe('a b c2');
    expect(ids(tree.pathTo('nobody'))).toBe('');
  });

  it('shows the newest where none is marked, and hangs a turn whose parent is lost on the one before it', () => {
    expect(ids(growTree([node('a', null, false), node('b', null, false)]).shown)).toBe('b');
    expect(ids(growTree([node('a', null), node('c', 'lost'), node('d', 'c')]).shown)).toBe('a c d');
    expect(ids(growTree([node('c', 'lost')]).shown)).toBe('c');
    expect(ids(growTree([node('c', 'c')]).shown)).toBe('c');
  });
});
