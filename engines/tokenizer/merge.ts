/**
 * Byte-pair merging with a heap: the best pair of neighbours first, the leftmost of equals, until no pair merges.
 * O(n log n) in the number of symbols, whatever the text.
 */

/** What two neighbours become: the lower `rank`, the sooner. */
export type Merge = { readonly rank: number; readonly piece: string };

/** Merges `symbols` by `find`, which says what a pair becomes or null. Returns the pieces left, in order. */
export function mergeSymbols(
  symbols: readonly string[],
  find: (left: string, right: string) => Merge | null,
): string[] {
  const count = symbols.length;
  const pieces: (string | null)[] = [...symbols];
  const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  const heap: Candidate[] = [];

  const consider = (left: number, right: number) => {
    if (left < 0 || right < 0) return;
    const merge = find(pieces[left]!, pieces[right]!);
    if (merge !== null) push(heap, { rank: merge.rank, left, piece: merge.piece });
  };
  for (let i = 0; i + 1 < count; i++) consider(i, i + 1);

  for (let best = pop(heap); best !== undefined; best = pop(heap)) {
    const { left, piece } = best;
    const right = next[left]!;
    // An older candidate: one of the two was merged since, and they do not make this piece any more.
    if (pieces[left] === null || right < 0) continue;
    if (pieces[left]!.length + pieces[right]!.length !== piece.length) continue;
    if (find(pieces[left]!, pieces[right]!)?.piece !== piece) continue;
    pieces[left] = piece;
    pieces[right] = null;
    const after = next[right]!;
    next[left] = after;
    if (after >= 0) previous[after] = left;
    consider(previous[left]!, left);
    consider(left, after);
  }
  return pieces.filter((piece) => piece !== null);
}

type Candidate = { readonly rank: number; readonly left: number; readonly piece: string };

function before(a: Candidate, b: Candidate): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.left < b.left);
}

function push(heap: Candidate[], candidate: Candidate): void {
  let at = heap.length;
  heap.push(candidate);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(candidate, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = candidate;
}

function pop(heap: Candidate[]): Candidate | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return top;
}
