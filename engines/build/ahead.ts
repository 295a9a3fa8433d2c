/** Work that runs ahead of whoever takes its results, within a bound of bytes: reading, packing and writing overlap. */

export type Room<Item> = {
  /** What an item holds while it is worked on and until its result is taken. */
  readonly bytesOf: (item: Item) => number;
  /** The most that all items in flight hold; a larger item runs alone. */
  readonly maxBytes: number;
};

/**
 * The results of `work` in the order of `items`. Work on later items goes on while a result is used. Leaving the loop
 * starts nothing more and waits for what runs, so that its files can be closed.
 */
export async function* ahead<Item, Result>(
  items: Iterable<Item>,
  work: (item: Item) => Promise<Result>,
  room: Room<Item>,
): AsyncGenerator<Result> {
  const waiting = items[Symbol.iterator]();
  const running: { bytes: number; result: Promise<Result> }[] = [];
  let next = waiting.next();
  let bytesInFlight = 0;
  try {
    for (;;) {
      while (!next.done) {
        const bytes = room.bytesOf(next.value);
        if (running.length > 0 && bytesInFlight + bytes > room.maxBytes) break;
        const result = work(next.value);
        result.catch(() => undefined); // told to whoever takes it; until then it is nobody's unhandled rejection
        running.push({ bytes, result });
        bytesInFlight += bytes;
        next = waiting.next();
      }
      const first = running[0];
      if (first === undefined) return;
      yield await first.result;
      running.shift();
      bytesInFlight -= first.bytes;
    }
  } finally {
    await Promise.allSettled(running.map(({ result }) => result));
  }
}
