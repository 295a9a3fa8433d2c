/**
 * Measures finding: the app's search beside what others have by default, on the open question sets.
 *
 *     QUOTH_MODELS=<folder with the default embedder> node test/eval/finding.ts [set…]
 *
 * Rows: plain BM25, the embedder's top k, the app's word index alone, the app's search without and with an embedder. Columns: R@1
 * and R@5 over the articles of the half that weights were not chosen on, and over all. Results: finding.md.
 */
import type { SearchResult } from '../../ingest/search.ts';
import { plainBm25 } from '../../main/cli/tables/plain-bm25.ts';
import { halfOf, namedSet } from './collections.ts';
import { openLibrary } from './library.ts';
import { openVectors, type Vectors } from './vectors.ts';

const usual = ['squad', 'nq', 'jaquad', 'cmrc'].concat(
  ['en', 'de', 'es', 'ru', 'zh', 'ar'].map((language) => `xquad-${language}`),
);
const depth = 10;

/** A set judges each passage by itself, also those that say the same: they stand behind the one that is shown. */
function shownAndFolded({ candidates, passages }: SearchResult): number[] {
  return passages.flatMap(({ passageId }) => [
    passageId,
    ...candidates.flatMap((one) => (one.repeats?.passageId === passageId ? one.passageId : [])),
  ]);
}

async function measure(name: string, vectors: Vectors): Promise<void> {
  const { passages, queries } = namedSet(name);
  const asked = queries.filter(({ gold }) => gold.length > 0);
  const articles = asked.map(({ article }) => article);
  const reported = halfOf(articles, 'report');
  await vectors.of(
    asked.map(({ text }) => text),
    'query',
  );
  const library = await openLibrary(passages, vectors, true);
  try {
    const bm25 = plainBm25(passages.map(({ title, text }) => `${title}\n${text}`));
    const app = async (question: string, withMeaning: boolean): Promise<number[]> =>
      shownAndFolded(await library.find(question, depth, withMeaning)).map(library.placeOf);
    const ways: { [name: string]: (question: string) => number[] | Promise<number[]> } = {
      'plain BM25': (question) => bm25(question, depth),
      'embedder, top k': (question) => library.nearest(question, depth),
      'app, word index': (question) =>
        library.store.searchWords(question, depth).map(({ passageId }) => library.placeOf(passageId)),
      'app, no embedder': (question) => app(question, false),
      app: (question) => app(question, true),
    };
    console.log(`${name}: ${passages.length} passages, ${asked.length} questions`);
    for (const [way, rank] of Object.entries(ways)) {
      const places: { place: number; isReported: boolean }[] = [];
      const startMs = performance.now();
      for (const { text, gold, article } of asked) {
        const ids = (await rank(text)).map((place) => passages[place]!.id);
        const place = ids.findIndex((id) => gold.includes(id));
        places.push({ place: place < 0 ? depth : place, isReported: reported.has(article) });
      }
      const ms = (performance.now() - startMs) / asked.length;
      const recall = (cutoff: number, some: typeof places): string =>
        (some.filter(({ place }) => place < cutoff).length / Math.max(1, some.length)).toFixed(3);
      const half = places.filter(({ isReported }) => isReported);
      console.log(
        `  ${way.padEnd(18)} held out ${recall(1, half)} ${recall(5, half)}   all ${recall(1, places)} ${recall(5, places)}   ${ms.toFixed(1)} ms`,
      );
    }
  } finally {
    library.close();
  }
}

if (import.meta.main) {
  const vectors = await openVectors();
  try {
    const sets = process.argv.slice(2);
    for (const set of sets.length > 0 ? sets : usual) await measure(set, vectors);
  } finally {
    await vectors.close();
  }
}
