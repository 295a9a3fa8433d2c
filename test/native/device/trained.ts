/**
 * Trained models on the device as on the processor. The plans are whatever lies in $QUOTH_TRAINED_PLANS (`*.quoth`, also one folder
 * down, as models are installed): TinyLlama and MiniLM are what the figures in test/bench/README.md are of. The text is this
 * repository's own README.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readPlanHeader, readPlanTokenizer } from '../../../engines/plan/format.ts';
import { loadTokenizer } from '../../../engines/tokenizer/tokenizer.ts';
import type { Engine } from '../../../native/index.ts';
import { type Check, type Checked, judge, type Place, withEngine } from './checks.ts';
import { answersOf, mostApart, partings } from './greedy.ts';

const mostKl = 1e-3;
const leastCosine = 0.9999;
const numTokens = 512;

async function readIds(plan: string): Promise<number[]> {
  const text = await readFile(join(import.meta.dirname, '../../../README.md'), 'utf8');
  return [...loadTokenizer(await readPlanTokenizer(plan, await readPlanHeader(plan))).encode(text)];
}

/** KL of the device's from the processor's, in nats; mean and most over all tokens, and how many have the same likeliest id. */
function divergence(wanted: Float32Array, found: Float32Array, vocabularySize: number) {
  let [sum, most, numSame] = [0, 0, 0];
  const numRows = wanted.length / vocabularySize;
  for (let row = 0; row < numRows; row++) {
    const p = logSoftmax(wanted.subarray(row * vocabularySize, (row + 1) * vocabularySize));
    const q = logSoftmax(found.subarray(row * vocabularySize, (row + 1) * vocabularySize));
    const kl = p.values.reduce((all, value, at) => all + Math.exp(value) * (value - q.values[at]!), 0);
    sum += kl;
    most = Math.max(most, kl);
    numSame += p.best === q.best ? 1 : 0;
  }
  return { mean: sum / numRows, most, same: numSame / numRows };
}

function logSoftmax(logits: Float32Array): { values: Float64Array; best: number } {
  let best = 0;
  for (let at = 1; at < logits.length; at++) if (logits[at]! > logits[best]!) best = at;
  const total = logits.reduce((all, value) => all + Math.exp(value - logits[best]!), 0);
  const shift = logits[best]! + Math.log(total);
  return { values: Float64Array.from(logits, (value) => value - shift), best };
}

async function* compareChat(place: Place, name: string, plan: string): AsyncIterable<Checked> {
  const ids = await readIds(plan);
  const prompts = [0, 1, 2, 3].map((at) => ids.slice(at * 100, at * 100 + 80));
  const work = async (engine: Engine) => ({
    logits: await engine.logits(Int32Array.from(ids.slice(0, numTokens))),
    answers: await answersOf(engine, prompts, 64),
  });
  const onProcessor = await withEngine({ ...place, device: 'cpu' }, { plan, kvTokens: 2048 }, work);
  yield* await withEngine(place, { plan, kvTokens: 2048 }, async (engine) => {
    const { logits, answers } = await work(engine);
    const { mean, most, same } = divergence(onProcessor.logits, logits, engine.info.vocabularySize);
    const reached = `mean KL ${mean.toExponential(1)}, most ${most.toExponential(1)}, ${(100 * same).toFixed(1)} % the same top id`;
    const apart = await partings(engine, prompts, onProcessor.answers, answers);
    const widest = Math.max(0, ...apart);
    return [
      judge(`${name}, ${numTokens} tokens, beside the processor`, reached, mean < mostKl),
      judge(
        `${name}, 4 × 64 greedy tokens, beside the processor`,
        `${apart.length} of 4 answers part${apart.length > 0 ? `, logits at most ${widest.toExponential(1)} apart there` : ''}`,
        widest < mostApart,
      ),
    ];
  });
}

async function compareEmbedder(place: Place, name: string, plan: string): Promise<Checked> {
  const ids = await readIds(plan);
  const texts = Array.from({ length: 16 }, (_, at) => Int32Array.from(ids.slice(at * 64, at * 64 + 16 + 15 * at)));
  const work = (engine: Engine) => engine.embed(texts);
  const wanted = await withEngine({ ...place, device: 'cpu' }, { plan }, work);
  const found = await withEngine(place, { plan }, work);
  const size = wanted.length / texts.length;
  const cosines = texts.map((_, row) => {
    const part = (vectors: Float32Array) => vectors.subarray(row * size, (row + 1) * size);
    return part(wanted).reduce((sum, value, at) => sum + value * part(found)[at]!, 0); // both have length 1
  });
  const least = Math.min(...cosines);
  return judge(`${name}, 16 texts, beside the processor`, `cosine at least ${least.toFixed(6)}`, least > leastCosine);
}

export const trained: Check = {
  name: 'trained models',
  async *run(place) {
    const folder = process.env.QUOTH_TRAINED_PLANS;
    const found = folder ? await readdir(folder, { recursive: true }) : [];
    const plans = found.filter((file) => file.endsWith('.quoth')).sort();
    if (plans.length === 0) yield { name: 'trained models: left out, none is named', reached: 'nothing' };
    for (const file of plans) {
      const plan = join(folder!, file);
      const { role } = await withEngine({ ...place, device: 'cpu' }, { plan, kvTokens: 64 }, async ({ info }) => info);
      if (role === 'chat') yield* compareChat(place, file, plan);
      else if (role === 'embedder') yield await compareEmbedder(place, file, plan);
    }
  },
};
