/**
 * Questions for refusal: each with what the app's search found for it, in a library that holds its article and in one that does
 * not. Leaving out one article at a time asks the same question twice, once with an answer and once without.
 */
import type { FoundPassage } from '../../ingest/search.ts';
import { halfOf, namedSet, type QuestionSet, type SetQuery } from './collections.ts';
import { openLibrary } from './library.ts';
import type { Vectors } from './vectors.ts';

export type Case = {
  set: string;
  half: 'tune' | 'report';
  question: string;
  /** `off`: its article is not in the library; `near`: SQuAD 2.0's own unanswerable ones; `on`: the passages answer it. */
  kind: 'on' | 'off' | 'near';
  found: FoundPassage[];
};

const numFound = 12;

/** What a person types into a search box: the question without the words that only ask. */
export function asKeywords(question: string): string {
  const asking =
    /^(?:a|an|the|of|in|on|at|by|for|to|from|with|and|or|is|are|was|were|be|been|do|does|did|has|have|had|what|which|who|whom|whose|when|where|why|how|much|many|that|this|it|its|their|his|her)$/;
  const words = question.toLowerCase().match(/[\p{L}\p{N}\p{M}'’-]+/gu) ?? [];
  return words.filter((word) => !asking.test(word)).join(' ');
}

/** Every `step`-th question of a set over all its articles, and again over all but its own. */
async function leaveOneOut(
  set: QuestionSet,
  step: number,
  vectors: Vectors,
  reword = (text: string) => text,
  isAskedWithout = true,
): Promise<Case[]> {
  const tune = halfOf(
    set.passages.map(({ article }) => article),
    'tune',
  );
  const cases: Case[] = [];
  const ask = async (queries: SetQuery[], left: string | null): Promise<void> => {
    const library = await openLibrary(
      set.passages.filter(({ article }) => article !== left),
      vectors,
      false,
    );
    try {
      for (const { text, gold, article } of queries) {
        const kind = left !== null ? 'off' : gold.length > 0 ? 'on' : 'near';
        const question = reword(text);
        const { passages: found } = await library.find(question, numFound);
        cases.push({ set: set.name, half: tune.has(article) ? 'tune' : 'report', question, kind, found });
      }
    } finally {
      library.close();
    }
  };
  const chosen = set.queries.filter((_, index) => index % step === 0);
  await vectors.of(
    chosen.map(({ text }) => reword(text)),
    'query',
  );
  await ask(chosen, null);
  if (!isAskedWithout) return cases;
  for (const left of new Set(chosen.map(({ article }) => article)))
    await ask(
      chosen.filter(({ article, gold }) => article === left && gold.length > 0),
      left,
    );
  return cases;
}

/** Every second article is the library; the questions about the others are off it. */
async function halfInLibrary(set: QuestionSet, step: number, vectors: Vectors): Promise<Case[]> {
  const inside = halfOf(
    set.passages.map(({ article }) => article),
    'report',
  );
  const library = await openLibrary(
    set.passages.filter(({ article }) => inside.has(article)),
    vectors,
    set.name === 'nq',
  );
  try {
    const cases: Case[] = [];
    for (const [index, { text: question, article }] of set.queries.entries()) {
      if (index % step !== 0) continue;
      const { passages: found } = await library.find(question, numFound);
      const half = index % (2 * step) === 0 ? 'tune' : 'report';
      cases.push({ set: set.name, half, question, kind: inside.has(article) ? 'on' : 'off', found });
    }
    return cases;
  } finally {
    library.close();
  }
}

export const caseSets = ['squad', 'keywords', 'squad2', 'nq', 'jaquad', 'cmrc'].concat(
  ['en', 'de', 'es', 'ru', 'zh', 'ar'].map((language) => `xquad-${language}`),
);

/** The cases of one set; `step` 2 takes every second question. */
export async function casesOf(name: string, step: number, vectors: Vectors): Promise<Case[]> {
  if (name === 'keywords') return leaveOneOut({ ...namedSet('squad'), name }, 2 * step, vectors, asKeywords);
  const set = namedSet(name);
  // SQuAD 2.0's questions over all its articles, the unanswerable ones among them.
  if (name === 'squad2') return leaveOneOut(set, step, vectors, undefined, false);
  if (name === 'squad' || name.startsWith('xquad')) return leaveOneOut(set, step, vectors);
  return halfInLibrary(set, step, vectors);
}
