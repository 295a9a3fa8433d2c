/** Logits and embeddings beside PyTorch's, in float32 over the weights that the plan's bytes mean (run-plan.py). */
import { spawnSync } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineOptions } from '../../../native/index.ts';
import { randomIds } from '../native.ts';
import { type Check, type Checked, judge, type Place, withEngine } from './checks.ts';
import { buildLlama, buildShape, middleLlama } from './models.ts';

/** Asked of the mean over all tokens; a single token may be further off. */
const mostKl = 1e-3;
/** E4M3 has three bits of mantissa. */
const mostKlOfE4m3 = 3e-3;
const leastCosine = 0.9999;

const python = process.env.QUOTH_PYTHON ?? 'python3';

/** Why PyTorch cannot be asked; null when it can. */
export function whyNoTorch(): string | null {
  const answer = spawnSync(python, ['-c', 'import torch, numpy'], { encoding: 'utf8' });
  return answer.status === 0 ? null : `${python} has no PyTorch`;
}

type Shape = {
  name: string;
  plan: string;
  vocabulary: number;
  numSequences: number;
  numTokens: number;
  kvType?: EngineOptions['kvType'];
};

async function compare(
  place: Place,
  { name, plan, vocabulary, numSequences, numTokens, kvType }: Shape,
): Promise<Checked> {
  const [idsFile, foundFile] = [join(place.folder, 'ids'), join(place.folder, 'found')];
  const sequences = Array.from({ length: numSequences }, (_, row) =>
    Int32Array.from(randomIds(numTokens, vocabulary, 100 + row)),
  );
  await writeFile(idsFile, Int32Array.from(sequences.flatMap((ids) => [...ids])));
  const file = await open(foundFile, 'w');
  try {
    await withEngine(place, { plan, kvTokens: 2 * numTokens, stepTokens: 512, kvType }, async (engine) => {
      if (engine.info.role === 'embedder') await file.write(await engine.embed(sequences));
      else for (const ids of sequences) await file.write(await engine.logits(ids));
    });
  } finally {
    await file.close();
  }
  const script = join(import.meta.dirname, 'run-plan.py');
  const answer = spawnSync(python, [script, plan, idsFile, foundFile, String(numSequences)], { encoding: 'utf8' });
  const title = `${name}, ${numSequences} × ${numTokens} tokens, beside PyTorch`;
  if (answer.status !== 0) return judge(title, 'nothing', false, answer.stderr.slice(-1500));
  const found = JSON.parse(answer.stdout) as {
    meanKl?: number;
    maxKl?: number;
    leastCosine?: number;
    relative: number;
    sameTop?: number;
  };
  const { meanKl, maxKl, leastCosine: cosine, relative, sameTop } = found;
  if (cosine !== undefined) return judge(title, `cosine at least ${cosine.toFixed(6)}`, cosine > leastCosine);
  const reached = `mean KL ${meanKl!.toExponential(1)}, most ${maxKl!.toExponential(1)}, logits ${relative.toExponential(1)} apart, ${(100 * sameTop!).toFixed(2)} % the same top id`;
  return judge(title, reached, meanKl! < (kvType === 'f8' ? mostKlOfE4m3 : mostKl));
}

export const againstTorch: Check = {
  name: 'PyTorch',
  async *run(place) {
    const why = whyNoTorch();
    if (why !== null) return yield { name: `PyTorch: left out, ${why}`, reached: 'nothing' };
    const { folder, isSmall } = place;
    const vocabulary = middleLlama.vocabulary;
    const numSequences = isSmall ? 2 : 64;
    const numTokens = isSmall ? 64 : 512;
    for (const precision of ['int4', 'int4_g32', 'q8', 'f16'] as const) {
      const plan = await buildLlama(folder, middleLlama, { precision });
      const some = precision === 'int4' ? numSequences : Math.ceil(numSequences / 8);
      yield await compare(place, {
        name: `a Llama of 6 layers in ${precision}`,
        plan,
        vocabulary,
        numSequences: some,
        numTokens,
      });
    }
    for (const kvType of ['i8', 'f8'] as const) {
      const plan = await buildLlama(folder, middleLlama);
      const name = `keys and values in ${kvType}`;
      yield await compare(place, {
        name,
        plan,
        vocabulary,
        numSequences: Math.ceil(numSequences / 8),
        numTokens,
        kvType,
      });
    }
    if (!isSmall)
      for (const id of ['mistral-7b-instruct-v0.2-awq', 'llama-2-13b-chat-awq']) {
        const plan = await buildShape(folder, id, 2, 'int4');
        const shape = { plan, vocabulary: 32_000, numSequences: 4, numTokens };
        yield await compare(place, { name: `2 layers of ${id}`, ...shape });
      }
    for (const precision of ['f16', 'q8'] as const) {
      const plan = await buildShape(folder, 'all-minilm-l6-v2', isSmall ? 2 : 0, precision);
      const shape = { plan, vocabulary: 30_522, numSequences: isSmall ? 2 : 64, numTokens: isSmall ? 40 : 256 };
      yield await compare(place, { name: `MiniLM’s shape in ${precision}`, ...shape });
    }
  },
};
