/** Measures of a ranked list against what is known to be relevant, as BEIR and trec_eval define them. */

export type Qrels = Map<string, Map<string, number>>;

export type RetrievalMetrics = {
  'recall@1': number;
  'recall@5': number;
  'recall@10': number;
  'mrr@10': number;
  'ndcg@10': number;
};

/** Relevant documents among the first `depth`, as a share of all relevant ones. */
function recall(ranking: string[], relevant: Map<string, number>, depth: number): number {
  return ranking.slice(0, depth).filter((id) => (relevant.get(id) ?? 0) > 0).length / relevant.size;
}

function reciprocalRank(ranking: string[], relevant: Map<string, number>, depth: number): number {
  const rank = ranking.slice(0, depth).findIndex((id) => (relevant.get(id) ?? 0) > 0);
  return rank < 0 ? 0 : 1 / (rank + 1);
}

/** Gains are the grades themselves (trec_eval's ndcg), discounted by log2 of the rank + 1. */
function ndcg(ranking: string[], relevant: Map<string, number>, depth: number): number {
  const gain = (grades: number[]): number =>
    grades.slice(0, depth).reduce((sum, grade, index) => sum + grade / Math.log2(index + 2), 0);
  const best = gain([...relevant.values()].sort((first, second) => second - first));
  return best === 0 ? 0 : gain(ranking.map((id) => relevant.get(id) ?? 0)) / best;
}

/** The mean over all queries that have at least one relevant document. */
export function retrievalMetrics(rankings: Map<string, string[]>, qrels: Qrels): RetrievalMetrics {
  const queries = [...qrels].map(([query, grades]) => ({
    ranking: rankings.get(query) ?? [],
    relevant: new Map([...grades].filter(([, grade]) => grade > 0)),
  }));
  const judged = queries.filter(({ relevant }) => relevant.size > 0);
  const mean = (measure: (ranking: string[], relevant: Map<string, number>) => number): number =>
    judged.reduce((sum, { ranking, relevant }) => sum + measure(ranking, relevant), 0) / Math.max(1, judged.length);
  return {
    'recall@1': mean((ranking, relevant) => recall(ranking, relevant, 1)),
    'recall@5': mean((ranking, relevant) => recall(ranking, relevant, 5)),
    'recall@10': mean((ranking, relevant) => recall(ranking, relevant, 10)),
    'mrr@10': mean((ranking, relevant) => reciprocalRank(ranking, relevant, 10)),
    'ndcg@10': mean((ranking, relevant) => ndcg(ranking, relevant, 10)),
  };
}
