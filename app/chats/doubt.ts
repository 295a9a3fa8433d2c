/**
 * Whether the passages, though they speak of the question, may not say what it asks: "In which country was the Rose Revolution of
 * 2004?" where they tell of the one of 2003. No reason to refuse: a remark beside the answer.
 *
 * A logistic model over a few signs (`doubt-signs.ts`), learned from SQuAD 2.0, whose unanswerable questions are made to look
 * answerable; so in English, and for embedders that were measured. Set so that few answers are remarked upon in vain;
 * test/eval/finding.md has the figures. The vectors of some 20 sentences take about a tenth of a second, while the chat model
 * reads its prompt.
 */
import type { Embedder } from '../../ingest/embedder.ts';
import { writingOf } from '../../ingest/writing.ts';
import { doubts } from './calibrations.ts';
import {
  type DoubtSigns,
  doubtSignNames,
  doubtSignsOf,
  sentencesToWeigh,
  type WeighedSentence,
} from './doubt-signs.ts';
import type { Sighted } from './signs.ts';

/** Log-odds that the passages answer = bias + Σ weight × sign; below `least` they may not. */
export type Doubt = { bias: number; weights: Readonly<DoubtSigns>; least: number };

export type Weighing = Pick<Embedder, 'id' | 'dimension' | 'embed'>;

/** The sentences that the signs look at, each with the cosine of its vector and the question's. */
export async function weigh(
  question: string,
  found: readonly Pick<Sighted, 'text'>[],
  { dimension, embed }: Weighing,
  signal?: AbortSignal,
): Promise<WeighedSentence[]> {
  const sentences = sentencesToWeigh(found);
  if (sentences.length === 0) return [];
  const asked = await embed([question], signal, 'query');
  const rows = await embed(
    sentences.map(({ text }) => text),
    signal,
    'passage',
  );
  return sentences.map((one, at) => ({
    ...one,
    similarity: dot(asked, rows.subarray(at * dimension, (at + 1) * dimension)),
  }));
}

export function doubtOddsOf({ bias, weights }: Doubt, signs: DoubtSigns): number {
  return doubtSignNames.reduce((sum, name) => sum + weights[name] * signs[name], bias);
}

/** Of unit vectors, their cosine. */
function dot(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, at) => sum + value * other[at]!, 0);
}

/** `found`: what the search gave, best first. False in other languages, and with an embedder that was not measured. */
export async function isDoubtful(
  question: string,
  found: readonly Pick<Sighted, 'text'>[],
  embedder: Weighing | null,
  signal?: AbortSignal,
): Promise<boolean> {
  const doubt = embedder && doubts[embedder.id.split('@')[0]!];
  if (!doubt || !embedder) return false;
  if (writingOf(question, found) !== 'english' || writingOf(question, []) === 'other') return false;
  const weighed = await weigh(question, found, embedder, signal);
  return weighed.length > 0 && doubtOddsOf(doubt, doubtSignsOf(question, found, weighed)) < doubt.least;
}
