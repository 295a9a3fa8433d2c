/** From ids with scores to passages: read in their order, those that say the same folded into one. */
import { createFolding } from './fold.ts';
import type { Candidate, Fused } from './search.ts';
import type { PassageStore, StoredPassage } from './store.ts';

/** As many ids as one statement asks for. */
const mostReadAtOnce = 100;
/** So many other documents are named; a footer can stand in thousands. */
const mostOthers = 20;

/** The first candidates until `numWanted` that say different things are found; most need never be read. */
export function readCandidates(store: PassageStore, order: readonly Fused[], numWanted: number): Candidate[] {
  const looked: Candidate[] = [];
  const folding = createFolding();
  /** Of those that were given to the folding, in turn. */
  const taken: number[] = [];
  let numFound = 0;
  const size = Math.max(1, Math.min(numWanted, mostReadAtOnce));
  for (let first = 0; first < order.length && numFound < numWanted; first += size) {
    const some = order.slice(first, first + size);
    const stored = new Map(store.passages(some.map(({ passageId }) => passageId)).map((one) => [one.passageId, one]));
    for (const candidate of some) {
      const passage = stored.get(candidate.passageId) ?? null;
      if (passage === null) {
        looked.push({ ...candidate, passage, outcome: 'gone' });
        continue;
      }
      if (numFound === numWanted) break;
      taken.push(candidate.passageId);
      const folded = folding.take(passage.text);
      if (folded) {
        const repeats = { passageId: taken[folded.into]!, likeness: folded.likeness };
        looked.push({ ...candidate, passage, outcome: 'repeats', repeats });
      } else {
        looked.push({ ...candidate, passage, outcome: 'found' });
        numFound += 1;
      }
    }
  }
  return looked;
}

/** Passages of other documents that say the same as one: those that were folded into it, and all with exactly its text. */
export function othersSaying(
  store: PassageStore,
  passage: StoredPassage,
  looked: readonly Candidate[],
  within?: Float64Array,
): StoredPassage[] {
  const others = new Map<string, StoredPassage>();
  const nearly = looked.flatMap((one) => (one.repeats?.passageId === passage.passageId ? (one.passage ?? []) : []));
  for (const other of [...nearly, ...store.copiesOf(passage, mostOthers, within)])
    if (other.documentId !== passage.documentId && others.size < mostOthers && !others.has(other.documentId))
      others.set(other.documentId, other);
  return [...others.values()];
}
