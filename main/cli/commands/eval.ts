import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { QuothError } from '../../../app/contract/errors.ts';
import { compose } from '../../compose.ts';
import { type FilledPassage, fillProfile } from '../../fill-profile.ts';
import { type Command, needed, WrongUse } from '../command.ts';
import { parseJson } from '../json-input.ts';
import { type Qrels, retrievalMetrics } from '../retrieval-metrics.ts';
import { measureTables } from '../tables/measure.ts';

const corpusEntry = z.object({ _id: z.string(), title: z.string().optional(), text: z.string() });
const queryEntry = z.object({ _id: z.string(), text: z.string() });
const depth = 10;

async function* linesOf(file: string): AsyncGenerator<string> {
  await stat(file).catch((cause: unknown) => {
    throw new QuothError('not-found', `There is no file "${file}".`, { cause });
  });
  for await (const line of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: 100 }))
    if (line.trim() !== '') yield line;
}

async function readJsonLines<T>(file: string, schema: z.ZodType<T>): Promise<T[]> {
  const entries: T[] = [];
  for await (const line of linesOf(file)) {
    const where = `Line ${entries.length + 1} of "${file}"`;
    const entry = schema.safeParse(parseJson(line, where));
    if (!entry.success) throw new QuothError('invalid-input', `${where} lacks _id or text.`, { cause: entry.error });
    entries.push(entry.data);
  }
  return entries;
}

/** `query-id TAB corpus-id TAB score`, with a line of headings. */
async function readQrels(file: string): Promise<Qrels> {
  const qrels: Qrels = new Map();
  for await (const line of linesOf(file)) {
    const [query, document, score] = line.split('\t');
    const grade = Number(score);
    if (!query || !document || !Number.isFinite(grade)) {
      if (qrels.size === 0 && query === 'query-id') continue;
      throw new QuothError('invalid-input', `"${file}" is not a table of query-id, corpus-id and score.`);
    }
    const grades = qrels.get(query) ?? new Map<string, number>();
    qrels.set(query, grades.set(document, grade));
  }
  return qrels;
}

export const command: Command = {
  usage:
    'eval retrieval --corpus corpus.jsonl --queries queries.jsonl --qrels test.tsv | eval tables <PDF|folder>… [--questions made.jsonl]',
  summary:
    'Measures the search of the app with the embedder that is installed: over a corpus in BEIR’s format, or by questions made from the tables of PDFs.',
  options: ['corpus', 'queries', 'qrels', 'questions'],
  minPositionals: 1,
  maxPositionals: 1_000,
  async run({ positionals, values, output, signal }) {
    const [what, ...files] = positionals;
    if (what === 'tables') return measureTables(files, values.questions, output, signal);
    if (what !== 'retrieval') throw new WrongUse(`"${what}" cannot be evaluated.`);
    if (files.length > 0) throw new WrongUse(`"${files[0]}" is too much.`);
    const corpus = await readJsonLines(needed(values, 'corpus'), corpusEntry);
    const queries = await readJsonLines(needed(values, 'queries'), queryEntry);
    const qrels = await readQrels(needed(values, 'qrels'));

    // A library of its own, made of these passages alone; it is removed afterwards.
    const profileFolder = await mkdtemp(path.join(os.tmpdir(), 'quoth-eval-'));
    try {
      const passages: FilledPassage[] = corpus.map(({ title, text }) => ({ heading: title || null, text }));
      const idOf = fillProfile(profileFolder, passages);
      const core = await compose({ profileFolder });
      try {
        await core.app.idle();
        const rankings = new Map<string, string[]>();
        for (const { _id, text } of queries) {
          if (signal.aborted) return 1;
          if (!qrels.has(_id)) continue;
          const { explanation } = await core.handlers.search({ question: text, limit: depth, explain: true }, signal);
          const candidates = explanation?.candidates ?? [];
          const ids = candidates.flatMap(({ passageId, outcome }) => {
            if (outcome !== 'found') return [];
            // A collection judges each by itself, also those that say the same: they stand behind the one that is shown.
            const folded = candidates.filter(({ repeats }) => repeats?.passageId === passageId);
            return [passageId, ...folded.map((one) => one.passageId)];
          });
          rankings.set(
            _id,
            ids.flatMap((passageId) => corpus[idOf.get(passageId) ?? -1]?._id ?? []),
          );
        }
        const metrics = retrievalMetrics(rankings, qrels);
        const { embedder, reranker } = await core.handlers.describeMachine({}, signal);
        const measured = { numPassages: corpus.length, numQueries: rankings.size, embedder, reranker };
        await output.line({ ...metrics, ...measured });
        return 0;
      } finally {
        await core.close();
      }
    } finally {
      await rm(profileFolder, { recursive: true, force: true });
    }
  },
};
