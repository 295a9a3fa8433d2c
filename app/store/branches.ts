/** The tree of a chat's turns, and the one way through it that is shown. */

export type TurnNode = { id: string; parentId: string | null; isShown: boolean };

export type Tree = {
  /** The shown branch, from the first question to the last. */
  shown: TurnNode[];
  /** The turns in the same place as this one, itself among them, oldest first. */
  siblingsOf(id: string): TurnNode[];
  /** From the first question to this turn; empty when it is none of the chat's. */
  pathTo(id: string): TurnNode[];
};

/** `nodes` in the order in which they were asked. One whose parent is lost follows the turn that was asked before it. */
export function growTree(nodes: TurnNode[]): Tree {
  const parents = new Map<string, TurnNode | null>();
  const byId = new Map<string, TurnNode>();
  const children = new Map<string | null, TurnNode[]>();
  nodes.forEach((node, index) => {
    const named = node.parentId === null ? null : byId.get(node.parentId);
    const parent = named === undefined ? (nodes[index - 1] ?? null) : named;
    byId.set(node.id, node);
    parents.set(node.id, parent);
    const known = children.get(parent?.id ?? null);
    if (known) known.push(node);
    else children.set(parent?.id ?? null, [node]);
  });
  const shown: TurnNode[] = [];
  for (let here: string | null = null; ; ) {
    const next: TurnNode[] = children.get(here) ?? [];
    const node: TurnNode | undefined = next.findLast(({ isShown }) => isShown) ?? next.at(-1);
    if (!node) break;
    shown.push(node);
    here = node.id;
  }
  return {
    shown,
    siblingsOf: (id) => (byId.has(id) ? (children.get(parents.get(id)?.id ?? null) ?? []) : []),
    pathTo(id) {
      const path: TurnNode[] = [];
      for (let node = byId.get(id) ?? null; node; node = parents.get(node.id) ?? null) path.unshift(node);
      return path;
    },
  };
}
