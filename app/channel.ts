/** A queue between work that happens and a loop that reads of it. */

export type Channel<Item> = {
  push(item: Item): void;
  /** Nothing comes after this; what is waiting is still read. */
  end(): void;
  /** Like `end`, and the reader's loop throws. */
  fail(error: unknown): void;
  /** For one reader. Leaving its loop calls `onLeave`. */
  items: AsyncIterableIterator<Item>;
};

export type ChannelOptions<Item> = {
  /**
   * Items of the same key take each other's place while they wait: a slow reader gets the newest, not the history. An item
   * without a key always waits its turn.
   */
  keyOf?: (item: Item) => string | null;
  onLeave?: () => void;
};

export function createChannel<Item>({ keyOf, onLeave }: ChannelOptions<Item> = {}): Channel<Item> {
  const waiting: { key: string | null; item: Item }[] = [];
  let ended = false;
  let failure: { error: unknown } | undefined;
  let wake: (() => void) | undefined;

  async function* read(): AsyncGenerator<Item> {
    try {
      for (;;) {
        const next = waiting.shift();
        if (next) yield next.item;
        else if (failure) throw failure.error;
        else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      ended = true;
      onLeave?.();
    }
  }

  return {
    push(item) {
      if (ended) return;
      const key = keyOf?.(item) ?? null;
      const same = key === null ? undefined : waiting.find((one) => one.key === key);
      if (same) same.item = item;
      else waiting.push({ key, item });
      wake?.();
    },
    end() {
      ended = true;
      wake?.();
    },
    fail(error) {
      if (ended) return;
      failure = { error };
      ended = true;
      wake?.();
    },
    items: read(),
  };
}
