/** Makes the next things while the last one is used: reading, rounding and writing at the same time. */
export async function* ahead<Item, Made>(
  items: readonly Item[],
  depth: number,
  make: (item: Item) => Promise<Made>,
): AsyncGenerator<Made> {
  const underWay: Promise<Made>[] = [];
  let next = 0;
  try {
    while (next < items.length || underWay.length > 0) {
      while (next < items.length && underWay.length < depth) {
        const made = make(items[next++]!);
        made.catch(() => undefined); // it is told when its turn comes
        underWay.push(made);
      }
      yield await underWay.shift()!;
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}
