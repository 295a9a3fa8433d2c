/** Names that somebody may have meant: for the sentence "did you mean …?". */

/** A checkpoint is untrusted: its names are looked at up to here. */
const maxNames = 50_000;
const maxLength = 200;

/**
 * The nearest of `names` to `wanted`, or null when none is near: one has a prefix that the other lacks, or a few letters
 * differ. Numbers must be equal: layer 1 is never meant by layer 0.
 */
export function nearestName(wanted: string, names: Iterable<string>): string | null {
  const numbers = numbersIn(wanted);
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 8)) + 1;
  let seen = 0;
  for (const name of names) {
    if (++seen > maxNames) break;
    if (name.length > maxLength || numbersIn(name) !== numbers) continue;
    const isPrefixed = name.endsWith(`.${wanted}`) || wanted.endsWith(`.${name}`);
    const distance = isPrefixed ? 1 : distanceOf(wanted, name, bestDistance);
    if (distance >= bestDistance) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
}

function numbersIn(name: string): string {
  return (name.match(/\d+/g) ?? []).join(' ');
}

/** How many letters must be put in, taken out or changed (Levenshtein); `limit` when it is that many or more. */
function distanceOf(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length]!;
}
