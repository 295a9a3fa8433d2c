/** llama.cpp's side, by node-llama-cpp's prebuilt binary for this processor. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { serveSide } from './side.ts';

type Next = { logits?: Map<number, number>; totalLogitWeight?: number };
type ScoreOptions = {
  generateNext: {
    logits: { filter: { tokens: number[]; includeTop: 1 } };
    totalLogitWeight: true;
    options: Record<string, number>;
  };
};
// Nothing of the vocabulary may be filtered out before its weights are summed: by default top-k 40 and top-p 0.95 are.
const wholeVocabulary = { temperature: 1, topK: 0, topP: 1, minP: 0 };
type Sequence = {
  clearHistory(): Promise<void>;
  evaluateWithoutGeneratingNewTokens(ids: number[]): Promise<void>;
  evaluate(ids: number[], options: { temperature: number }): AsyncIterable<number>;
  controlledEvaluate(ids: (number | [number, ScoreOptions])[]): Promise<({ next: Next } | undefined)[]>;
};
type Context = { getSequence(): Sequence };
type Model = { createContext(options: Record<string, unknown>): Promise<Context> };
type Package = {
  getLlama(options: Record<string, unknown>): Promise<{ loadModel(options: { modelPath: string }): Promise<Model> }>;
};

serveSide(async ({ model, numThreads, peers }) => {
  const file = path.join(peers, 'node_modules/node-llama-cpp/dist/index.js');
  const { getLlama } = (await import(pathToFileURL(file).href)) as Package;
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: numThreads });
  const loaded = await llama.loadModel({ modelPath: model });
  const context = await loaded.createContext({ contextSize: 1024, threads: numThreads, batchSize: 512 });
  const sequence = context.getSequence();
  return async (task, clock) => {
    await sequence.clearHistory();
    if (task.type === 'prefill') {
      clock.start();
      await sequence.evaluateWithoutGeneratingNewTokens(task.ids);
      clock.stop();
      return [];
    }
    if (task.type === 'decode') {
      const out: number[] = [];
      for await (const id of sequence.evaluate(task.ids, { temperature: 0 })) {
        if (out.length === 0) clock.start();
        out.push(id);
        if (out.length > task.count) break;
      }
      clock.stop();
      // A stop token ends it early: then there is less to count.
      if (out.length <= task.count) throw new Error(`It ended after ${out.length} tokens.`);
      return out;
    }
    if (task.type !== 'score') throw new Error('It is no embedder.');
    const asked = task.ids.map((id, i): number | [number, ScoreOptions] => {
      const next = task.ids[i + 1];
      if (next === undefined) return id;
      const generateNext: ScoreOptions['generateNext'] = {
        logits: { filter: { tokens: [next], includeTop: 1 } },
        totalLogitWeight: true,
        options: wholeVocabulary,
      };
      return [id, { generateNext }];
    });
    const results = await sequence.controlledEvaluate(asked);
    return task.ids.map((id, i) => {
      const { logits, totalLogitWeight } = (i === 0 ? undefined : results[i - 1]?.next) ?? {};
      if (!logits || totalLogitWeight === undefined) return Number.NaN;
      return logits.get(id)! - Math.max(...logits.values()) - Math.log(totalLogitWeight);
    });
  };
});
