/**
 * Writes a question set as a collection that `quoth eval retrieval` reads: each paragraph a document, each answerable question a
 * query. The set is a short name (squad, nq, jaquad, cmrc, xquad-de …) or a file: SQuAD's format (SQuAD, XQuAD, CMRC, JaQuAD) or
 * Natural Questions with its gold passages, plain or .gz.
 *
 *     node test/eval/to-beir.ts squad <folder>
 *     quoth eval retrieval --corpus <folder>/corpus.jsonl --queries <folder>/queries.jsonl --qrels <folder>/qrels/test.tsv
 */
import fs from 'node:fs';
import path from 'node:path';
import { namedSet, readQuestionSet, setNames } from './collections.ts';

export function writeBeir(set: string, folder: string): { numDocuments: number; numQueries: number } {
  const { passages, queries } = setNames.includes(set) ? namedSet(set) : readQuestionSet(set);
  const asked = queries.filter(({ gold }) => gold.length > 0);
  const qrels = asked.flatMap(({ id, gold }) => gold.map((passage) => `${id}\t${passage}\t1`));
  const write = (name: string, lines: string[]): void =>
    fs.writeFileSync(path.join(folder, name), `${lines.join('\n')}\n`);
  fs.mkdirSync(path.join(folder, 'qrels'), { recursive: true });
  write(
    'corpus.jsonl',
    passages.map(({ id, title, text }) => JSON.stringify({ _id: id, title, text })),
  );
  write(
    'queries.jsonl',
    asked.map(({ id, text }) => JSON.stringify({ _id: id, text })),
  );
  write('qrels/test.tsv', ['query-id\tcorpus-id\tscore', ...qrels]);
  return { numDocuments: passages.length, numQueries: asked.length };
}

if (import.meta.main) {
  const [set, folder] = process.argv.slice(2);
  if (!set || !folder) throw new Error(`usage: to-beir.ts <file or one of ${setNames.join(', ')}> <folder>`);
  console.log(writeBeir(set, folder));
}
