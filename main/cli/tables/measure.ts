/**
 * `quoth eval tables`: makes questions from the tables of PDFs (`questions.ts`), asks the app each of them with no chat model, and
 * prints how often the right page was found and the right cell cited, beside what others find by default (`rivals.ts`).
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { AddEvent, AskEvent } from '../../../app/contract/contract.ts';
import { QuothError } from '../../../app/contract/errors.ts';
import { type Answer, type Citation, ticket } from '../../../app/contract/types.ts';
import { createKit } from '../../../app/models/kit.ts';
import { defaultEmbedder } from '../../../engines/catalogue.ts';
import type { Embedder } from '../../../ingest/embedder.ts';
import { type Core, compose } from '../../compose.ts';
import { modelsFolder } from '../../folders.ts';
import { WrongUse } from '../command.ts';
import type { Output } from '../output.ts';
import { plainBm25 } from './plain-bm25.ts';
import { linesOfPdf, type PageLines, questionsOf, type TableQuestion } from './questions.ts';
import { nearestOf, type Piece, piecesOf } from './rivals.ts';

type Filing = { file: string; location: string; pages: PageLines; questions: TableQuestion[] };
type Found = { file: string; page: number | null };
/** What became of one question; ranks from 1, null = not among those looked at. */
type Asked = {
  question: TableQuestion;
  pageRank: number | null;
  pageRankOfBm25: number | null;
  pageRankOfEmbedder: number | null;
  /** Of the answer's quotes: which is the first whose row, and whose cell, is the right one. */
  rowQuote: number | null;
  cellQuote: number | null;
  refused: boolean;
};

const depth = 5;

/** Fails with one sentence where a file is none or no question could be made. */
export async function measureTables(
  paths: string[],
  questionsFile: string | undefined,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const files = await pdfsOf(paths);
  if (files.length === 0) throw new WrongUse('"eval tables" needs a PDF or a folder with some.');
  const filings: Filing[] = [];
  for (const location of files) {
    const pages = await linesOfPdf(await readFile(location));
    const file = path.basename(location);
    filings.push({ file, location, pages, questions: questionsOf(file, pages) });
  }
  const all = filings.flatMap(({ questions }) => questions);
  if (all.length === 0)
    throw new QuothError('invalid-input', 'No table of these files has rows plain enough to ask for.');
  if (questionsFile) await writeFile(questionsFile, all.map((one) => `${JSON.stringify(one)}\n`).join(''));

  const alone: Asked[] = [];
  for (const filing of filings) alone.push(...(await askAll([filing], output, signal)));
  await report('each file in a library of its own', alone, output);
  if (filings.length > 1) await report('all files in one library', await askAll(filings, output, signal), output);
  return 0;
}

async function pdfsOf(paths: string[]): Promise<string[]> {
  const files: string[] = [];
  for (const one of paths) {
    const facts = await stat(one).catch((cause: unknown) => {
      throw new QuothError('not-found', `There is no file or folder "${one}".`, { cause });
    });
    if (!facts.isDirectory()) files.push(path.resolve(one));
    else
      for (const name of (await readdir(one)).sort())
        if (name.toLowerCase().endsWith('.pdf')) files.push(path.resolve(one, name));
  }
  return files;
}

/** A library of these files, all of their questions. */
async function askAll(filings: Filing[], output: Output, signal: AbortSignal): Promise<Asked[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'quoth-eval-'));
  try {
    const core = await compose({
      profileFolder: path.join(folder, 'profile'),
      modelsFolder: await embedderAlone(folder),
    });
    try {
      await core.app.idle();
      for (const filing of filings) await add(core, filing.location, signal);
      const rivals = await openRivals(core, filings, signal);
      const asked: Asked[] = [];
      for (const question of filings.flatMap(({ questions }) => questions)) {
        signal.throwIfAborted();
        await output.status(`question ${asked.length + 1}`);
        const found = await core.handlers.search({ question: question.question, limit: depth }, signal);
        const answer = await answerOf(core, question.question, signal);
        const right = (one: Found): boolean => isRight(one, question, filings);
        asked.push({
          question,
          pageRank: rankOf(
            found.passages.map(({ source, place }) => ({ file: source, page: place.page })),
            right,
          ),
          ...(await rivals(question.question, right)),
          rowQuote: rankOf(answer.citations, (quote) => right(whereOf(quote)) && isRow(quote, question)),
          cellQuote: rankOf(answer.citations, (quote) => right(whereOf(quote)) && isCell(quote, question)),
          refused: answer.refused,
        });
      }
      await output.status(null);
      return asked;
    } finally {
      await core.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A folder of models that has the embedder alone, so that quotes answer. */
async function embedderAlone(folder: string): Promise<string> {
  const models = path.join(folder, 'models');
  await mkdir(models);
  await symlink(path.join(modelsFolder(), defaultEmbedder), path.join(models, defaultEmbedder), 'junction');
  return models;
}

async function add(core: Core, location: string, signal: AbortSignal): Promise<void> {
  const tickets = [ticket.parse(core.tickets.issue(location))];
  for await (const event of core.handlers.addFiles({ tickets }, signal) as AsyncIterable<AddEvent>)
    if (event.type === 'summary' && event.numFailed > 0)
      throw new QuothError('invalid-input', `"${location}" could not be read.`);
}

async function answerOf(core: Core, question: string, signal: AbortSignal): Promise<Answer> {
  for await (const event of core.handlers.ask({ question, chatId: null }, signal) as AsyncIterable<AskEvent>)
    if (event.type === 'answer') return event.answer;
  throw new QuothError('internal', 'A question ended without an answer.');
}

type RivalRanks = Pick<Asked, 'pageRankOfBm25' | 'pageRankOfEmbedder'>;
type Rivals = (question: string, right: (one: Found) => boolean) => Promise<RivalRanks>;

async function openRivals(core: Core, filings: Filing[], signal: AbortSignal): Promise<Rivals> {
  const pieces: Piece[] = filings.flatMap(({ file, pages }) => piecesOf(file, pages));
  const bm25 = plainBm25(pieces.map(({ text }) => text));
  const embedder = await openEmbedder(core);
  const texts = pieces.map(({ text }) => text);
  const vectors = await embedder?.embed(texts, signal);
  const ranked = (places: number[], right: (one: Found) => boolean) =>
    rankOf(
      places.map((place) => pieces[place]!),
      right,
    );
  return async (question, right) => ({
    pageRankOfBm25: ranked(bm25(question, depth), right),
    pageRankOfEmbedder:
      embedder && vectors
        ? ranked(nearestOf(vectors, await embedder.embed([question], signal, 'query'), depth), right)
        : null,
  });
}

async function openEmbedder(core: Core): Promise<Embedder | null> {
  const kit = createKit({ native: core.native });
  const offer = kit.offers.find(({ id }) => id === defaultEmbedder);
  const plan = path.join(core.app.models.folder(), defaultEmbedder, 'plan.quoth');
  const bytes = await readFile(plan).catch(() => null);
  return offer && bytes ? kit.openEmbedder(plan, offer, createHash('sha256').update(bytes).digest('hex')) : null;
}

function rankOf<T>(list: readonly T[], isIt: (one: T) => boolean): number | null {
  const place = list.findIndex(isIt);
  return place === -1 ? null : place + 1;
}

/** The page that the row was taken from; of another file, one that says the same value in a row and column of the same names. */
function isRight({ file, page }: Found, gold: TableQuestion, filings: readonly Filing[]): boolean {
  if (file === gold.file) return page === gold.page;
  const twin = filings
    .find((filing) => filing.file === file)
    ?.questions.find((one) => one.label === gold.label && one.page === page);
  return twin !== undefined && twin.column === gold.column && twin.value === gold.value;
}

function whereOf({ source, place }: Citation): Found {
  return { file: source, page: place.page };
}

const bare = (text: string): string => text.replace(/[$\s]/g, '');
const words = (text: string): string => text.replace(/\s+/g, ' ');

/** One row and no more, with the label and the value: the quote is a line, and its label is followed by a cell. */
function isRow({ quote }: Citation, { label, value }: TableQuestion): boolean {
  const [first = '', ...cells] = quote.split(' | ');
  const holds = cells.some((cell) => bare(cell.slice(cell.lastIndexOf(': ') + 1)) === bare(value));
  return !quote.includes('\n') && words(first).endsWith(words(label)) && holds;
}

/** The right row, and the cell that the answer marks in it is the right one. */
function isCell(quote: Citation, gold: TableQuestion): boolean {
  const { cell } = quote;
  return cell !== undefined && isRow(quote, gold) && bare(cell.slice(cell.lastIndexOf(': ') + 1)) === bare(gold.value);
}

async function report(what: string, asked: Asked[], output: Output): Promise<void> {
  const share = (hit: (one: Asked) => boolean): number =>
    Math.round((1000 * asked.filter(hit).length) / asked.length) / 1000;
  const within = (rank: number | null, most: number): boolean => rank !== null && rank <= most;
  const facts = {
    what,
    numQuestions: asked.length,
    'page@1': share(({ pageRank }) => within(pageRank, 1)),
    'page@5': share(({ pageRank }) => within(pageRank, 5)),
    'bm25 page@1': share(({ pageRankOfBm25 }) => within(pageRankOfBm25, 1)),
    'bm25 page@5': share(({ pageRankOfBm25 }) => within(pageRankOfBm25, 5)),
    'embedder page@1': share(({ pageRankOfEmbedder }) => within(pageRankOfEmbedder, 1)),
    'embedder page@5': share(({ pageRankOfEmbedder }) => within(pageRankOfEmbedder, 5)),
    'row in first quote': share(({ rowQuote }) => within(rowQuote, 1)),
    'row in a quote': share(({ rowQuote }) => rowQuote !== null),
    'cell in first quote': share(({ cellQuote }) => within(cellQuote, 1)),
    'cell in a quote': share(({ cellQuote }) => cellQuote !== null),
    refused: share(({ refused }) => refused),
  };
  const percent = (name: keyof typeof facts): string => `${((facts[name] as number) * 100).toFixed(1)} %`;
  const table = [
    `${what}: ${asked.length} questions`,
    '                      right page first   among 5',
    `  plain BM25          ${percent('bm25 page@1').padStart(12)} ${percent('bm25 page@5').padStart(13)}`,
    `  embedder, top k     ${percent('embedder page@1').padStart(12)} ${percent('embedder page@5').padStart(13)}`,
    `  Quoth               ${percent('page@1').padStart(12)} ${percent('page@5').padStart(13)}`,
    '                         first quote   any quote',
    `  right row cited     ${percent('row in first quote').padStart(12)} ${percent('row in a quote').padStart(13)}`,
    `  right cell cited    ${percent('cell in first quote').padStart(12)} ${percent('cell in a quote').padStart(13)}`,
    `  refused             ${percent('refused').padStart(12)}`,
  ];
  await output.say(facts, table.join('\n'));
  for (const one of asked) if (one.cellQuote !== 1) await output.say({ type: 'miss', ...one }, null);
}
