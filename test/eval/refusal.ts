/**
 * Refusal: learns and measures the decision whether the documents hold an answer (`app/chats/relevance.ts`).
 *
 *     QUOTH_MODELS=<folder with the default embedder> node test/eval/refusal.ts report [set…]
 *         AUROC and the operating point of the app's decision, by set; articles of the other half than were learned from
 *     … node test/eval/refusal.ts train [english] [latin] [other]
 *         learns anew from the first half, for all kinds of writing or some, and writes app/chats/calibrations.ts
 *     … node test/eval/refusal.ts train near | report near
 *         the same for questions made to look answerable (`app/chats/doubt.ts`); measured also with the halves exchanged
 *
 * QUOTH_EVAL_STEP=3 takes every third question. What was found: finding.md.
 */
import fs from 'node:fs';
import path from 'node:path';
import { calibrations, doubts, wordCalibration } from '../../app/chats/calibrations.ts';
import { doubtOddsOf } from '../../app/chats/doubt.ts';
import { calibrationOf, type Judgement, logOddsOf } from '../../app/chats/relevance.ts';
import { type SignName, signNames, signsOf } from '../../app/chats/signs.ts';
import { type Writing, writingOf } from '../../ingest/writing.ts';
import { type Case, caseSets, casesOf } from './cases.ts';
import { type DoubtCase, doubtCases, learnDoubt } from './doubt.ts';
import { auroc, fitLogistic, quantile, type Row, shareBelow } from './logistic.ts';
import { openVectors, type Vectors } from './vectors.ts';

const step = Number(process.env.QUOTH_EVAL_STEP ?? 1);
/**
 * Of the answerable questions that were learned from, so many are refused: of English ones all together, of others in no language
 * more. Those with Latin letters are set half as strict: they are learned from two languages, and the third may fare worse.
 */
const refusedOfAnswerable: Readonly<Record<Writing, number>> = { english: 0.06, latin: 0.03, other: 0.06 };
const wordSigns: readonly SignName[] = ['stretch', 'whole', 'pairs', 'missing', 'names', 'wordGap', 'lead'];

const learnedFrom: Readonly<Record<Writing, readonly string[]>> = {
  english: ['squad', 'keywords', 'nq', 'xquad-en'],
  latin: ['xquad-de', 'xquad-es'],
  other: ['xquad-ru', 'xquad-zh', 'xquad-ar', 'jaquad', 'cmrc'],
};

const allWritings = Object.keys(learnedFrom) as Writing[];

function signsFor(one: Case, withMeaning: boolean) {
  return signsOf(one.question, withMeaning ? one.found : one.found.map((found) => ({ ...found, similarity: null })));
}

/** What the signs are worth in these cases. */
function learn(cases: readonly Case[], names: readonly SignName[], withMeaning: boolean, writing: Writing): Judgement {
  const used = cases.filter(({ half, kind, found }) => half === 'tune' && kind !== 'near' && found.length > 0);
  // Each set counts the same, SQuAD three times.
  const sizes = new Map<string, number>();
  for (const { set } of used) sizes.set(set, (sizes.get(set) ?? 0) + 1);
  const rows: Row[] = used.map((one) => {
    const signs = signsFor(one, withMeaning);
    const weight = (one.set === 'squad' ? 3 : 1) / sizes.get(one.set)!;
    return { signs: names.map((name) => signs[name]), isPositive: one.kind === 'on', weight };
  });
  const [bias, ...weights] = fitLogistic(rows);
  const scores = rows.map(({ signs }) => signs.reduce((total, sign, i) => total + sign * weights[i]!, bias!));
  const ofSet = (set: string): number[] => scores.filter((_, i) => used[i]!.set === set && rows[i]!.isPositive);
  const all = scores.filter((_, i) => rows[i]!.isPositive);
  // Other languages than English: none of them is to be refused more than that.
  const least =
    writing === 'english'
      ? quantile(all, refusedOfAnswerable.english)
      : Math.min(...[...sizes.keys()].map((set) => quantile(ofSet(set), refusedOfAnswerable[writing])));
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  const listed = Object.fromEntries(names.map((name, i) => [name, round(weights[i]!)]));
  return { bias: round(bias!), weights: listed, least: round(least) };
}

async function train(writings: readonly Writing[], vectors: Vectors): Promise<void> {
  const embedder = vectors.embedderId.split('@')[0]!;
  const meant = { ...(calibrations[embedder] ?? wordCalibration) };
  const worded = { ...wordCalibration };
  for (const writing of writings) {
    const cases: Case[] = [];
    for (const set of learnedFrom[writing]) cases.push(...(await casesOf(set, step, vectors)));
    meant[writing] = learn(cases, signNames, true, writing);
    worded[writing] = learn(cases, wordSigns, false, writing);
  }
  write({ ...calibrations, [embedder]: meant }, worded, doubts);
}

async function trainNear(vectors: Vectors): Promise<void> {
  const cases = await doubtCases(step, vectors);
  const learned = learnDoubt(cases.filter(({ half }) => half === 'tune'));
  write(calibrations, wordCalibration, { ...doubts, [vectors.embedderId.split('@')[0]!]: learned });
}

function write(meant: typeof calibrations, worded: typeof wordCalibration, doubted: typeof doubts): void {
  const file = path.resolve(import.meta.dirname, '../../app/chats/calibrations.ts');
  const lines = [
    '/** Written by test/eval/refusal.ts: what the signs of a search are worth. */',
    "import type { Doubt } from './doubt.ts';",
    "import type { Calibration } from './relevance.ts';",
    '',
    '/** By the name of the embedder. */',
    `export const calibrations: Readonly<Record<string, Calibration>> = ${JSON.stringify(meant)};`,
    '',
    '/** For words alone: no embedder, or one that was not measured. */',
    `export const wordCalibration: Calibration = ${JSON.stringify(worded)};`,
    '',
    '/** Whether passages that speak of a question may not answer it, by the name of the embedder. */',
    `export const doubts: Readonly<Record<string, Doubt>> = ${JSON.stringify(doubted)};`,
    '',
  ];
  fs.writeFileSync(file, lines.join('\n'));
}

/** A line for each set: all that counts, on the articles that nothing was learned from. */
function report(name: string, cases: readonly Case[], embedderId: string | null): string {
  const known = calibrationOf(embedderId);
  const judged = cases
    .filter(({ half }) => half === 'report')
    .map((one) => {
      if (one.found.length === 0) return { kind: one.kind, margin: -20, similarity: 0 };
      const judgement = known[writingOf(one.question, one.found)];
      const margin = logOddsOf(judgement, signsFor(one, embedderId !== null)) - judgement.least;
      const similarity = Math.max(...one.found.map((found) => found.similarity ?? 0));
      return { kind: one.kind, margin, similarity };
    });
  const of = (kind: Case['kind']) => judged.filter((one) => one.kind === kind);
  const [on, off] = [of('on'), of('near').length > 0 ? of('near') : of('off')];
  const margins = (some: typeof judged) => some.map(({ margin }) => margin);
  const similarities = (some: typeof judged) => some.map(({ similarity }) => similarity);
  const atFive = shareBelow(margins(off), quantile(margins(on), 0.05));
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return [
    name.padEnd(10),
    `${on.length}/${off.length}`.padEnd(10),
    auroc(similarities(on), similarities(off)).toFixed(3),
    auroc(margins(on), margins(off)).toFixed(3),
    percent(atFive).padStart(8),
    percent(shareBelow(margins(on), 0)).padStart(8),
    percent(shareBelow(margins(off), 0)).padStart(8),
  ].join('  ');
}

/** As it is set, on the articles that nothing was learned from; then learned from those, on the others. */
async function reportNear(vectors: Vectors): Promise<void> {
  const cases = await doubtCases(step, vectors);
  const [tune, held] = (['tune', 'report'] as const).map((half) => cases.filter((one) => one.half === half));
  const rows: [string, (typeof doubts)[string] | undefined, DoubtCase[]][] = [
    ['as set', doubts[vectors.embedderId.split('@')[0]!], held!],
    ['exchanged', learnDoubt(held!), tune!],
  ];
  console.log('           answerable/near  likeness  sentence  all   near below 2, 5, 10 % | as set: answerable, near');
  for (const [name, doubt, some] of rows) {
    if (!doubt) continue;
    const scoresOf = (score: (one: DoubtCase) => number) =>
      [true, false].map((isOn) => some.filter((one) => one.isAnswerable === isOn).map(score)) as [number[], number[]];
    const [on, near] = scoresOf(({ signs }) => doubtOddsOf(doubt, signs));
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(7);
    console.log(
      name.padEnd(10),
      `${on.length}/${near.length}`.padEnd(16),
      auroc(...scoresOf(({ likeness }) => likeness)).toFixed(3),
      auroc(...scoresOf(({ signs }) => signs.sentence)).toFixed(3),
      auroc(on, near).toFixed(3),
      ...[0.02, 0.05, 0.1].map((share) => percent(shareBelow(near, quantile(on, share)))),
      '|',
      percent(shareBelow(on, doubt.least)),
      percent(shareBelow(near, doubt.least)),
    );
  }
}

if (import.meta.main) {
  const [way, ...sets] = process.argv.slice(2);
  const vectors = await openVectors();
  try {
    if (sets[0] === 'near' && way === 'train') await trainNear(vectors);
    else if (sets[0] === 'near' && way === 'report') await reportNear(vectors);
    else if (way === 'train') await train(sets.length > 0 ? (sets as Writing[]) : allWritings, vectors);
    else if (way === 'report') {
      const heading = 'set         on/off    likeness  all  off refused at 5 % | as set: on refused, off refused';
      console.log(heading);
      for (const set of sets.length > 0 ? sets : caseSets) {
        const cases = await casesOf(set, step, vectors);
        console.log(report(set, cases, vectors.embedderId));
        console.log(report('  by words', cases, null));
      }
    } else throw new Error('usage: see the top of this file');
  } finally {
    await vectors.close();
  }
}
