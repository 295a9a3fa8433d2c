/** Work in the background gives way at once to a person who asks, and goes on when the answer is there. */
export type Courtesy = {
  /** A person asks; to be called when they have been answered. */
  begin(): () => void;
  isAsked(): boolean;
  /** Resolves while nobody asks, or when the signal aborts. */
  quiet(signal: AbortSignal): Promise<void>;
  /** Aborts when a person asks next. */
  interruption(): AbortSignal;
};

export function createCourtesy(): Courtesy {
  let numAsking = 0;
  let interruption = new AbortController();
  const waiting = new Set<() => void>();
  return {
    begin() {
      numAsking += 1;
      interruption.abort();
      interruption = new AbortController();
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        numAsking -= 1;
        if (numAsking > 0) return;
        for (const wake of waiting) wake();
        waiting.clear();
      };
    },
    isAsked: () => numAsking > 0,
    async quiet(signal) {
      while (numAsking > 0 && !signal.aborted)
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
    },
    interruption: () => interruption.signal,
  };
}
