import { QuothError } from '../../../app/contract/errors.ts';
import type { Engine } from '../../../native/index.ts';
import { composeEngine } from '../../compose.ts';
import { ingest } from '../bench/ingest.ts';
import { measureReadBandwidth } from '../bench/limits.ts';
import { quote } from '../bench/quote.ts';
import { decode, type EngineBench, embed, type Measured, prefill, search, serve } from '../bench/runs.ts';
import { type Command, type Context, type Values, WrongUse, wholeNumber } from '../command.ts';
import { engineOptionNames, engineOptions, openPlan, withEngine } from '../plan-model.ts';

const engineBenches: Record<string, { run: EngineBench; role: 'chat' | 'embedder'; numPrompt: number }> = {
  decode: { run: decode, role: 'chat', numPrompt: 128 },
  prefill: { run: prefill, role: 'chat', numPrompt: 512 },
  serve: { run: serve, role: 'chat', numPrompt: 128 },
  embed: { run: embed, role: 'embedder', numPrompt: 128 },
};

/** The engine's own snapshot after a benchmark, and how much of the machine's memory bandwidth its tokens took. */
async function snapshot(engine: Engine): Promise<object> {
  const stats = await engine.stats();
  if (stats.decodeTokens === 0) return stats;
  const bytesPerSecond = (1000 * stats.decodeBytes) / stats.decodeMs;
  const bandwidth = engine.info.device === 'cpu' ? await measureReadBandwidth(engine.info.numThreads) : null;
  return {
    ...stats,
    bytesPerToken: stats.decodeBytes / stats.decodeTokens,
    bytesPerSecond,
    bandwidthFraction: bandwidth === null ? null : bytesPerSecond / bandwidth,
  };
}

/** Room for the sequences of `serve`. */
const maxSequences = 8;

/** `--model`, or the model of that role that the profile uses. */
async function withModel(context: Context, role: 'chat' | 'embedder'): Promise<Values> {
  if (context.values.model !== undefined) return context.values;
  const core = await context.openCore();
  const model = (await core.app.listModels()).find((one) => one.inUse && one.role === role);
  if (!model?.plan)
    throw new QuothError('no-model', 'No model for this is installed; install one or name a plan with --model.');
  return { ...context.values, model: model.plan };
}

function fact(bench: string, device: string, model: string | null, measured: Measured): object {
  const { shape, median, unit, limit, limitFrom } = measured;
  // Of a time the limit is the least, of a rate it is the most.
  const fraction = limit === null ? null : unit === 'ms' ? limit / median : median / limit;
  return { bench, device, model, shape, median, unit, limit, fraction, limitFrom };
}

export const command: Command = {
  usage:
    'bench <decode|prefill|serve|quote|embed|search|ingest> [--model PLAN --device cpu|cuda --threads N --prompt N --tokens N]',
  summary: 'Measures a part of Quoth on this machine, beside what the machine could do at best.',
  options: [...engineOptionNames, 'prompt', 'tokens', 'vectors'],
  minPositionals: 1,
  maxPositionals: 1,
  async run(context) {
    const { positionals, output, signal } = context;
    const [bench = ''] = positionals;
    const found = Object.hasOwn(engineBenches, bench) ? engineBenches[bench] : undefined;
    if (!found && bench !== 'search' && bench !== 'ingest' && bench !== 'quote')
      throw new WrongUse(`There is no benchmark "${bench}".`);
    const numTokens = wholeNumber(context.values, 'tokens', { default: 64, min: 2, max: 100_000 });
    const numPrompt = wholeNumber(context.values, 'prompt', { default: found?.numPrompt ?? 0, min: 0, max: 100_000 });
    const numVectors = wholeNumber(context.values, 'vectors', { default: 100_000, min: 1, max: 10_000_000 });

    if (bench === 'ingest') {
      await output.line(fact(bench, 'cpu', null, await ingest(signal)));
    } else if (bench === 'search') {
      const native = composeEngine();
      try {
        await output.line(fact(bench, 'cpu', null, await search(native, numVectors, 384)));
      } finally {
        native.close();
      }
    } else if (bench === 'quote') {
      const values = await withModel(context, 'chat');
      const { plan, header, tokenizer } = await openPlan(values);
      if (header.role !== 'chat') throw new QuothError('unsupported', `"${header.name}" does not generate.`);
      const kvTokens = Math.min(header.contextTokens, 1024 + numTokens);
      await withEngine({ ...engineOptions(values, plan), kvTokens }, async (engine) => {
        const measured = await quote(engine, tokenizer, numTokens);
        const stats = await snapshot(engine);
        await output.line({ ...fact(bench, engine.info.device, header.name, measured), stats });
      });
    } else if (found) {
      const values = await withModel(context, found.role);
      const { plan, header } = await openPlan(values);
      if (header.role !== found.role)
        throw new QuothError('unsupported', `"${header.name}" is not a model for the benchmark "${bench}".`);
      if (numPrompt < 1) throw new WrongUse('--prompt must be at least 1.');
      const kvTokens = header.kv ? (bench === 'serve' ? maxSequences : 1) * (numPrompt + numTokens + 64) : undefined;
      await withEngine({ ...engineOptions(values, plan), kvTokens }, async (engine, describe) => {
        const report = { ...(await describe()), numThreads: engine.info.numThreads };
        const measured = await found.run(engine, header, report, { numPrompt, numTokens });
        const stats = await snapshot(engine);
        await output.line({ ...fact(bench, engine.info.device, header.name, measured), stats });
      });
    }
    return 0;
  },
};
