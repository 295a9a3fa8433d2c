import {
  type Header,
  type PackedTensor,
  type PlanType,
  packTensor,
  randomNumbers,
  type Step,
  type TinyPlan,
} from './plan-writer.ts';

/** Two models of random weights, small enough to compute by hand in float64, with every dimension different. */
export type LlamaShape = {
  vocabularySize: number;
  contextTokens: number;
  size: number;
  numLayers: number;
  numHeads: number;
  numKvHeads: number;
  headSize: number;
  innerSize: number;
  window: number;
  /** Also what only some models have: clamped and normed heads, a cap and slopes in attention, permuted columns, a cap. */
  extras: boolean;
  weights: PlanType;
  kv: 'f32' | 'f16';
  seed: number;
};
export const llamaShape: LlamaShape = {
  vocabularySize: 97,
  contextTokens: 640,
  size: 64,
  numLayers: 2,
  numHeads: 4,
  numKvHeads: 2,
  headSize: 16,
  innerSize: 96,
  window: 0,
  extras: false,
  weights: 'f32',
  kv: 'f32',
  seed: 1,
};
/** Of the models with `extras`. */
export const extraNumbers = { clampLimit: 1.5, normEpsilon: 1e-6, softCap: 0.9, logitCap: 2.5 };
export type BertShape = {
  /** A reranker has segments, a layer with tanh and one number for a pair. */
  role: 'embedder' | 'reranker';
  vocabularySize: number;
  contextTokens: number;
  size: number;
  numLayers: number;
  numHeads: number;
  innerSize: number;
  pool: 'pool_mean' | 'pool_first';
  weights: PlanType;
  seed: number;
};
export const bertShape: BertShape = {
  role: 'embedder',
  vocabularySize: 61,
  contextTokens: 48,
  size: 32,
  numLayers: 2,
  numHeads: 4,
  innerSize: 64,
  pool: 'pool_mean',
  weights: 'f32',
  seed: 2,
};
export type TinyLlama = TinyPlan & { shape: LlamaShape };
export type TinyBert = TinyPlan & { shape: BertShape };

/** Makes tensors of random numbers and gives their indices, in the order of their first use. */
function tensorMaker(seed: number) {
  const random = randomNumbers(seed);
  const tensors = new Map<string, PackedTensor>();
  const add = (packed: PackedTensor) => {
    tensors.set(packed.entry.name, packed);
    return tensors.size - 1;
  };
  return {
    tensors,
    matrix(name: string, type: PlanType, rows: number, columns: number, spread = 2 / Math.sqrt(columns)) {
      return add(
        packTensor(
          name,
          type,
          rows,
          columns,
          Array.from({ length: rows * columns }, () => random() * spread),
        ),
      );
    },
    vector(name: string, length: number, middle: number, spread: number) {
      return add(
        packTensor(
          name,
          'f32',
          1,
          length,
          Array.from({ length }, () => middle + random() * spread),
        ),
      );
    },
    index: (name: string, numbers: number[]) => add(packTensor(name, 'i32', 1, numbers.length, numbers)),
    given: (name: string, numbers: number[]) => add(packTensor(name, 'f32', 1, numbers.length, numbers)),
  };
}

const commonHeader = { startIds: [1], stopIds: [2], template: null, tensors: [] };
const noTokenizer = { offset: 0, sizeBytes: 0, sha256: '' };

/** As the passes of the builder would leave it: fused q+k+v, gate+up, residual+norm, rope+kv write. */
export function tinyLlama(change: Partial<LlamaShape> = {}): TinyLlama {
  const shape = { ...llamaShape, ...change };
  const { size, numHeads, numKvHeads, headSize, innerSize, vocabularySize, weights } = shape;
  const make = tensorMaker(shape.seed);
  const queries = numHeads * headSize;
  const qkv = queries + 2 * numKvHeads * headSize;
  const buffers = [
    { rows: 'tokens', width: size }, // 0 the residual stream
    { rows: 'tokens', width: size }, // 1 normed
    { rows: 'tokens', width: qkv }, // 2
    { rows: 'tokens', width: queries }, // 3 attended
    { rows: 'tokens', width: size }, // 4 what is added to the stream
    { rows: 'tokens', width: 2 * innerSize }, // 5
    { rows: 'tokens', width: innerSize }, // 6
    { rows: 'outputs', width: size }, // 7
    { rows: 'outputs', width: vocabularySize }, // 8 logits
    ...(shape.extras ? [{ rows: 'tokens', width: innerSize }] : []), // 9 permuted
  ];
  const all = (buffer: number) => [buffer, 0, buffers[buffer]!.width];
  const norm = (name: string) => make.vector(name, size, 1, 0.3);
  const inverse = make.given(
    'inverse_frequencies',
    Array.from({ length: headSize / 2 }, (_, i) => 10_000 ** (-(2 * i) / headSize)),
  );
  const slopes = shape.extras ? make.vector('slopes', numHeads, 0.2, 0.1) : null;
  const heads = { numHeads, numKvHeads, headSize };
  const steps: Step[] = [
    { op: 'embed', out: [all(0)], weights: [make.matrix('embedding', weights, vocabularySize, size, 1)], scale: 1 },
    { op: 'rms_norm', in: [all(0)], out: [all(1)], weights: [norm('norm.0')], epsilon: 1e-5 },
  ];
  const linear = (from: number, name: string, to: number) =>
    steps.push({
      op: 'linear',
      in: [all(from)],
      out: [all(to)],
      weights: [make.matrix(name, weights, buffers[to]!.width, buffers[from]!.width), null],
      activation: 'none',
    });
  for (let layer = 0; layer < shape.numLayers; layer++) {
    linear(1, `qkv.${layer}`, 2);
    if (shape.extras) {
      steps.push({ op: 'clamp', out: [all(2)], limit: extraNumbers.clampLimit });
      const epsilon = extraNumbers.normEpsilon;
      const normHeads = (name: string, first: number, count: number) =>
        steps.push({
          op: 'rms_norm_heads',
          out: [[2, first, count * headSize]],
          weights: [make.vector(`${name}.${layer}`, headSize, 1, 0.3)],
          numHeads: count,
          headSize,
          epsilon,
        });
      normHeads('q_norm', 0, numHeads);
      normHeads('k_norm', queries, numKvHeads);
    }
    steps.push({
      op: 'rope_kv_write',
      out: [all(2)],
      weights: [inverse],
      layer,
      ...heads,
      rotarySize: headSize,
      adjacentPairs: false,
    });
    steps.push({
      op: 'attention',
      in: [[2, 0, queries]],
      out: [all(3)],
      layer,
      ...heads,
      scale: headSize ** -0.5,
      window: shape.window,
      ...(shape.extras && { softCap: extraNumbers.softCap, weights: [slopes] }),
    });
    linear(3, `out.${layer}`, 4);
    steps.push({
      op: 'add_rms_norm',
      in: [all(0), all(4)],
      out: [all(1)],
      weights: [norm(`norm.${2 * layer + 1}`)],
      epsilon: 1e-5,
    });
    linear(1, `gate_up.${layer}`, 5);
    steps.push({ op: 'gated', in: [all(5)], out: [all(6)], activation: 'silu' });
    if (shape.extras) {
      const index = Array.from({ length: innerSize }, (_, i) => (i * 7 + layer) % innerSize);
      steps.push({
        op: 'permute_columns',
        in: [all(6)],
        out: [all(9)],
        weights: [make.index(`index.${layer}`, index)],
      });
    }
    linear(shape.extras ? 9 : 6, `down.${layer}`, 4);
    steps.push({
      op: 'add_rms_norm',
      in: [all(0), all(4)],
      out: [all(1)],
      weights: [norm(`norm.${2 * layer + 2}`)],
      epsilon: 1e-5,
    });
  }
  steps.push({ op: 'gather_outputs', in: [all(1)], out: [all(7)] });
  linear(7, 'head', 8);
  if (shape.extras) steps.push({ op: 'soft_cap', out: [all(8)], cap: extraNumbers.logitCap });
  const header: Header = {
    ...commonHeader,
    architecture: 'llama',
    name: 'Tiny Llama',
    role: 'chat',
    vocabularySize,
    contextTokens: shape.contextTokens,
    embeddingSize: 0,
    kv: { type: shape.kv, numLayers: shape.numLayers, numHeads: numKvHeads, headSize },
    tokenizer: noTokenizer,
    program: { buffers, steps, output: 8 },
  };
  return { header, tensors: make.tensors, shape };
}

export function tinyBert(change: Partial<BertShape> = {}): TinyBert {
  const shape = { ...bertShape, ...change };
  const { size, numHeads, innerSize, vocabularySize, weights } = shape;
  const make = tensorMaker(shape.seed);
  const buffers = [
    { rows: 'tokens', width: size }, // 0
    { rows: 'tokens', width: size }, // 1
    { rows: 'tokens', width: 3 * size }, // 2 q, k, v
    { rows: 'tokens', width: size }, // 3 attended
    { rows: 'tokens', width: size }, // 4
    { rows: 'tokens', width: innerSize }, // 5
    { rows: 'sequences', width: size }, // 6
    { rows: 'sequences', width: size }, // 7
    { rows: 'sequences', width: 1 }, // 8
  ];
  const all = (buffer: number) => [buffer, 0, buffers[buffer]!.width];
  const norm = (name: string) => [
    make.vector(`${name}.weight`, size, 1, 0.3),
    make.vector(`${name}.bias`, size, 0, 0.2),
  ];
  const steps: Step[] = [
    { op: 'embed', out: [all(0)], weights: [make.matrix('words', weights, vocabularySize, size, 1)], scale: 1 },
    {
      op: 'add_positions',
      out: [all(0)],
      weights: [make.matrix('positions', 'f16', shape.contextTokens + 2, size, 0.5)],
      offset: 2,
    },
    shape.role === 'reranker'
      ? { op: 'add_segments', out: [all(0)], weights: [make.matrix('types', 'f32', 2, size, 0.5)] }
      : { op: 'add_bias', out: [all(0)], weights: [make.vector('type', size, 0, 0.3)] },
    { op: 'layer_norm', in: [all(0)], out: [all(1)], weights: norm('norm'), epsilon: 1e-6 },
  ];
  const linear = (from: number, name: string, to: number, activation = 'none') =>
    steps.push({
      op: 'linear',
      in: [all(from)],
      out: [all(to)],
      weights: [
        make.matrix(name, weights, buffers[to]!.width, buffers[from]!.width),
        make.vector(`${name}.bias`, buffers[to]!.width, 0, 0.2),
      ],
      activation,
    });
  for (let layer = 0; layer < shape.numLayers; layer++) {
    linear(1, `qkv.${layer}`, 2);
    const views = [0, 1, 2].map((part) => [2, part * size, size]);
    const headSize = size / numHeads;
    steps.push({ op: 'attention_full', in: views, out: [all(3)], numHeads, headSize, scale: headSize ** -0.5 });
    linear(3, `out.${layer}`, 4);
    steps.push({
      op: 'add_layer_norm',
      in: [all(1), all(4)],
      out: [all(0)],
      weights: norm(`norm.${layer}.1`),
      epsilon: 1e-6,
    });
    linear(0, `up.${layer}`, 5, 'gelu');
    linear(5, `down.${layer}`, 4);
    steps.push({
      op: 'add_layer_norm',
      in: [all(0), all(4)],
      out: [all(1)],
      weights: norm(`norm.${layer}.2`),
      epsilon: 1e-6,
    });
  }
  steps.push({ op: shape.pool, in: [all(1)], out: [all(6)] });
  if (shape.role === 'embedder') {
    steps.push({ op: 'normalize', out: [all(6)] });
  } else {
    linear(6, 'pooler', 7, 'tanh');
    linear(7, 'classifier', 8);
  }
  const header: Header = {
    ...commonHeader,
    architecture: 'bert',
    name: 'Tiny BERT',
    role: shape.role,
    vocabularySize,
    contextTokens: shape.contextTokens,
    embeddingSize: shape.role === 'embedder' ? size : 0,
    kv: null,
    tokenizer: noTokenizer,
    program: { buffers, steps, output: shape.role === 'embedder' ? 6 : 8 },
  };
  return { header, tensors: make.tensors, shape };
}
