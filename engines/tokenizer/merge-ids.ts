/**
 * Byte-pair merging over ids: the same as `mergeSymbols`, without texts. Languages that write no spaces make words of hundreds
 * of symbols that are never met again; there the merging itself is what takes the time.
 */

export type PairTable = {
  /** Where the merge of two neighbours stands, to be asked for its rank and result; -1 for none. */
  find(left: number, right: number): number;
  rankAt(place: number): number;
  resultAt(place: number): number;
};

/** `pairs`: left, right and result of each merge, in the order of their making; the first of equal pairs counts. */
export function createPairTable(pairs: Int32Array): PairTable {
  const count = pairs.length / 3;
  let capacity = 16;
  while (capacity < 2 * count) capacity *= 2;
  const lefts = new Int32Array(capacity).fill(-1);
  const rights = new Int32Array(capacity);
  const ranks = new Int32Array(capacity);
  const placeOf = (left: number, right: number): number => {
    const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    let place = (mixed ^ (mixed >>> 15)) & (capacity - 1);
    while (lefts[place] !== -1 && (lefts[place] !== left || rights[place] !== right))
      place = (place + 1) & (capacity - 1);
    return place;
  };
  for (let rank = 0; rank < count; rank++) {
    const place = placeOf(pairs[3 * rank]!, pairs[3 * rank + 1]!);
    if (lefts[place] !== -1) continue;
    lefts[place] = pairs[3 * rank]!;
    rights[place] = pairs[3 * rank + 1]!;
    ranks[place] = rank;
  }
  return {
    find(left, right) {
      if (left < 0 || right < 0) return -1;
      const place = placeOf(left, right);
      return lefts[place] === -1 ? -1 : place;
    },
    rankAt: (place) => ranks[place]!,
    resultAt: (place) => pairs[3 * ranks[place]! + 2]!,
  };
}

/** A rank and a position in one number: the lower, the sooner; of equal ranks the leftmost. */
const positions = 2 ** 26;

/** Merges in place; returns how many symbols are left at the start of `symbols`. A negative symbol merges with none. */
export function mergeIds(symbols: Int32Array, pairs: PairTable): number {
  const count = symbols.length;
  const next = new Int32Array(count);
  const previous = new Int32Array(count);
  const heap: number[] = [];
  const consider = (left: number, right: number) => {
    const place = pairs.find(symbols[left]!, symbols[right]!);
    if (place >= 0) push(heap, pairs.rankAt(place) * positions + left);
  };
  for (let i = 0; i < count; i++) {
    next[i] = i + 1 < count ? i + 1 : -1;
    previous[i] = i - 1;
  }
  for (let i = 0; i + 1 < count; i++) consider(i, i + 1);
  const isGone = new Uint8Array(count);
  let left = count;
  while (heap.length > 0) {
    const best = pop(heap);
    const at = best % positions;
    const right = next[at]!;
    if (isGone[at] === 1 || right < 0) continue;
    const place = pairs.find(symbols[at]!, symbols[right]!);
    // An older candidate: one of the two was merged since.
    if (place < 0 || pairs.rankAt(place) !== (best - at) / positions) continue;
    symbols[at] = pairs.resultAt(place);
    isGone[right] = 1;
    left--;
    const after = next[right]!;
    next[at] = after;
    if (after >= 0) {
      previous[after] = at;
      consider(at, after);
    }
    if (previous[at]! >= 0) consider(previous[at]!, at);
  }
  let end = 0;
  for (let i = 0; i < count; i++) if (isGone[i] === 0) symbols[end++] = symbols[i]!;
  return left;
}

function push(heap: number[], value: number): void {
  let at = heap.length;
  heap.push(value);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = value;
}

function pop(heap: number[]): number {
  const top = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return top;
}
