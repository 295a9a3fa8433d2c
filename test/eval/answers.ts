/**
 * Measures the answers of the road: SQuAD articles as files, taken in, asked and answered by the real app with the real models.
 *
 *     QUOTH_MODELS=<folder with both default models> node test/eval/answers.ts app tune|report [out.jsonl]
 *         whole questions through the app, as a person asks them
 *     … node test/eval/answers.ts try tune|report <variant>[,<variant>…] <folder>
 *         what the model says to another form of the prompt (`prompt-variants.ts`), kept in <folder>/<variant>.jsonl
 *     … node test/eval/answers.ts quotes tune|report
 *         what quotes alone would answer, by how much of the question the best of them covers
 *     node test/eval/answers.ts score <file.jsonl>…
 *         cites and finishes kept texts anew, with the rules as they are now; needs no model
 *
 * QUOTH_EVAL_COUNTS=24,8,8 takes other numbers of answerable, near and off-topic questions. Kept results and what was
 * concluded: README.md.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { finishSpoken, type Spoken } from '../../app/chats/finish.ts';
import { pickQuotes } from '../../app/chats/quotes.ts';
import { contentWords, splitSentences } from '../../app/chats/sentences.ts';
import { newSpeech, speak } from '../../app/chats/speak.ts';
import { createWanderGuard } from '../../app/chats/wander.ts';
import type { Answer, Passage } from '../../app/contract/types.ts';
import { createKit } from '../../app/models/kit.ts';
import { defaultChatModel } from '../../engines/catalogue.ts';
import { createScene, type Scene } from '../app/outside.ts';
import { openNative } from '../native/native.ts';
import { buildVariant, variants } from './prompt-variants.ts';
import { type EvalQuestion, readSet, type SetName } from './squad.ts';

export type Kept = EvalQuestion & {
  variant: string;
  /** The passages in the prompt's order, and all that were found. */
  shown: Passage[];
  found: Passage[];
  /** What the model said, before citations; empty where it was not asked. */
  raw: string;
  end: Spoken['end'];
  numPromptTokens: number;
  numCachedTokens: number;
  seconds: number;
  /** The app's own answer; null where only the model was asked. */
  answer: Answer | null;
};

const qaFolder = path.resolve(import.meta.dirname, '../../../shared/data/qa');
const [numAnswerable, numNear, numOff] = (process.env.QUOTH_EVAL_COUNTS ?? '24,8,8').split(',').map(Number);
const counts = { answerable: numAnswerable ?? 24, near: numNear ?? 8, off: numOff ?? 8 };

/** An app that has read the set's articles; `use` asks it. */
async function withLibrary<Result>(
  name: SetName,
  use: (client: Opened['client'], questions: EvalQuestion[], kit: Kit) => Promise<Result>,
): Promise<Result> {
  const modelsFolder = process.env.QUOTH_MODELS;
  if (!modelsFolder) throw new Error('QUOTH_MODELS must name the folder of the installed models');
  const native = await openNative();
  const scene = await createScene({ native, modelsFolder });
  try {
    const set = readSet(qaFolder, name, counts);
    const folder = path.join(scene.files, 'articles');
    fs.mkdirSync(folder);
    for (const { title, text } of set.articles)
      fs.writeFileSync(path.join(folder, `${title.replaceAll('_', ' ')}.txt`), text);
    const kit = createKit({ native });
    const { app, client } = await scene.open({ kit });
    for await (const _ of app.library.addPaths([folder], AbortSignal.timeout(600_000)));
    await app.idle();
    return await use(client, set.questions, { kit, modelsFolder });
  } finally {
    await scene.remove();
  }
}
type Opened = Awaited<ReturnType<Scene['open']>>;
type Kit = { kit: ReturnType<typeof createKit>; modelsFolder: string };

/** Whole questions through the app. */
async function askApp(name: SetName, file: string): Promise<Kept[]> {
  return withLibrary(name, async (client, questions) => {
    const kept: Kept[] = [];
    fs.rmSync(file, { force: true });
    for (const one of questions) {
      const startMs = performance.now();
      let found: Passage[] = [];
      let raw = '';
      let answer: Answer | null = null;
      for await (const event of client.ask({ question: one.question, chatId: null })) {
        if (event.type === 'sources') found = event.passages;
        if (event.type === 'text') raw += event.text;
        if (event.type === 'answer') answer = event.answer;
      }
      if (!answer) throw new Error('no answer came');
      const { numPromptTokens, numCachedTokens, numOutputTokens } = answer.timings;
      if (numOutputTokens === 0) raw = '';
      const seconds = (performance.now() - startMs) / 1000;
      kept.push({
        ...one,
        variant: 'app',
        shown: [],
        found,
        raw,
        end: answer.end,
        numPromptTokens,
        numCachedTokens,
        seconds,
        answer,
      });
      fs.appendFileSync(file, `${JSON.stringify(kept.at(-1))}\n`);
    }
    return kept;
  });
}

/** What the model says to each question in each form of the prompt. Written after each, so that what is there can be used. */
async function tryVariants(name: SetName, names: string[], folder: string): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  await withLibrary(name, async (client, questions, { kit, modelsFolder }) => {
    const offer = kit.offers.find(({ id }) => id === defaultChatModel);
    if (!offer) throw new Error('the default model is not offered');
    const model = await kit.openChat(path.join(modelsFolder, offer.id, 'plan.quoth'), offer, '');
    for (const variant of names) {
      const form = variants[variant];
      if (!form) throw new Error(`there is no variant ${variant}; there are ${Object.keys(variants).join(', ')}`);
      const file = path.join(folder, `${variant}.jsonl`);
      fs.rmSync(file, { force: true });
      for (const one of questions.filter(({ kind }) => kind !== 'off')) {
        const { passages: found } = await client.search({ question: one.question, limit: 12 });
        const startMs = performance.now();
        const prompt = buildVariant(model, form, one.question, found);
        const speech = newSpeech();
        const sampling = {
          temperature: 0,
          topK: 0,
          topP: 1,
          minP: 0,
          repetitionPenalty: form.repetitionPenalty,
          seed: 1,
        };
        const wanders = createWanderGuard(one.question, prompt.passages);
        for await (const _ of speak(model, prompt, sampling, speech, wanders, Date.now, new AbortController().signal));
        const { text, end, numPromptTokens, numCachedTokens } = speech;
        const seconds = (performance.now() - startMs) / 1000;
        const kept: Kept = {
          ...one,
          variant,
          shown: prompt.passages,
          found,
          raw: text.trim(),
          end,
          numPromptTokens,
          numCachedTokens,
          seconds,
          answer: null,
        };
        fs.appendFileSync(file, `${JSON.stringify(kept)}\n`);
      }
      report(variant, readKept(file));
    }
    await kit.closeChat(model);
  });
}

/** For each share of the question in the best quote: how often the quotes hold the answer, how often none was to be found. */
async function measureQuotes(name: SetName): Promise<void> {
  await withLibrary(name, async (client, questions) => {
    const rows: { kind: string; coverage: number; first: boolean; any: boolean }[] = [];
    for (const { question, kind, gold } of questions) {
      const { passages } = await client.search({ question, limit: 12 });
      const { citations, bestCoverage } = pickQuotes(question, passages);
      const quotes = citations.map(({ quote }) => quote);
      rows.push({
        kind,
        coverage: bestCoverage,
        first: holds(quotes[0] ?? '', gold),
        any: holds(quotes.join('\n'), gold),
      });
    }
    for (let least = 0; least <= 1; least += 0.1) {
      const of = (kind: string) => rows.filter((row) => row.kind === kind && row.coverage >= least);
      const share = (kind: string) =>
        Math.round((100 * of(kind).length) / rows.filter((row) => row.kind === kind).length);
      const hits = (test: (row: (typeof rows)[number]) => boolean) =>
        Math.round((100 * of('answerable').filter(test).length) / Math.max(1, of('answerable').length));
      console.log(
        `coverage ≥ ${least.toFixed(1)}: answerable ${share('answerable')} %, near ${share('near')} %, off ${share('off')} %; ` +
          `of the answerable, gold in the first quote ${hits(({ first }) => first)} %, in any ${hits(({ any }) => any)} %`,
      );
    }
  });
}

/** Finishes a kept text with the rules as they are now. */
export function finishKept(kept: Kept): Answer {
  const { found, shown, question, raw, end } = kept;
  const stored = new Map(found.map((passage) => [passage.passageId as number, passage]));
  const timings = {
    retrieveMs: 0,
    ttftMs: 0,
    decodeTokensPerSecond: 0,
    numPromptTokens: 0,
    numCachedTokens: 0,
    numOutputTokens: 0,
  };
  const spoken: Spoken = {
    question,
    text: raw,
    end,
    shown,
    found,
    timings,
    searched: { numDocuments: 1, numPassages: 1 },
  };
  return finishSpoken(spoken, (ids) => ids.flatMap((id) => stored.get(id) ?? []));
}

const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
const holds = (text: string, gold: string[]): boolean =>
  gold.some((one) => ` ${plain(text)} `.includes(` ${plain(one)} `));

/** Sentences that say something; marks are none. */
const sentencesIn = (text: string): number =>
  splitSentences(text.replace(/\s*\[\d+\]/g, '')).filter(({ text: one }) => contentWords(one).length > 0).length;

/** One line of the table, and with QUOTH_EVAL_SHOW the answers themselves. */
function report(name: string, all: Kept[]): void {
  const judged = all.map((kept) => ({ kept, answer: kept.answer ?? finishKept(kept) }));
  const of = (kind: EvalQuestion['kind']) => judged.filter(({ kept }) => kept.kind === kind);
  const share = (some: typeof judged, test: (one: (typeof judged)[number]) => boolean): string =>
    some.length === 0 ? '–' : `${Math.round((100 * some.filter(test).length) / some.length)}`;
  const answerable = of('answerable');
  const refused = ({ answer }: (typeof judged)[number]): boolean => answer.refused;
  const quotesOf = ({ answer }: (typeof judged)[number]): string =>
    answer.citations.map(({ quote }) => quote).join('\n');
  const byModel = judged.filter(({ answer }) => answer.writtenBy === 'model' && !answer.refused);
  const numMarks = byModel.reduce((sum, { answer }) => sum + (answer.text.match(/\[\d+\]/g)?.length ?? 0), 0);
  const numSentences = byModel.reduce((sum, { answer }) => sum + sentencesIn(answer.text), 0);
  const asked = judged.filter(({ kept }) => kept.raw !== '');
  const mean = (numbers: number[]): number => numbers.reduce((sum, one) => sum + one, 0) / Math.max(1, numbers.length);
  console.log(
    [
      name.padEnd(18),
      `n ${answerable.length}/${of('near').length}/${of('off').length}`,
      `found ${share(answerable, ({ kept }) => holds(kept.found.map(({ text }) => text).join('\n'), kept.gold))}`,
      `raw gold ${share(answerable, ({ kept }) => holds(kept.raw, kept.gold))}`,
      `gold ${share(answerable, (one) => !one.answer.refused && holds(`${one.answer.text}\n${quotesOf(one)}`, one.kept.gold))}`,
      `by model ${share(answerable, ({ answer }) => answer.writtenBy === 'model' && !answer.refused)}`,
      `gold of model ${share(answerable, (one) => one.answer.writtenBy === 'model' && !one.answer.refused && holds(`${one.answer.text}\n${quotesOf(one)}`, one.kept.gold))}`,
      `sentences with proof ${numMarks}/${numSentences}`,
      `refused ${share(answerable, refused)}/${share(of('near'), refused)}/${share(of('off'), refused)}`,
      `tokens ${mean(asked.map(({ kept }) => kept.numPromptTokens)).toFixed(0)}`,
      `s ${mean(asked.map(({ kept }) => kept.seconds)).toFixed(1)}`,
    ].join('  '),
  );
  if (process.env.QUOTH_EVAL_SHOW)
    for (const { kept, answer } of judged)
      console.log(
        `\n[${kept.kind}] ${kept.question}\n  gold: ${kept.gold.join(' | ')}\n  raw: ${kept.raw.replace(/\s+/g, ' ')} (${kept.end})\n  ${answer.refused ? 'REFUSED' : answer.writtenBy}: ${answer.text.replace(/\s+/g, ' ')}\n${answer.citations.map(({ n, quote }) => `    [${n}] ${quote.replace(/\s+/g, ' ')}`).join('\n')}`,
      );
}

function readKept(file: string): Kept[] {
  const lines = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Kept);
}

if (import.meta.main) {
  const [way, ...rest] = process.argv.slice(2);
  const name = rest[0] === 'report' ? 'report' : 'tune';
  if (way === 'app') {
    const file = rest[1] ?? path.join(os.tmpdir(), `quoth-eval-${name}.jsonl`);
    report('app', await askApp(name, file));
  } else if (way === 'try' && rest[1]) {
    await tryVariants(name, rest[1].split(','), rest[2] ?? path.join(os.tmpdir(), `quoth-eval-${name}`));
  } else if (way === 'quotes') {
    await measureQuotes(name);
  } else if (way === 'score') {
    for (const file of rest) report(path.basename(file, '.jsonl'), readKept(file));
  } else throw new Error('usage: see the top of this file');
}
