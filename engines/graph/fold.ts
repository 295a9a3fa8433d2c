/** Finds the layers of a program: the longest stretch that is one piece said several times. */

export type Fold = {
  /** Where the first of the repeats begins, how long it is, how often it is said in all. */
  readonly start: number;
  readonly length: number;
  readonly times: number;
};

/** A graph of more operations is shown as it is: the search takes the square of their number. */
const maxItems = 4000;

/** The repeats that cover the most items; of equals the shortest piece, then the first. `times` 1 = nothing repeats. */
export function foldRepeats(items: readonly string[]): Fold {
  let best: Fold = { start: 0, length: items.length, times: 1 };
  if (items.length > maxItems) return best;
  let mostCovered = 0;
  for (let length = 1; length <= items.length / 2; length++) {
    let run = 0;
    for (let at = 0; at + length < items.length; at++) {
      run = items[at] === items[at + length] ? run + 1 : 0;
      const times = Math.floor(run / length) + 1;
      // A single operation twice in a row is no layer.
      const covered = length < 4 ? 0 : times * length;
      if (times < 2 || covered <= mostCovered) continue;
      mostCovered = covered;
      best = { start: at + 1 - run, length, times };
    }
  }
  return best;
}
