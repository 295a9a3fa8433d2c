import { stat } from 'node:fs/promises';
import path from 'node:path';
import { QuothError } from '../../../app/contract/errors.ts';
import { type BuildProgress, buildPlan, explainBuild, type WriteOptions } from '../../../engines/build/build.ts';
import { buildRandomPlan, explainRandom, type RandomOptions } from '../../../engines/build/random-plan.ts';
import { catalogue, findModel } from '../../../engines/catalogue.ts';
import {
  type PrecisionName,
  type PrecisionPolicy,
  precisionPolicies,
  withHalfTables,
} from '../../../engines/graph/passes/choose-precision.ts';
import { printReport } from '../../../engines/graph/report.ts';
import type { PlanHeader } from '../../../engines/plan/format.ts';
import { composeBuilder } from '../../engine/in-process.ts';
import { type Command, type Context, needed, type Values, WrongUse, wholeNumber } from '../command.ts';
import type { Output } from '../output.ts';
import { createPace, progressInWords } from '../progress.ts';

/** A terminal is written anew so often; a log gets a line for every tenth. */
const statusEveryMs = 100;

export const command: Command = {
  usage:
    'build <checkpoint>|--random MODEL --out PLAN [--precision NAME --tokenizer FILE --context TOKENS --print --layers N --seed N --half-tables --counts --name TEXT --query-prompt TEXT --passage-prompt TEXT]',
  summary:
    'Builds a plan from a published checkpoint: a GGUF file, a Hugging Face folder, or a llama2.c file. --print shows what every pass does instead, --random makes up the weights of a model of the catalogue (--half-tables: embedding and head in 16 bits; --counts: its answers count up the ids).',
  options: [
    'out',
    'tokenizer',
    'precision',
    'context',
    'random',
    'layers',
    'seed',
    'name',
    'query-prompt',
    'passage-prompt',
  ],
  flags: ['print', 'half-tables', 'counts'],
  minPositionals: 0,
  maxPositionals: 1,
  async run(context) {
    const { positionals, values, output } = context;
    const [checkpoint] = positionals;
    if ((checkpoint === undefined) === (values.random === undefined))
      throw new WrongUse(
        checkpoint === undefined ? 'Something is missing.' : 'Give a checkpoint or --random, not both.',
      );
    const { layers, seed, counts, 'half-tables': halfTables } = values;
    if (checkpoint !== undefined && (layers ?? seed ?? counts ?? halfTables) !== undefined)
      throw new WrongUse('--layers, --seed, --half-tables and --counts are for --random.');
    if (checkpoint === undefined && values.context !== undefined) throw new WrongUse('--context is for a checkpoint.');
    const isOnlyPrinted = values.print !== undefined && values.out === undefined;
    const out = isOnlyPrinted ? '' : path.resolve(needed(values, 'out'));
    const precision = precisionOf(values);
    const random = values.random === undefined ? null : randomOf(values.random, values, precision);
    const files = random === null ? await filesOf(checkpoint!, values) : null;

    if (values.print !== undefined) {
      const report = random ? explainRandom(random) : await explainBuild({ ...files!, precision });
      await output.say({ type: 'program', ...report }, printReport(report));
      if (isOnlyPrinted) return 0;
    }
    const header = await withProgress(context, async (writing) => {
      const options = { out, ...(values.name === undefined ? {} : { name: values.name }), ...writing };
      if (random) return buildRandomPlan({ ...random, ...options });
      const prompts = promptsOf(values);
      return buildPlan({ ...files!, ...options, precision, prompts, builder: await composeBuilder() });
    });
    const { size } = await stat(out);
    const { architecture, role, name } = header;
    await output.say(
      { type: 'built', plan: out, planBytes: size, architecture, role, name },
      `Built ${out} (${name}, ${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB).`,
    );
    return 0;
  },
};

function precisionOf({ precision }: Values): PrecisionName | undefined {
  const found = precisionPolicies.find((name) => name === precision);
  if (precision !== undefined && found === undefined)
    throw new WrongUse(`--precision is one of ${precisionPolicies.join(', ')}.`);
  return found;
}

function randomOf(
  id: string,
  values: Values,
  asked: PrecisionName | undefined,
): RandomOptions & { precision: PrecisionPolicy } {
  const model = findModel(id);
  if (model === null) {
    const known = catalogue.map((entry) => entry.id).join(', ');
    throw new QuothError('not-found', `There is no model "${id}" in the catalogue; there are ${known}.`);
  }
  const layers = values.layers === undefined ? {} : { layers: wholeNumber(values, 'layers', layerBounds) };
  const seed = wholeNumber(values, 'seed', { default: 1, min: 0, max: 2 ** 32 });
  const usual = asked ?? (model.weights === 'int4_g128' ? 'int4' : model.weights);
  const counts = values.counts !== undefined;
  const precision = counts || values['half-tables'] !== undefined ? withHalfTables(usual) : usual;
  return { config: model.shape, precision, name: `${model.name}, random weights`, seed, counts, ...layers };
}

const layerBounds = { default: 1, min: 1, max: 1000 };

/** What an embedder wants before a question and a passage, where the checkpoint does not say it. */
function promptsOf(values: Values): { query: string; passage: string } | undefined {
  const { 'query-prompt': query, 'passage-prompt': passage } = values;
  return query === undefined && passage === undefined ? undefined : { query: query ?? '', passage: passage ?? '' };
}

async function filesOf(checkpoint: string, values: Values) {
  const { tokenizer, context } = values;
  for (const file of [checkpoint, ...(tokenizer ? [tokenizer] : [])])
    await stat(file).catch((cause: unknown) => {
      throw new QuothError('not-found', `There is no "${file}".`, { cause });
    });
  return {
    checkpoint: path.resolve(checkpoint),
    ...(tokenizer ? { tokenizerFile: path.resolve(tokenizer) } : {}),
    ...(context ? { contextTokens: wholeNumber(values, 'context', { default: 0, min: 1, max: 2 ** 24 }) } : {}),
  };
}

/** Builds and shows how far it is. Ctrl+C leaves what is finished, and says so. */
async function withProgress(
  { output, signal }: Context,
  build: (options: Pick<WriteOptions, 'signal' | 'onProgress' | 'keepUnfinished'>) => Promise<PlanHeader>,
): Promise<PlanHeader> {
  let last: BuildProgress | undefined;
  const show = createReporter(output);
  try {
    const header = await build({
      signal,
      keepUnfinished: true,
      onProgress(progress) {
        last = progress;
        show(progress);
      },
    });
    await output.status(null);
    return header;
  } catch (error) {
    await output.status(null);
    if (signal.aborted && last !== undefined) {
      const { safeBytes, totalBytes } = last;
      const percent = Math.floor((100 * safeBytes) / totalBytes);
      const stays = `${percent} % are whole and stay beside the plan's place; the same command goes on from there.`;
      await output.say({ type: 'stopped', safeBytes, totalBytes }, safeBytes > 0 ? stays : 'Nothing was whole yet.');
    }
    throw error;
  }
}

function createReporter(output: Output): (progress: BuildProgress) => void {
  const paceOf = createPace(performance.now.bind(performance));
  let [lastMs, lastTenth] = [0, 0];
  return ({ doneBytes, totalBytes, keptBytes }) => {
    if (lastMs === 0) {
      paceOf(keptBytes, totalBytes);
      if (keptBytes > 0)
        void output.say(
          { type: 'resumed', keptBytes, totalBytes },
          `${Math.floor((100 * keptBytes) / totalBytes)} % were done before, and checked.`,
        );
    }
    const pace = paceOf(doneBytes, totalBytes);
    const nowMs = performance.now();
    const tenth = Math.floor((10 * doneBytes) / Math.max(1, totalBytes));
    if (output.isTerminal && nowMs - lastMs >= statusEveryMs) {
      lastMs = nowMs;
      void output.status(progressInWords(doneBytes, totalBytes, pace));
    } else if (!output.isTerminal && tenth > lastTenth) {
      lastTenth = tenth;
      void output.say(
        { type: 'progress', doneBytes, totalBytes, ...pace },
        progressInWords(doneBytes, totalBytes, pace),
      );
    }
    lastMs ||= nowMs;
  };
}
