/** Captions that roll: automatic ones show the last line again while the next one comes, and files of them say all twice. */

export type TimedText = { text: string; startSeconds: number; endSeconds: number };

/** From so large a share of captions that begin with what the one before ended with, it is no refrain. */
const leastShare = 0.5;
const fewestCaptions = 4;
/** Fewer words may meet by chance. */
const fewestWords = 2;

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/** How many words at the beginning of a text the text before it ends with. */
function numRepeated(before: readonly string[], words: readonly string[]): number {
  for (let count = Math.min(before.length, words.length); count > 0; count--) {
    const from = before.length - count;
    if (words.slice(0, count).every((word, at) => word === before[from + at])) return count;
  }
  return 0;
}

/** The captions with every word once, where they roll; as they are, where they do not. A caption keeps its own seconds. */
export function withoutRepeats<One extends TimedText>(captions: readonly One[]): One[] {
  const words = captions.map(({ text }) => wordsOf(text));
  const repeated = words.map((own, at) => (at === 0 ? 0 : numRepeated(words[at - 1]!, own)));
  const rolls = repeated.filter(
    (count, at) => count >= fewestWords || (count > 0 && count === words[at]!.length),
  ).length;
  if (captions.length < fewestCaptions || rolls < leastShare * (captions.length - 1)) return [...captions];
  const once: One[] = [];
  for (const [at, caption] of captions.entries()) {
    const own = words[at]!;
    const count = repeated[at]!;
    const fresh = count >= fewestWords || count === own.length ? own.slice(count) : own;
    const last = once.at(-1);
    if (fresh.length > 0) once.push({ ...caption, text: fresh.join(' ') });
    else if (last) last.endSeconds = Math.max(last.endSeconds, caption.endSeconds);
  }
  return once;
}
