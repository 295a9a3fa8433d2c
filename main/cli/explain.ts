/** How the command line shows why a search found what it found. */
import type { Core } from '../compose.ts';
import { placeWords } from './places.ts';

type Explanation = NonNullable<Awaited<ReturnType<Core['handlers']['search']>>['explanation']>;
type Candidate = Explanation['candidates'][number];

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** The query, what was asked about it, and a line for each candidate with its scores and what became of it. */
export function explanationWords({ query, embedder, reranking, candidates }: Explanation): string {
  const shown = candidates.filter(({ outcome }) => outcome === 'found').length;
  return [
    `Query: ${query}`,
    `By words: BM25. By meaning: ${embedder ?? 'no embedder is in use'}. Reranker: ${rerankerWords(reranking)}.`,
    `${candidates.length} candidates, ${shown} shown.`,
    '',
    '  #    words  meaning    fused  reranker',
    ...candidates.map((candidate, index) => candidateWords(candidate, index, candidates)),
  ].join('\n');
}

function rerankerWords(reranking: Explanation['reranking']): string {
  if (reranking.type === 'none') return 'none in use';
  const { model, tookMs } = reranking;
  if (reranking.type === 'done') return `${model} put ${reranking.numScored} in order, in ${seconds(tookMs)}`;
  const what = reranking.why === 'slow' ? `had read ${reranking.numScored} passages` : 'failed';
  return `${model} ${what} after ${seconds(tookMs)} and was given up, so the order is that without it`;
}

const outcomes: Readonly<Record<Exclude<Candidate['outcome'], 'found'>, string>> = {
  repeats: 'folded, says the same as another',
  'past-limit': 'dropped, others are better',
  gone: 'dropped, gone from the library',
};

/** "folded, says the same as plan.pdf, p. 3: 94 % of the runs of three words" */
function whyDropped({ outcome, repeats }: Candidate, candidates: readonly Candidate[]): string {
  if (outcome === 'found') return '';
  if (!repeats) return `[${outcomes[outcome]}] `;
  const into = candidates.find(({ passageId }) => passageId === repeats.passageId)?.passage;
  const how =
    repeats.likeness === 1 ? 'word for word' : `${Math.round(100 * repeats.likeness)} % of the runs of three words`;
  return `[folded, says the same as ${into ? whereOf(into) : 'another'}: ${how}] `;
}

function candidateWords(candidate: Candidate, index: number, candidates: readonly Candidate[]): string {
  const { wordScore, similarity, score, rerankScore, outcome, passage } = candidate;
  const column = (value: number | null, width: number): string =>
    (value === null ? '–' : value.toFixed(3)).padStart(width);
  const place = outcome === 'found' ? String(index + 1) : '–';
  const scores = `${column(wordScore, 8)} ${column(similarity, 8)} ${column(score, 8)} ${column(rerankScore, 9)}`;
  const why = whyDropped(candidate, candidates);
  return `${place.padStart(3)} ${scores}  ${why}${passage ? passageWords(passage) : ''}`.trimEnd();
}

function whereOf({ source, place }: NonNullable<Candidate['passage']>): string {
  return [source, placeWords(place)].filter((part) => part !== '').join(', ');
}

function passageWords(passage: NonNullable<Candidate['passage']>): string {
  const twins = passage.alsoIn ?? [];
  const also = twins.length > 0 ? ` (also in ${twins.map(({ source }) => source).join(', ')})` : '';
  return `${whereOf(passage)}${also}: ${passage.text.replace(/\s+/g, ' ').slice(0, 80)}`;
}
