/**
 * Writes a file in SQuAD's format (SQuAD, XQuAD, CMRC, JaQuAD; plain or .gz) as a collection that `quoth eval retrieval`
 * reads: each paragraph a document, each answerable question a query.
 *
 *     node test/eval/squad-to-beir.ts ../shared/data/qa/squad1.1-dev.open.json.gz <folder>
 */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

type Squad = {
  data: {
    title?: string;
    paragraphs: { context: string; qas: { id: string; question: string; is_impossible?: boolean }[] }[];
  }[];
};

export function writeBeir(squadFile: string, folder: string): { numDocuments: number; numQueries: number } {
  const raw = fs.readFileSync(squadFile);
  const { data } = JSON.parse((squadFile.endsWith('.gz') ? gunzipSync(raw) : raw).toString('utf8')) as Squad;
  const corpus: string[] = [];
  const queries: string[] = [];
  const qrels = ['query-id\tcorpus-id\tscore'];
  for (const [articleNumber, { title, paragraphs }] of data.entries())
    for (const [paragraphNumber, { context, qas }] of paragraphs.entries()) {
      const corpusId = `${articleNumber}-${paragraphNumber}`;
      corpus.push(JSON.stringify({ _id: corpusId, title: title ?? '', text: context }));
      for (const { question, is_impossible: isImpossible } of qas) {
        if (isImpossible) continue;
        queries.push(JSON.stringify({ _id: `q${queries.length}`, text: question }));
        qrels.push(`q${queries.length - 1}\t${corpusId}\t1`);
      }
    }
  fs.mkdirSync(path.join(folder, 'qrels'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'corpus.jsonl'), `${corpus.join('\n')}\n`);
  fs.writeFileSync(path.join(folder, 'queries.jsonl'), `${queries.join('\n')}\n`);
  fs.writeFileSync(path.join(folder, 'qrels', 'test.tsv'), `${qrels.join('\n')}\n`);
  return { numDocuments: corpus.length, numQueries: queries.length };
}

if (import.meta.main) {
  const [squadFile, folder] = process.argv.slice(2);
  if (!squadFile || !folder) throw new Error('usage: squad-to-beir.ts <file> <folder>');
  console.log(writeBeir(squadFile, folder));
}
