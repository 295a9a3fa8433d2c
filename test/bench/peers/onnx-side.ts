/**
 * onnxruntime's side: the encoder's ONNX file on its CPU, texts of a batch padded to the longest of them, then the mean over
 * the real tokens, as sentence-transformers has it.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { serveSide } from './side.ts';

type Tensor = { data: Float32Array; dims: readonly number[] };
type Session = { run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> };
type Package = {
  InferenceSession: { create(file: string, options: Record<string, unknown>): Promise<Session> };
  Tensor: new (type: 'int64', data: BigInt64Array, dims: number[]) => Tensor;
};

serveSide(async ({ model, numThreads, peers }) => {
  const load = createRequire(path.join(peers, 'package.json'));
  const { InferenceSession, Tensor: Tensors } = load('onnxruntime-node') as Package;
  const session = await InferenceSession.create(model, {
    executionProviders: ['cpu'],
    intraOpNumThreads: numThreads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
  });
  const embed = async (texts: number[][], out: number[]): Promise<void> => {
    const longest = Math.max(...texts.map((ids) => ids.length));
    const of = (value: (ids: number[], i: number) => number): Tensor => {
      const data = new BigInt64Array(texts.length * longest);
      for (const [t, ids] of texts.entries()) {
        for (let i = 0; i < ids.length; i++) data[t * longest + i] = BigInt(value(ids, i));
      }
      return new Tensors('int64', data, [texts.length, longest]);
    };
    const results = await session.run({
      input_ids: of((ids, i) => ids[i]!),
      attention_mask: of(() => 1),
      token_type_ids: of(() => 0),
    });
    const { data, dims } = results.last_hidden_state!;
    const width = dims[2]!;
    for (const [t, ids] of texts.entries()) {
      const mean = new Float64Array(width);
      for (let i = 0; i < ids.length; i++) {
        const at = (t * longest + i) * width;
        for (let k = 0; k < width; k++) mean[k]! += data[at + k]!;
      }
      const length = Math.hypot(...mean);
      for (const value of mean) out.push(value / length);
    }
  };
  return async (task, clock) => {
    if (task.type !== 'embed') throw new Error('It embeds, and no more.');
    const out: number[] = [];
    clock.start();
    for (let from = 0; from < task.texts.length; from += task.batch) {
      await embed(task.texts.slice(from, from + task.batch), out);
    }
    clock.stop();
    return out;
  };
});
