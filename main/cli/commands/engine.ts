import { QuothError } from '../../../app/contract/errors.ts';
import type { EngineReport } from '../../../app/contract/types.ts';
import type { Engine } from '../../../native/index.ts';
import { generate, someIds } from '../bench/generations.ts';
import type { Command, Context } from '../command.ts';
import { engineOptionNames, engineOptions, openPlan, withEngine } from '../plan-model.ts';

/** What is asked of a model so that there is something to tell: a short prompt, answered twice, and some texts. */
const [promptTokens, answerTokens, numTexts] = [256, 64, 8];

async function warm(engine: Engine): Promise<void> {
  const { role, contextTokens, vocabularySize, kvTokens } = engine.info;
  const room = role === 'chat' ? Math.min(contextTokens, kvTokens) : contextTokens;
  const length = Math.max(1, Math.min(promptTokens, Math.floor(room / 2)));
  const ids = (round: number): Int32Array => someIds(length, vocabularySize, round);
  if (role === 'chat') {
    for (const round of [1, 1]) await generate(engine, ids(round), Math.min(answerTokens, room - length), 'auto');
  } else {
    const texts = Array.from({ length: numTexts }, (_, text) => ids(text));
    if (role === 'embedder') await engine.embed(texts);
    else
      await engine.rerank(
        texts,
        Int32Array.from(texts, (text) => text.length >> 1),
      );
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
const percent = (part: number): string => `${Math.round(100 * part)} %`;

function words(report: EngineReport, deviceName: string): string {
  const { bytesPerSecond, bytesPerToken, tokensPerSecond, bandwidthFraction } = report;
  const { kvPagesTotal, kvPagesFree, kvPagesCached } = report;
  const lines = [
    `${report.model} (${report.role}), on ${deviceName} (${report.device})`,
    `  memory        ${gigabytes(report.weightBytes + report.kvBytes + report.activationBytes)}: weights ${gigabytes(report.weightBytes)}, context of ${report.kvTokens} tokens ${gigabytes(report.kvBytes)}, to compute with ${gigabytes(report.activationBytes)}`,
  ];
  if (report.numFinished > 0)
    lines.push(
      `  first token   ${report.ttftMs.p50.toFixed(0)} ms, at worst ${report.ttftMs.p95.toFixed(0)} ms`,
      `  next tokens   ${report.tokenMs.p50.toFixed(2)} ms each`,
    );
  if (tokensPerSecond !== null)
    lines.push(`  throughput    ${tokensPerSecond.toFixed(1)} tokens/s in ${report.numFinished} answers`);
  if (bytesPerSecond !== null && bytesPerToken !== null) {
    const part = bandwidthFraction === null ? '' : `, ${percent(bandwidthFraction)} of what the memory gives at best`;
    lines.push(`  memory read   ${gigabytes(bytesPerToken)} a token, ${(bytesPerSecond / 1e9).toFixed(1)} GB/s${part}`);
  }
  if (kvPagesTotal > 0)
    lines.push(
      `  kv pages      ${kvPagesTotal - kvPagesFree - kvPagesCached} of ${kvPagesTotal} in use, ${kvPagesCached} kept for reuse`,
      `  cache hits    ${percent(report.cachedTokens / Math.max(1, report.promptTokens))} of the prompts’ tokens`,
      `  speculation   ${report.acceptedTokens} of ${report.draftedTokens} drafted tokens were right`,
    );
  if (report.tuning !== undefined) lines.push(`  kernels       ${tuningWords(report.tuning)}`);
  return lines.join('\n');
}

/** Of the GPU's kernels: as they are built in, or as they were found to be the fastest here. */
function tuningWords({ state, numTasks, numMeasured, numChanged, gain }: NonNullable<EngineReport['tuning']>): string {
  if (state === 'nothing') return 'built-in; on this device there is nothing to tune';
  if (state === 'off') return 'built-in; tuning is off';
  const found = `${numChanged} of ${numMeasured} shapes are faster otherwise, ${percent(gain)} less time`;
  if (state === 'tuned') return `tuned; ${found}`;
  const left = `${numMeasured} of ${numTasks} shapes measured; ${found}`;
  return state === 'tuning' ? `tuning, when nobody asks; ${left}` : `tuned in part; ${left}`;
}

/** The plans to look at: the one that `--model` names, or those of the profile's models in use. */
async function plansOf({ values, openCore }: Context): Promise<string[]> {
  if (values.model !== undefined) return [values.model];
  const models = await (await openCore()).app.listModels();
  const plans = models.flatMap(({ inUse, plan }) => (inUse && plan !== null ? [plan] : []));
  if (plans.length === 0)
    throw new QuothError('no-model', 'No model is installed; install one or name a plan with --model.');
  return plans;
}

export const command: Command = {
  usage: 'engine [--model PLAN --device cpu|cuda --threads N]',
  summary: 'Loads the models in use, tries each for a moment, and says how their engines do.',
  options: [...engineOptionNames],
  minPositionals: 0,
  maxPositionals: 0,
  async run(context) {
    const { values, output } = context;
    // Only here: it is the application's own way to tell this.
    const { describeEngine } = await import('../../../app/models/describe-engine.ts');
    for (const model of await plansOf(context)) {
      const { plan, header } = await openPlan({ ...values, model });
      await withEngine(engineOptions(values, plan), async (engine, describe) => {
        await warm(engine);
        const { deviceName } = await describe();
        const report = await describeEngine((one: Engine) => one, engine, { name: header.name, role: header.role });
        if (report !== null) await output.say({ ...report, deviceName }, words(report, deviceName));
      });
    }
    return 0;
  },
};
