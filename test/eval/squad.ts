/** Questions of SQuAD 2.0's open articles, chosen evenly and always the same ones; articles of one half tune, of the other report. */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

export type EvalQuestion = {
  question: string;
  /** `answerable`; `near` = SQuAD's own unanswerable ones, made to look answerable; `off` = about no document of the library. */
  kind: 'answerable' | 'near' | 'off';
  /** The answers that people marked; empty where there is none. */
  gold: string[];
};

export type EvalSet = { articles: { title: string; text: string }[]; questions: EvalQuestion[] };

type Squad = {
  data: {
    title: string;
    paragraphs: {
      context: string;
      qas: { question: string; is_impossible?: boolean; answers: string[] }[];
    }[];
  }[];
};

const articlesOf = {
  tune: ['Black_Death', 'Huguenot', 'Pharmacy', 'Yuan_dynasty'],
  report: ['Civil_disobedience', 'Prime_number', 'Intergovernmental_Panel_on_Climate_Change', 'Private_school'],
} as const;
export type SetName = keyof typeof articlesOf;

/** Of `items` so many, at even distances. */
function spread<Item>(items: Item[], count: number): Item[] {
  const step = items.length / Math.min(count, items.length);
  return Array.from({ length: Math.min(count, items.length) }, (_, index) => items[Math.floor((index + 0.5) * step)]!);
}

/** Reads `squadv2.0-dev.open.json.gz`. `counts` are questions of each kind; the off ones are the other half's answerable ones. */
export function readSet(qaFolder: string, name: SetName, counts: { [kind in EvalQuestion['kind']]: number }): EvalSet {
  const raw = gunzipSync(fs.readFileSync(path.join(qaFolder, 'squadv2.0-dev.open.json.gz')));
  const { data } = JSON.parse(raw.toString('utf8')) as Squad;
  const of = (titles: readonly string[]) => data.filter(({ title }) => titles.includes(title));
  const own = of(articlesOf[name]);
  const other = of(articlesOf[name === 'tune' ? 'report' : 'tune']);
  const questionsOf = (articles: Squad['data'], impossible: boolean, kind: EvalQuestion['kind']): EvalQuestion[] =>
    articles
      .flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas))
      .filter(({ is_impossible: isImpossible }) => Boolean(isImpossible) === impossible)
      .map(({ question, answers }) => ({
        question: question.trim(),
        kind,
        gold: kind === 'answerable' ? [...new Set(answers)] : [],
      }));
  return {
    articles: own.map(({ title, paragraphs }) => ({
      title,
      text: paragraphs.map(({ context }) => context).join('\n\n'),
    })),
    questions: [
      ...spread(questionsOf(own, false, 'answerable'), counts.answerable),
      ...spread(questionsOf(own, true, 'near'), counts.near),
      ...spread(questionsOf(other, false, 'off'), counts.off),
    ],
  };
}
