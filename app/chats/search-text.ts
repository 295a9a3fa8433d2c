import type { Turn } from '../contract/types.ts';
import { contentWords } from './sentences.ts';

/** A question with fewer content words than this, or one that points back, leans on the one before it. */
const fewWords = 3;
const pointsBack =
  /^(?:and|but|so|also|what about|how about|why)\b|\b(?:it|its|they|them|their|he|him|his|she|her|that one|this one|those|these)\b/i;

/** What is searched for: the question, with the one before it where it cannot stand alone ("and how high is it?"). */
export function searchText(question: string, earlier: readonly Turn[]): string {
  const last = earlier.at(-1);
  if (!last) return question;
  const leans = contentWords(question).length < fewWords || (pointsBack.test(question) && question.length < 120);
  return leans ? `${last.question}\n${question}` : question;
}
