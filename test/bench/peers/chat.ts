/** Our engine beside llama.cpp: prefill, decode and perplexity of the GGUFs in the folder. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { openPlan } from '../../../main/cli/plan-model.ts';
import { inTurns, quoth, type Setting, scriptOf, wikiText } from './rows.ts';
import { type Side, startSide } from './side.ts';

const promptTokens = 512;
const answerTokens = 48;

type Model = { name: string; gguf: string; plan: string };

/** Each GGUF as it is, and the first 4-bit one rounded anew to int4_g128, beside the same GGUF. */
function modelsOf({ peers, plans, only, say }: Setting): Model[] {
  const files = readdirSync(peers).filter((name) => name.endsWith('.gguf'));
  const wanted = files.flatMap((file): (Model & { build: string[] })[] => {
    const gguf = path.join(peers, file);
    const name = file.slice(0, -'.gguf'.length);
    const plan = path.join(plans, `${name}.plan`);
    const asItIs = { name, gguf, plan, build: ['build', gguf, '--out', plan] };
    if (!name.endsWith('q4_0')) return [asItIs];
    const grouped = path.join(plans, `${name}-int4_g128.plan`);
    const build = ['quantize', gguf, '--out', grouped, '--method', 'rtn', '--head', 'int8'];
    return [asItIs, { name: `${name} as int4_g128`, gguf, plan: grouped, build }];
  });
  const models = wanted.filter(({ name }) => name.includes(only));
  for (const { plan, build } of models) {
    if (existsSync(plan)) continue;
    say(`<!-- quoth ${build.map((word) => path.basename(word)).join(' ')} -->`);
    quoth(...build);
  }
  return models;
}

async function sidesOf({ peers }: Setting, model: Model, numThreads: number): Promise<[Side, Side]> {
  const ours = await startSide(scriptOf('quoth'), { model: model.plan, numThreads, peers });
  const peer = await startSide(scriptOf('llama'), { model: model.gguf, numThreads, peers });
  return [ours, peer];
}

/** Ids of real text, `length` at a time, each beginning as a text does. */
async function chunksOf(model: Model, length: number, count: number): Promise<number[][]> {
  const { tokenizer } = await openPlan({ model: model.plan });
  const [start, ...ids] = tokenizer.encode(wikiText().slice(0, 8 * length * count));
  return Array.from({ length: count }, (_, i) => [start!, ...ids.slice(i * (length - 1), (i + 1) * (length - 1))]);
}

export async function chatRows(setting: Setting): Promise<void> {
  for (const model of modelsOf(setting)) {
    const prompts = await chunksOf(model, promptTokens, setting.rounds + 1);
    for (const threads of setting.threads) {
      const [ours, peer] = await sidesOf(setting, model, threads);
      const pair = { threads, ours, peer };
      const prefill = {
        ...pair,
        what: `${model.name}: prefill of ${promptTokens}`,
        units: promptTokens,
        unit: 'tokens/s',
      };
      await inTurns(setting, prefill, (round) => ({ type: 'prefill', ids: prompts[round]! }));
      const decode = { ...pair, what: `${model.name}: decode`, units: answerTokens, unit: 'tokens/s' };
      await inTurns(setting, decode, (round) => ({
        type: 'decode',
        ids: prompts[round]!.slice(0, 40 + round),
        count: answerTokens,
      }));
      ours.end();
      peer.end();
    }
  }
}

/** Perplexity by both over the same ids, and how far single tokens are apart. */
export async function qualityRows(setting: Setting): Promise<void> {
  setting.say(
    '| weights | tokens | ours | llama.cpp | ours / theirs − 1 | mean, largest difference of a token (nat) |',
  );
  setting.say('|---|---|---|---|---|---|');
  for (const model of modelsOf(setting)) {
    const [ours, peer] = await sidesOf(setting, model, setting.threads[0]!);
    const all: [number, number][] = [];
    for (const ids of await chunksOf(model, promptTokens, setting.numChunks)) {
      const our = await ours.run({ type: 'score', ids });
      const their = await peer.run({ type: 'score', ids });
      for (let i = 1; i < ids.length; i++) all.push([our.values[i]!, their.values[i]!]);
    }
    const perplexity = (side: 0 | 1): number => Math.exp(-all.reduce((sum, one) => sum + one[side], 0) / all.length);
    const apart = all.map(([our, their]) => Math.abs(our - their));
    const mean = apart.reduce((sum, one) => sum + one, 0) / apart.length;
    const part = `${(100 * (perplexity(0) / perplexity(1) - 1)).toFixed(3)} %`;
    setting.say(
      `| ${model.name} | ${all.length} | ${perplexity(0).toFixed(4)} | ${perplexity(1).toFixed(4)} | ${part} | ${mean.toFixed(4)}, ${Math.max(...apart).toFixed(3)} |`,
    );
    ours.end();
    peer.end();
  }
}
