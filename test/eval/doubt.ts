/** Questions that are made to look answerable, with the signs of `app/chats/doubt.ts`, and what is learned from them. */
import { type Doubt, weigh } from '../../app/chats/doubt.ts';
import { type DoubtSigns, doubtSignNames, doubtSignsOf } from '../../app/chats/doubt-signs.ts';
import { casesOf } from './cases.ts';
import { fitLogistic, quantile, type Row } from './logistic.ts';
import type { Vectors } from './vectors.ts';

export type DoubtCase = {
  half: 'tune' | 'report';
  isAnswerable: boolean;
  /** The best cosine of the question and a passage: what others go by. */
  likeness: number;
  signs: DoubtSigns;
};

/** Of the answerable questions that were learned from, so many are remarked upon. */
const remarkedOfAnswerable = 0.03;

/** SQuAD 2.0's questions, both kinds, with what the search finds in all of its articles. */
export async function doubtCases(step: number, vectors: Vectors): Promise<DoubtCase[]> {
  const { embedderId: id, dimension } = vectors;
  const embed = async (texts: readonly string[], _signal?: AbortSignal, as: 'passage' | 'query' = 'passage') => {
    const rows = await vectors.of(texts, as);
    const block = new Float32Array(rows.length * dimension);
    for (const [at, row] of rows.entries()) block.set(row, at * dimension);
    return block;
  };
  const doubtful: DoubtCase[] = [];
  for (const { half, kind, question, found } of await casesOf('squad2', step, vectors)) {
    if (found.length === 0) continue;
    const signs = doubtSignsOf(question, found, await weigh(question, found, { id, dimension, embed }));
    const likeness = Math.max(...found.map(({ similarity }) => similarity ?? 0));
    doubtful.push({ half, isAnswerable: kind === 'on', likeness, signs });
  }
  return doubtful;
}

export function learnDoubt(cases: readonly DoubtCase[]): Doubt {
  const rows: Row[] = cases.map(({ signs, isAnswerable }) => ({
    signs: doubtSignNames.map((name) => signs[name]),
    isPositive: isAnswerable,
    weight: 1,
  }));
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  const [bias, ...fitted] = fitLogistic(rows, 1e-2).map(round);
  const weights = Object.fromEntries(doubtSignNames.map((name, at) => [name, fitted[at]!])) as DoubtSigns;
  const odds = rows
    .filter(({ isPositive }) => isPositive)
    .map(({ signs }) => signs.reduce((sum, sign, at) => sum + sign * fitted[at]!, bias!));
  return { bias: bias!, weights, least: round(quantile(odds, remarkedOfAnswerable)) };
}
