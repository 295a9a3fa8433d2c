/**
 * Measures how well passages are found, on a collection in BEIR's format (Thakur et al., NeurIPS 2021): `corpus.jsonl`,
 * `queries.jsonl` and `qrels/test.tsv` or `qrels.tsv`. The metrics are those of trec_eval as BEIR uses it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

export type Collection = {
  documents: { corpusId: string; title: string; text: string }[];
  /** Only those that have a judgement. */
  queries: { queryId: string; text: string }[];
  /** By query: how relevant (above 0) which documents are. */
  judgements: Map<string, Map<string, number>>;
};

export type RankingScores = {
  recallAt1: number;
  recallAt5: number;
  recallAt10: number;
  mrrAt10: number;
  ndcgAt10: number;
};

export type RetrievalScores = RankingScores & { numQueries: number; medianMs: number; p95Ms: number };

/** Reads a collection's folder. Fails with a sentence that names the file and line at fault. */
export async function readCollection(folder: string): Promise<Collection> {
  const documents: Collection['documents'] = [];
  await eachLine(path.join(folder, 'corpus.jsonl'), (line) => {
    const { _id, title, text } = JSON.parse(line) as Record<string, unknown>;
    documents.push({ corpusId: toText(_id, '_id'), title: toText(title ?? '', 'title'), text: toText(text, 'text') });
  });

  const judgements: Collection['judgements'] = new Map();
  const qrels = [path.join(folder, 'qrels', 'test.tsv'), path.join(folder, 'qrels.tsv')];
  await eachLine(qrels.find((file) => fs.existsSync(file)) ?? qrels[0]!, (line) => {
    const [queryId = '', corpusId = '', score = ''] = line.split('\t');
    if (score.trim() === 'score') return; // the heading
    if (!/^-?\d+$/.test(score.trim())) throw new Error('a judgement is: query id, document id, a whole number');
    if (Number(score) <= 0) return;
    const relevant = judgements.get(queryId) ?? new Map<string, number>();
    judgements.set(queryId, relevant.set(corpusId, Number(score)));
  });

  const queries: Collection['queries'] = [];
  await eachLine(path.join(folder, 'queries.jsonl'), (line) => {
    const { _id, text } = JSON.parse(line) as Record<string, unknown>;
    const query = { queryId: toText(_id, '_id'), text: toText(text, 'text') };
    if (judgements.has(query.queryId)) queries.push(query);
  });
  return { documents, queries, judgements };
}

/**
 * Asks every query and averages the scores of what comes back. `find` gives ids of the corpus, best first; a document
 * that comes more than once (by several of its passages) counts at its best place.
 */
export async function evaluateRetrieval(
  collection: Collection,
  find: (question: string, limit: number) => Promise<string[]>,
  { nowMs, onProgress }: { nowMs: () => number; onProgress?: (numDone: number, numQueries: number) => void },
): Promise<RetrievalScores> {
  const { queries, judgements } = collection;
  const sums: RankingScores = { recallAt1: 0, recallAt5: 0, recallAt10: 0, mrrAt10: 0, ndcgAt10: 0 };
  const times: number[] = [];
  for (const { queryId, text } of queries) {
    const startMs = nowMs();
    // Passages of one document may fill the first places: more are asked for than are judged.
    const ranking = await find(text, 50);
    times.push(nowMs() - startMs);
    const scores = scoreRanking(ranking, judgements.get(queryId) ?? new Map());
    for (const name of Object.keys(sums) as (keyof RankingScores)[]) sums[name] += scores[name];
    onProgress?.(times.length, queries.length);
  }
  times.sort((a, b) => a - b);
  const numQueries = queries.length;
  const averages = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / Math.max(1, numQueries)]));
  return {
    ...(averages as RankingScores),
    numQueries,
    medianMs: times[Math.floor(numQueries / 2)] ?? 0,
    p95Ms: times[Math.floor(numQueries * 0.95)] ?? 0,
  };
}

/** The scores of one ranking. nDCG: gain = relevance, discount log2(1 + place), over the best ranking possible. */
export function scoreRanking(ranking: string[], relevant: ReadonlyMap<string, number>): RankingScores {
  const places = [...new Set(ranking)].slice(0, 10);
  const numFound = (cutoff: number) => places.slice(0, cutoff).filter((id) => relevant.has(id)).length;
  const recallAt = (cutoff: number) => (relevant.size === 0 ? 0 : numFound(cutoff) / relevant.size);
  const first = places.findIndex((id) => relevant.has(id));
  const gainOf = (gains: number[]) => gains.reduce((sum, gain, place) => sum + gain / Math.log2(place + 2), 0);
  const best = gainOf([...relevant.values()].sort((a, b) => b - a).slice(0, 10));
  return {
    recallAt1: recallAt(1),
    recallAt5: recallAt(5),
    recallAt10: recallAt(10),
    mrrAt10: first < 0 ? 0 : 1 / (first + 1),
    ndcgAt10: best === 0 ? 0 : gainOf(places.map((id) => relevant.get(id) ?? 0)) / best,
  };
}

async function eachLine(file: string, take: (line: string) => void): Promise<void> {
  let numLines = 0;
  for await (const line of createInterface({
    input: fs.createReadStream(file, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    numLines += 1;
    if (line.trim() === '') continue;
    try {
      take(line);
    } catch (error) {
      throw new Error(`${path.basename(file)}, line ${numLines}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

function toText(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value); // some collections have numbers for ids
  throw new Error(`"${name}" is not a text`);
}
