/**
 * What the passages and the question are written in, as far as it matters: an English embedder knows English, finds some
 * meaning in other languages with its letters, and next to none in other scripts.
 */
export type Writing = 'english' | 'latin' | 'other';

const englishWords = /\b(?:the|of|and|to|is|that|was|for|with|by|from|are|which)\b/giu;

/** Told by the passages, which are long, with the question: a question of two words has no language. */
export function writingOf(question: string, found: readonly { text: string }[]): Writing {
  const text = [...found.slice(0, 3).map((one) => one.text), question].join('\n').slice(0, 10_000);
  const numLetters = text.match(/\p{L}/gu)?.length ?? 0;
  const numLatin = text.match(/\p{Script=Latin}/gu)?.length ?? 0;
  if (numLatin < numLetters / 2) return 'other';
  const numWords = text.match(/[\p{L}\p{M}]+/gu)?.length ?? 0;
  return (text.match(englishWords)?.length ?? 0) >= numWords * 0.1 ? 'english' : 'latin';
}
