/** Ends a stream of text at the first stop string, which may arrive in pieces. */

export type StopFilter = {
  /** The text that may be shown now. A tail that could be the beginning of a stop string is held back. */
  push(text: string): string;
  /** What was held back, at the end. Nothing after a stop string. */
  flush(): string;
  readonly stopped: boolean;
};

export function createStopFilter(stopStrings: readonly string[]): StopFilter {
  let held = '';
  let stopped = false;
  return {
    push(text) {
      if (stopped) return '';
      held += text;
      const at = Math.min(
        ...stopStrings.map((stop) => held.indexOf(stop)).map((index) => (index < 0 ? Infinity : index)),
      );
      if (at !== Infinity) {
        stopped = true;
        const shown = held.slice(0, at);
        held = '';
        return shown;
      }
      const keep = longestBeginning(held, stopStrings);
      const shown = held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return shown;
    },
    flush() {
      const rest = stopped ? '' : held;
      held = '';
      return rest;
    },
    get stopped() {
      return stopped;
    },
  };
}

/** How many characters at the end of `text` are the beginning of a stop string. */
function longestBeginning(text: string, stopStrings: readonly string[]): number {
  let longest = 0;
  for (const stop of stopStrings)
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
      if (text.endsWith(stop.slice(0, length))) longest = length;
  return longest;
}
