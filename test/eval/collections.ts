/**
 * The open question sets of ../shared/data/qa in one form: passages, questions with their gold passages, and the article that
 * each belongs to, so that halves can be cut between articles.
 */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

export type SetPassage = { id: string; title: string; text: string; article: string };
export type SetQuery = {
  id: string;
  text: string;
  /** Gold passages; empty where the set says that its paragraph does not answer it. */
  gold: string[];
  article: string;
  /** The answers that people marked, if any. */
  answers: string[];
};
export type QuestionSet = { name: string; passages: SetPassage[]; queries: SetQuery[] };

export const qaFolder = path.resolve(import.meta.dirname, '../../../shared/data/qa');

type Answers = { text: string }[] | string[] | { text: string[] };
type SquadFile = {
  data: {
    title?: string;
    paragraphs: {
      context: string;
      qas: { id: string; question: string; is_impossible?: boolean; answers?: Answers }[];
    }[];
  }[];
};
type NqLine = {
  question: string;
  answers: string[];
  ctxs?: { title: string; text: string; isgold?: boolean }[];
};

function readText(file: string): string {
  const bytes = fs.readFileSync(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}

function answerTexts(answers: Answers | undefined): string[] {
  if (answers === undefined) return [];
  const all = Array.isArray(answers) ? answers.map((one) => (typeof one === 'string' ? one : one.text)) : answers.text;
  return [...new Set(all)];
}

/** SQuAD's format: SQuAD 1.1 and 2.0, XQuAD, CMRC, JaQuAD. Paragraphs with the same words are one passage. */
function fromSquad(name: string, { data }: SquadFile): QuestionSet {
  const passages = new Map<string, SetPassage>();
  const queries: SetQuery[] = [];
  for (const [articleNumber, { title = '', paragraphs }] of data.entries())
    for (const { context, qas } of paragraphs) {
      const text = context.trim();
      const article = title || `article ${articleNumber}`;
      const passage = passages.get(text) ?? {
        id: `p${passages.size}`,
        title: title.replaceAll('_', ' '),
        text,
        article,
      };
      passages.set(text, passage);
      for (const { question, is_impossible: isImpossible, answers } of qas)
        queries.push({
          id: `q${queries.length}`,
          text: question.trim(),
          gold: isImpossible ? [] : [passage.id],
          article,
          answers: isImpossible ? [] : answerTexts(answers),
        });
    }
  return { name, passages: [...passages.values()], queries };
}

/** Natural Questions with its gold passage: the passages of all questions are the library. */
function fromNaturalQuestions(name: string, lines: NqLine[]): QuestionSet {
  const passages = new Map<string, SetPassage>();
  const queries: SetQuery[] = [];
  for (const { question, answers, ctxs = [] } of lines) {
    const gold: string[] = [];
    for (const { title, text: raw, isgold } of ctxs) {
      const text = raw.trim();
      const passage = passages.get(text) ?? { id: `p${passages.size}`, title, text, article: title };
      passages.set(text, passage);
      if (isgold) gold.push(passage.id);
    }
    const article = ctxs.find(({ isgold }) => isgold)?.title;
    if (article !== undefined) queries.push({ id: `q${queries.length}`, text: question, gold, article, answers });
  }
  return { name, passages: [...passages.values()], queries };
}

/** Any of the files, told by its content: one JSON in SQuAD's format, or lines as Natural Questions has them. */
export function readQuestionSet(file: string, name = path.basename(file)): QuestionSet {
  const text = readText(file);
  if (/\.jsonl(\.gz)?$/.test(file)) {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return fromNaturalQuestions(
      name,
      lines.map((line) => JSON.parse(line) as NqLine),
    );
  }
  return fromSquad(name, JSON.parse(text) as SquadFile);
}

const files: { [name: string]: string } = {
  squad: 'squad1.1-dev.open.json.gz',
  squad2: 'squadv2.0-dev.open.json.gz',
  nq: 'nq-open-oracle.open.jsonl.gz',
  jaquad: 'jaquad/jaquad_dev_0000.json.gz',
  cmrc: 'cmrc2018_dev.zh.open.json.gz',
};
for (const language of ['en', 'de', 'es', 'ru', 'zh', 'ar', 'el', 'hi', 'ro', 'th', 'tr', 'vi'])
  files[`xquad-${language}`] = `xquad/xquad.${language}.open.json.gz`;
export const setNames = Object.keys(files);

/** A set by its short name: squad, squad2, nq, jaquad, cmrc, xquad-en … */
export function namedSet(name: string): QuestionSet {
  const file = files[name];
  if (!file) throw new Error(`there is no set ${name}; there are ${setNames.join(', ')}`);
  return readQuestionSet(path.join(qaFolder, file), name);
}

/** Every second article, in the order of their names: one half tunes, the other reports. */
export function halfOf(articles: Iterable<string>, half: 'tune' | 'report'): Set<string> {
  const sorted = [...new Set(articles)].sort();
  return new Set(sorted.filter((_, index) => (index % 2 === 0) === (half === 'tune')));
}
