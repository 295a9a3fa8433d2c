/**
 * Measures the word index at scale.
 *
 *     node test/bench/scale/words.ts make <profile folder> [number of passages]
 *     node test/bench/scale/words.ts ask <profile folder>
 *     node test/bench/scale/words.ts compare <profile folder>
 *
 * `ask` takes the time of 210 questions, `compare` what the shortened ranking finds of what BM25 over all words finds.
 *
 * Made out of the sentences of WikiText-2 and the English question sets: a passage is some 8 sentences of one or two articles.
 * Of the words that stand in few paragraphs each *shelf* of 2,000 passages has a form of its own ("huguenots" → "huguenotsqb"),
 * as do the questions that are asked about it: a library that grows has new names and numbers, and the same common words.
 */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openDatabase } from '../../../app/store/database.ts';
import { createDocumentTable } from '../../../app/store/document-table.ts';
import { createPassageTable } from '../../../app/store/passage-table.ts';
import { anyOf, questionWords } from '../../../app/store/words.ts';
import { namedSet, qaFolder } from '../../eval/collections.ts';
import { createRandom } from './vectors.ts';

const passagesOfShelf = 2_000;
const passagesOfDocument = 50;
/** A word of so few paragraphs, of some 4,000, is a name, a number, or a rare word. */
const rareParagraphs = 6;

const wordRuns = /[\p{L}\p{N}]+/gu;

function articles(): string[][] {
  const quality = path.resolve(qaFolder, '../quality');
  const files = ['wikitext-2/valid.txt.gz', 'wikitext-2-raw/wiki.test.raw.gz'];
  const found: string[][] = [];
  for (const file of files) {
    const lines = gunzipSync(fs.readFileSync(path.join(quality, file)))
      .toString('utf8')
      .split('\n');
    let article: string[] = [];
    for (const line of lines) {
      if (/^ = [^=]+ = $/.test(line)) {
        if (article.length > 0) found.push(article);
        article = [];
      } else if (line.length > 80) article.push(line.trim());
    }
    found.push(article);
  }
  for (const name of ['squad', 'nq']) {
    const byArticle = new Map<string, string[]>();
    for (const { article, text } of namedSet(name).passages)
      byArticle.set(article, [...(byArticle.get(article) ?? []), text]);
    found.push(...byArticle.values());
  }
  return found.filter((article) => article.length > 0);
}

function createShelves(all: string[][]) {
  const numWith = new Map<string, number>();
  for (const paragraph of all.flat())
    for (const word of new Set(paragraph.toLowerCase().match(wordRuns) ?? []))
      numWith.set(word, (numWith.get(word) ?? 0) + 1);
  /** The text as a shelf has it. */
  return (text: string, shelf: number): string => {
    const ending = String.fromCharCode(97 + (shelf % 26), 97 + (Math.floor(shelf / 26) % 26));
    return text.replace(wordRuns, (word) =>
      (numWith.get(word.toLowerCase()) ?? 0) <= rareParagraphs && word.length > 2 ? `${word}q${ending}` : word,
    );
  };
}

function make(profileFolder: string, numPassages: number): void {
  const all = articles();
  const onShelf = createShelves(all);
  const sentences = all.map((article) => article.flatMap((text) => text.split(/(?<=[.!?]) +(?=\p{Lu})/u)));
  const random = createRandom(3);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const database = openDatabase({ profileFolder, nowMs: Date.now, log: () => undefined });
  const documents = createDocumentTable(database, {
    nowMs: Date.now,
    randomBytes: (size) => Uint8Array.from({ length: size }, () => Math.floor(random() * 256)),
  });
  const store = createPassageTable(database);
  const startMs = performance.now();
  for (let first = 0; first < numPassages; first += passagesOfDocument) {
    const name = `part-${first / passagesOfDocument}.txt`;
    const source = { type: 'file', path: path.join(profileFolder, name), name, sizeBytes: 0, modifiedAtMs: 0 } as const;
    const { id } = documents.insertQueued(source);
    const shelf = Math.floor(first / passagesOfShelf);
    const chunks = Array.from({ length: Math.min(passagesOfDocument, numPassages - first) }, (_, ordinal) => {
      const [one, other] = [pick(sentences), pick(sentences)];
      const numOfOther = random() < 0.3 ? 3 : 0;
      const from = Math.floor(random() * Math.max(1, one.length - 8));
      const parts = [
        ...one.slice(from, from + 8 - numOfOther),
        ...Array.from({ length: numOfOther }, () => pick(other)),
      ];
      const text = onShelf(parts.join(' ').slice(0, 1400), shelf);
      return { ordinal, text, heading: null, locator: { type: 'paragraph', paragraph: ordinal + 1 } as const };
    });
    store.replacePassages(id, chunks, null, { title: name, kind: 'text', numPages: null, contentHash: name });
    if ((first + passagesOfDocument) % 50_000 === 0)
      console.error(`${first + passagesOfDocument} after ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
  }
  database.close();
}

function ask(profileFolder: string): void {
  const database = openDatabase({ profileFolder, nowMs: Date.now, log: () => undefined });
  const store = createPassageTable(database);
  const numPassages = database.sqlite.prepare<[], number>('SELECT count(*) FROM passages').pluck().get()!;
  const onShelf = createShelves(articles());
  const random = createRandom(4);
  const questions = ['squad', 'nq'].flatMap((name) => namedSet(name).queries.map(({ text }) => text));
  const stride = Math.floor(questions.length / 200);
  const asked = questions.filter((_, i) => i % stride === 0);
  for (const round of ['first', 'second']) {
    const times: number[] = [];
    const processorTimes: number[] = [];
    let numFound = 0;
    for (const question of asked) {
      const text = onShelf(question, Math.floor((random() * numPassages) / passagesOfShelf));
      const startMs = performance.now();
      const before = process.cpuUsage();
      const found = store.searchWords(text, 100);
      times.push(performance.now() - startMs);
      const { user, system } = process.cpuUsage(before);
      processorTimes.push((user + system) / 1000);
      numFound += found.length;
    }
    const spread = (numbers: number[]): string => {
      numbers.sort((a, b) => a - b);
      const at = (share: number): string => numbers[Math.floor(share * numbers.length)]!.toFixed(1);
      return `median ${at(0.5)} ms, 90 % ${at(0.9)}, 99 % ${at(0.99)}`;
    };
    console.log(
      `${numPassages} passages, ${round} round of ${asked.length} questions: ${spread(times)}; of the processor ` +
        `${spread(processorTimes)}; found ${(numFound / asked.length).toFixed(1)}`,
    );
  }
  database.close();
}

/**
 * Questions whose answer's sentence stands on their shelf: how often a passage with it is among the first 1, 10 and 100, by BM25
 * over all words (a second or so for each question: kept in a file beside the profile) and by the app's word search.
 */
function compare(profileFolder: string): void {
  const database = openDatabase({ profileFolder, nowMs: Date.now, log: () => undefined });
  const store = createPassageTable(database);
  const { sqlite } = database;
  const numPassages = sqlite.prepare<[], number>('SELECT count(*) FROM passages').pluck().get()!;
  const onShelf = createShelves(articles());
  const random = createRandom(5);
  const firstId = sqlite.prepare<[], number>('SELECT min(id) FROM passages').pluck().get()!;
  const selectHolding = sqlite
    .prepare<[number, number, string], number>(
      'SELECT id FROM passages WHERE id BETWEEN ? AND ? AND instr(text, ?) > 0',
    )
    .pluck();
  const asked: { question: string; gold: Set<number> }[] = [];
  const { passages, queries } = namedSet('squad');
  for (let at = 0; asked.length < numCompared; at = (at + 17) % queries.length) {
    const { text, gold, answers } = queries[at]!;
    const sentences = passages.find(({ id }) => id === gold[0])?.text.split(/(?<=[.!?]) +(?=\p{Lu})/u) ?? [];
    const sentence = sentences.find((one) => answers.some((answer) => one.includes(answer)));
    if (sentence === undefined) continue;
    const shelf = Math.floor((random() * numPassages) / passagesOfShelf);
    const from = firstId + shelf * passagesOfShelf;
    const holding = selectHolding.all(from, from + passagesOfShelf - 1, onShelf(sentence, shelf));
    if (holding.length > 0) asked.push({ question: onShelf(text, shelf), gold: new Set(holding) });
  }
  const kept = `${profileFolder}.bm25.json`;
  const select = sqlite
    .prepare<[string], number>(
      `SELECT rowid FROM passage_words WHERE passage_words MATCH ? AND rank MATCH 'bm25(1.0, 0.5)' ORDER BY rank LIMIT 100`,
    )
    .pluck();
  const exact: number[][] = fs.existsSync(kept)
    ? JSON.parse(fs.readFileSync(kept, 'utf8'))
    : asked.map(({ question }) => select.all(anyOf(questionWords(question))));
  fs.writeFileSync(kept, JSON.stringify(exact));
  const tell = (name: string, lists: number[][]): void => {
    const recall = (depth: number): string =>
      (
        lists.filter((ids, i) => ids.slice(0, depth).some((id) => asked[i]!.gold.has(id))).length / lists.length
      ).toFixed(3);
    console.log(`${name}: R@1 ${recall(1)}, R@10 ${recall(10)}, R@100 ${recall(100)}`);
  };
  tell('BM25 over all words', exact);
  tell(
    'the word search',
    asked.map(({ question }) => store.searchWords(question, 100).map(({ passageId }) => passageId)),
  );
  const numSame = asked.map(({ question }, i) => {
    const found = new Set(store.searchWords(question, 100).map(({ passageId }) => passageId));
    return exact[i]!.slice(0, 10).filter((id) => found.has(id)).length / 10;
  });
  console.log(
    `of BM25's first ten, among its first hundred: ${((100 * numSame.reduce((a, b) => a + b)) / numSame.length).toFixed(0)} %`,
  );
  database.close();
}

const numCompared = 80;
const [what, profile, count] = process.argv.slice(2);
if (!profile) throw new Error('which profile?');
if (what === 'make') make(profile, Number(count ?? 1_000_000));
else if (what === 'compare') compare(profile);
else ask(profile);
