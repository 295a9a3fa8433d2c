/** Models that tests make up: a graph with deterministic numbers for every weight it names, run through the real engine. */
import { join } from 'node:path';
import { type WriteOptions, writeModel } from '../../../engines/build/build.ts';
import type { Checkpoint, CheckpointTensor } from '../../../engines/build/checkpoint.ts';
import type { Graph, TensorShapes, WeightPart } from '../../../engines/graph/types.ts';
import type { Engine } from '../../../native/index.ts';
import { openNative } from '../../native/native.ts';
import { referenceNumbers } from '../reference/reference.ts';

export type MadeModel = {
  role: 'chat' | 'embedder';
  vocabularySize: number;
  /** Of the embedding; 0 for a chat model. */
  embeddingSize: number;
  kv: { numLayers: number; numHeads: number; headSize: number } | null;
  build(tensors: TensorShapes): Graph;
};

/** Norms around 1, tables lively, matrices that keep the size of what goes through them. */
function numbersOf(part: WeightPart): Float32Array {
  if (part.values instanceof Float32Array) return part.values;
  const isVector = part.rows === 1;
  const isNorm = isVector && part.name.includes('norm');
  const spread = isVector ? 0.3 : part.name.includes('table') ? 1 : 1.7 / Math.sqrt(part.columns);
  return referenceNumbers({ name: part.name, shape: [part.rows, part.columns], around: isNorm ? 1 : 0, spread });
}

/** A checkpoint that has each tensor in the shape that the graph asks for, but for optional ones. */
export function madeCheckpoint(model: MadeModel): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>();
  const nothing = () => Promise.reject(new Error('there is nothing to read'));
  return {
    name: 'made up',
    model: { architecture: 'made', contextTokens: 64, ...model },
    get tensors() {
      return [...tensors.values()];
    },
    shapes: {
      get: (name) => tensors.get(name),
      has: (name) => tensors.has(name),
      keys: () => tensors.keys(),
      imagine(name, rows, columns, optional) {
        if (optional) return null;
        tensors.set(name, { name, rows, columns, type: 'f32', sizeBytes: 4 * rows * columns });
        return tensors.get(name)!;
      },
    },
    read: nothing,
    tokenizer: null,
    template: null,
    startIds: [1],
    stopIds: [2],
    close: async () => {},
  };
}

/** Compiles in float32, writes, loads on the CPU and closes after the body. */
export async function withModel<Result>(
  folder: string,
  model: MadeModel,
  options: Partial<WriteOptions>,
  body: (engine: Engine) => Promise<Result>,
): Promise<Result> {
  const out = join(folder, 'made.plan');
  await writeModel(
    { out, precision: 'f32', ...options },
    {
      checkpoint: madeCheckpoint(model),
      tokenizer: {},
      madeFrom: String(Math.random()),
      pack: async (_tensor, { part }) => {
        const numbers = part.values instanceof Int32Array ? part.values : numbersOf(part);
        return new Uint8Array(numbers.slice().buffer);
      },
    },
  );
  const engine = await (await openNative()).loadEngine({ plan: out, device: 'cpu', numThreads: 1 });
  try {
    return await body(engine);
  } finally {
    await engine.close();
  }
}

/** What the model answers to these ids: logits, or a vector. */
export function outputOf(model: MadeModel, engine: Engine, ids: Int32Array): Promise<Float32Array> {
  return model.role === 'chat' ? engine.logits(ids) : engine.embed([ids]);
}
