import { setTimeout as delay } from 'node:timers/promises';
import { QuothError } from '../../../app/contract/errors.ts';
import type { Engine, EngineOptions, Native } from '../../../native/index.ts';
import { composeNative } from '../../engine/in-process.ts';
import { type GivenLimits, limitsOf, type MachineLimits } from '../bench/limits.ts';
import { memory } from '../bench/memory.ts';
import { countingPrompt, quote, textPrompt } from '../bench/quote.ts';
import { decode, type EngineBench, embed, followup, type Measured, prefill, type Sizes, serve } from '../bench/runs.ts';
import { search } from '../bench/search.ts';
import { type Command, type Context, type Values, WrongUse, wholeNumber } from '../command.ts';
import { engineOptionNames, engineOptions, type OpenPlan, openPlan } from '../plan-model.ts';

type Role = 'chat' | 'embedder';
type Kind = { role: Role; numPrompt: number; numSequences: number; run: EngineBench };
const quoteBench: EngineBench = () => Promise.reject(new Error('It needs a tokenizer.'));
const engineBenches: Record<string, Kind> = {
  decode: { run: decode, role: 'chat', numPrompt: 128, numSequences: 1 },
  prefill: { run: prefill, role: 'chat', numPrompt: 512, numSequences: 1 },
  serve: { run: serve, role: 'chat', numPrompt: 128, numSequences: 8 },
  followup: { run: followup, role: 'chat', numPrompt: 1024, numSequences: 1 },
  quote: { run: quoteBench, role: 'chat', numPrompt: 1024, numSequences: 1 },
  memory: { run: quoteBench, role: 'chat', numPrompt: 8192, numSequences: 1 },
  embed: { run: embed, role: 'embedder', numPrompt: 128, numSequences: 32 },
};

/** The engine's own snapshot after a benchmark, and how much of the machine's memory bandwidth its tokens took. */
async function snapshot(engine: Engine, limits: MachineLimits): Promise<object> {
  const stats = await engine.stats();
  if (stats.decodeTokens === 0) return stats;
  const bytesPerSecond = (1000 * stats.decodeBytes) / stats.decodeMs;
  const bandwidth = await limits.readBytesPerSecond();
  return {
    ...stats,
    bytesPerToken: stats.decodeBytes / stats.decodeTokens,
    bytesPerSecond,
    bandwidthFraction: bandwidth === null ? null : bytesPerSecond / bandwidth,
  };
}

/** `--model`, or the model of that role that the profile uses. */
async function withModel(context: Context, role: Role): Promise<Values> {
  if (context.values.model !== undefined) return context.values;
  const core = await context.openCore();
  const model = (await core.app.listModels()).find((one) => one.inUse && one.role === role);
  if (!model?.plan)
    throw new QuothError('no-model', 'No model for this is installed; install one or name a plan with --model.');
  return { ...context.values, model: model.plan };
}

/** `--bandwidth` in GB/s and `--matrix-rate` in TFLOP/s: of a GPU, which is measured elsewhere. */
function givenLimits(values: Values): GivenLimits {
  const read = (name: string, factor: number): number | null => {
    const text = values[name];
    if (text === undefined) return null;
    const number = Number(text);
    if (!(number > 0 && number < 1e9)) throw new WrongUse(`--${name} must be a number above 0.`);
    return number * factor;
  };
  return { readBytesPerSecond: read('bandwidth', 1e9), flops: read('matrix-rate', 1e12) };
}

function kvTypeOf({ kv }: Values): Pick<EngineOptions, 'kvType'> {
  if (kv === undefined) return {};
  if (kv !== 'f16' && kv !== 'i8' && kv !== 'f8') throw new WrongUse('--kv must be f16, i8 or f8.');
  return { kvType: kv };
}

function sequencesOf(values: Values, usual: number): number[] {
  const words = (values.sequences ?? String(usual)).split(',');
  return words.map((word) => wholeNumber({ sequences: word }, 'sequences', { default: usual, min: 1, max: 100_000 }));
}

function fact(bench: string, device: string, model: string | null, measured: Measured): object {
  const { shape, median, unit, limit, limitFrom } = measured;
  return { bench, device, model, shape, median, unit, limit, fraction: fractionOf(measured), limitFrom };
}

/** Of a rate the limit is the most, of everything else the least. */
function fractionOf({ median, unit, limit }: Measured): number | null {
  if (limit === null) return null;
  return unit.endsWith('/s') ? median / limit : limit / median;
}

function words(bench: string, measured: Measured, sequences: number | null): string {
  const number = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 4 });
  const { median, unit, limit, limitFrom } = measured;
  const fraction = fractionOf(measured);
  const end =
    fraction === null ? '' : `; the limit is ${number(limit!)}: ${(100 * fraction).toFixed(0)} % (${limitFrom})`;
  return `${bench}${sequences === null ? '' : ` × ${sequences}`}: ${number(median)} ${unit}${end}`;
}

/** Until the engine knows which of its kernels' shapes are the fastest here: seconds on a GPU, the first time. */
async function tuned(engine: Engine): Promise<void> {
  while ((await engine.stats()).tuning?.state === 'tuning') await delay(50);
}

/** Runs `work` with an engine of this process, which is closed after it. */
async function withEngine<T>(native: Native, options: EngineOptions, work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await native.loadEngine(options);
  try {
    await tuned(engine);
    return await work(engine);
  } finally {
    await engine.close();
  }
}

async function runEngineBench(bench: string, found: Kind, context: Context): Promise<void> {
  const given = givenLimits(context.values);
  const numTokens = wholeNumber(context.values, 'tokens', { default: 64, min: 2, max: 100_000 });
  const numPrompt = wholeNumber(context.values, 'prompt', { default: found.numPrompt, min: 0, max: 1_000_000 });
  const stepTokens = wholeNumber(context.values, 'step', { default: 0, min: 0, max: 8192 });
  if (numPrompt < 1) throw new WrongUse('--prompt must be at least 1.');
  const counts = sequencesOf(context.values, found.numSequences);
  const values = await withModel(context, found.role);
  const open = await openPlan(values);
  const { plan, header } = open;
  if (header.role !== found.role)
    throw new QuothError('unsupported', `"${header.name}" is not a model for the benchmark "${bench}".`);
  const native = await composeNative();
  const options: EngineOptions = {
    ...engineOptions(values, plan),
    ...(stepTokens > 0 ? { stepTokens } : {}),
    ...kvTypeOf(context.values),
    ...(context.values['built-in'] === undefined ? {} : { tune: false }),
  };
  const say = (measured: Measured, device: string, count: number | null, stats: object | null): Promise<void> =>
    context.output.say(
      { ...fact(bench, device, header.name, measured), ...(stats === null ? {} : { stats }) },
      words(bench, measured, count),
    );

  if (bench === 'memory') {
    const embedder = context.values.embedder === undefined ? null : { ...options, plan: context.values.embedder };
    const measured = await memory(native, { ...options, kvTokens: numPrompt }, embedder);
    await say(measured, options.device ?? (await native.describe()).device, null, null);
    return;
  }
  for (const numSequences of counts) {
    const sizes: Sizes = { numPrompt, numTokens, numSequences };
    const kvTokens = header.kv ? kvTokensOf(bench, sizes, header.contextTokens) : undefined;
    await withEngine(native, { ...options, kvTokens }, async (engine) => {
      const report = { ...(await native.describe()), numThreads: engine.info.numThreads };
      const limits = limitsOf(engine.info, report, given);
      const measured =
        bench === 'quote'
          ? await quote(engine, promptToQuote(open, context.values, numTokens), numTokens)
          : await found.run(engine, header, limits, sizes);
      await say(measured, engine.info.device, counts.length > 1 ? numSequences : null, await snapshot(engine, limits));
    });
  }
}

function kvTokensOf(bench: string, { numPrompt, numTokens, numSequences }: Sizes, contextTokens: number): number {
  if (bench === 'quote') return Math.min(contextTokens, 1024 + 2 * numTokens);
  return numSequences * (Math.ceil((numPrompt + numTokens) / 64) * 64 + 64);
}

function promptToQuote({ header, tokenizer }: OpenPlan, values: Values, numTokens: number): Int32Array {
  return values.counting === undefined ? textPrompt(tokenizer) : countingPrompt(header.vocabularySize, numTokens);
}

export const command: Command = {
  usage: `bench <${Object.keys(engineBenches).join('|')}|search|ingest> [--model PLAN --device cpu|cuda --threads N --prompt N --tokens N --sequences N,N --step N --kv f16|i8|f8 --counting --built-in --embedder PLAN --bandwidth GB/S --matrix-rate TFLOP/S]`,
  summary: 'Measures a part of Quoth on this machine, beside what the machine could do at best.',
  options: [
    ...engineOptionNames,
    'prompt',
    'tokens',
    'sequences',
    'step',
    'kv',
    'embedder',
    'bandwidth',
    'matrix-rate',
    'vectors',
  ],
  flags: ['counting', 'built-in'],
  minPositionals: 1,
  maxPositionals: 1,
  async run(context) {
    const { positionals, output, signal } = context;
    const [bench = ''] = positionals;
    const numVectors = wholeNumber(context.values, 'vectors', { default: 100_000, min: 1, max: 10_000_000 });
    const found = Object.hasOwn(engineBenches, bench) ? engineBenches[bench] : undefined;
    if (found) {
      await runEngineBench(bench, found, context);
    } else if (bench === 'ingest') {
      // Only here: it needs the whole application.
      const { ingest } = await import('../bench/ingest.ts');
      const measured = await ingest(signal);
      await output.say(fact(bench, 'cpu', null, measured), words(bench, measured, null));
    } else if (bench === 'search') {
      const measured = await search(await composeNative(), numVectors, 384);
      await output.say(fact(bench, 'cpu', null, measured), words(bench, measured, null));
    } else {
      throw new WrongUse(`There is no benchmark "${bench}".`);
    }
    return 0;
  },
};
