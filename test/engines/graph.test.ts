import { describe, expect, test } from 'vitest';
import { buildBert } from '../../engines/architectures/bert.ts';
import type { EncoderConfig } from '../../engines/architectures/encoder.ts';
import { buildLlama, type LlamaConfig } from '../../engines/architectures/llama.ts';
import { ropeFrequencies } from '../../engines/architectures/rope.ts';
import { createGraphBuilder, type TensorShape } from '../../engines/graph/graph.ts';
import { compile } from '../../engines/graph/passes/passes.ts';
import { printProgram } from '../../engines/graph/print.ts';

const llama: LlamaConfig = {
  numLayers: 2,
  hiddenSize: 2048,
  numHeads: 32,
  numKvHeads: 4,
  headSize: 64,
  feedForwardSize: 5632,
  vocabularySize: 32000,
  contextTokens: 2048,
  normEpsilon: 1e-5,
  window: 0,
  inverseFrequencies: ropeFrequencies(10_000, 64),
  adjacentPairs: true,
};

/** The shapes that a checkpoint of this config has. */
function llamaShapes(config: LlamaConfig, typeOf: (name: string) => string): Map<string, TensorShape> {
  const { hiddenSize, feedForwardSize, vocabularySize } = config;
  const [q, kv] = [config.numHeads * config.headSize, config.numKvHeads * config.headSize];
  const shapes: [string, number, number][] = [
    ['model.embed_tokens.weight', vocabularySize, hiddenSize],
    ['model.norm.weight', 1, hiddenSize],
    ['lm_head.weight', vocabularySize, hiddenSize],
  ];
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `model.layers.${layer}`;
    shapes.push([`${at}.input_layernorm.weight`, 1, hiddenSize]);
    shapes.push([`${at}.post_attention_layernorm.weight`, 1, hiddenSize]);
    shapes.push([`${at}.self_attn.q_proj.weight`, q, hiddenSize]);
    shapes.push([`${at}.self_attn.k_proj.weight`, kv, hiddenSize]);
    shapes.push([`${at}.self_attn.v_proj.weight`, kv, hiddenSize]);
    shapes.push([`${at}.self_attn.o_proj.weight`, hiddenSize, q]);
    shapes.push([`${at}.mlp.gate_proj.weight`, feedForwardSize, hiddenSize]);
    shapes.push([`${at}.mlp.up_proj.weight`, feedForwardSize, hiddenSize]);
    shapes.push([`${at}.mlp.down_proj.weight`, hiddenSize, feedForwardSize]);
  }
  return new Map(shapes.map(([name, rows, columns]) => [name, { rows, columns, type: typeOf(name) }]));
}

const bert: EncoderConfig = {
  numLayers: 1,
  hiddenSize: 384,
  numHeads: 12,
  feedForwardSize: 1536,
  vocabularySize: 30522,
  numPositions: 512,
  firstPosition: 0,
  numSegments: 2,
  normEpsilon: 1e-12,
  activation: 'gelu',
  end: 'mean',
};

function bertShapes(): Map<string, TensorShape> {
  const at = 'encoder.layer.0';
  const d = bert.hiddenSize;
  const shapes: [string, number, number][] = [
    ['embeddings.word_embeddings.weight', 30522, d],
    ['embeddings.position_embeddings.weight', 512, d],
    ['embeddings.token_type_embeddings.weight', 2, d],
  ];
  const linears: [string, number, number][] = [
    ['attention.self.query', d, d],
    ['attention.self.key', d, d],
    ['attention.self.value', d, d],
    ['attention.output.dense', d, d],
    ['intermediate.dense', 1536, d],
    ['output.dense', d, 1536],
  ];
  for (const [name, rows, columns] of linears) {
    shapes.push([`${at}.${name}.weight`, rows, columns], [`${at}.${name}.bias`, 1, rows]);
  }
  for (const norm of ['embeddings', `${at}.attention.output`, `${at}.output`]) {
    shapes.push([`${norm}.LayerNorm.weight`, 1, d], [`${norm}.LayerNorm.bias`, 1, d]);
  }
  return new Map(shapes.map(([name, rows, columns]) => [name, { rows, columns, type: 'f16' }]));
}

const opsOf = (compiled: ReturnType<typeof compile>) => compiled.program.steps.map((step) => step.op);

describe('A graph', () => {
  test('names the tensor and the architecture when the checkpoint lacks one', () => {
    const shapes = new Map(llamaShapes(llama, () => 'f16'));
    shapes.delete('model.layers.1.mlp.up_proj.weight');
    expect(() => buildLlama(llama, shapes)).toThrow(/llama: .*model\.layers\.1\.mlp\.up_proj\.weight/);
  });

  test('names the tensor, its shape and the shape that is needed', () => {
    const shapes = new Map(llamaShapes(llama, () => 'f16'));
    shapes.set('model.layers.0.self_attn.k_proj.weight', { rows: 2048, columns: 2048, type: 'f16' });
    expect(() => buildLlama(llama, shapes)).toThrow(
      'llama: the tensor model.layers.0.self_attn.k_proj.weight is 2048 × 2048, but 256 × 2048 is needed.',
    );
  });

  test('refuses widths that do not fit', () => {
    const g = createGraphBuilder('test', new Map([['table', { rows: 8, columns: 64, type: 'f32' }]]));
    const x = g.embed(g.weight('table', 8, 64, 'table'));
    expect(() => g.add(x, g.gatherOutputs(x))).toThrow(/test: add of a matrix of tokens × 64/);
    expect(() =>
      g.rope(x, g.constant('f', new Float32Array(5)), { headSize: 48, rotarySize: 48, adjacentPairs: false }),
    ).toThrow(/heads of 48/);
  });

  test('uses the table as the head where the checkpoint has none, and keeps it once', () => {
    const shapes = new Map(llamaShapes(llama, () => 'f16'));
    shapes.delete('lm_head.weight');
    const { program, tensors } = compile(buildLlama(llama, shapes));
    const head = program.steps.at(-1)!.weights[0]!;
    expect(program.steps[0]!.weights[0]).toBe(head);
    expect(tensors[head]).toMatchObject({ name: 'model.embed_tokens.weight', type: 'q8' });
  });
});

describe('The passes over a Llama', () => {
  test('fuse each layer into eight steps', () => {
    const compiled = compile(
      buildLlama(
        llama,
        llamaShapes(llama, () => 'f16'),
      ),
    );
    const layer = ['linear', 'rope_kv_write', 'attention', 'linear', 'add_rms_norm', 'linear', 'gated', 'linear'];
    expect(opsOf(compiled)).toEqual([
      'embed',
      'rms_norm',
      ...layer,
      'add_rms_norm',
      ...layer,
      'add_rms_norm',
      'gather_outputs',
      'linear',
    ]);
    expect(compiled.program.steps[2]!.out[0]![2]).toBe(2048 + 2 * 256);
    expect(compiled.program.steps[4]!.in[0]![2]).toBe(2048);
    expect(compiled.program.steps[3]).toMatchObject({ layer: 0, numHeads: 32, numKvHeads: 4, adjacentPairs: false });
  });

  test('leave it as it is written when they are told not to fuse', () => {
    const ops = opsOf(
      compile(
        buildLlama(
          llama,
          llamaShapes(llama, () => 'f16'),
        ),
        { fuse: false },
      ),
    );
    expect(ops).toContain('kv_write');
    expect(ops).toContain('multiply');
    expect(ops).not.toContain('rope_kv_write');
    expect(ops.filter((op) => op === 'linear')).toHaveLength(2 * 7 + 1);
  });

  test('split a fused linear where its parts get different types', () => {
    const compiled = compile(
      buildLlama(
        llama,
        llamaShapes(llama, (name) => (name.includes('v_proj') ? 'q4_k' : 'iq2_xxs')),
      ),
    );
    const [qk, v, turned] = compiled.program.steps.slice(2, 5);
    expect(qk!.out[0]!.slice(1)).toEqual([0, 2048 + 256]);
    expect(v!.out[0]!.slice(1)).toEqual([2048 + 256, 256]);
    expect(turned!.op).toBe('rope_kv_write');
    expect(compiled.tensors[qk!.weights[0]!]).toMatchObject({ type: 'q4', rows: 2304 });
    expect(compiled.tensors[v!.weights[0]!]).toMatchObject({ type: 'int4_g32', rows: 256 });
  });

  test('keep 4-bit types at 4 bits with their own levels, table and head at 8, vectors exact', () => {
    const { tensors } = compile(
      buildLlama(
        llama,
        llamaShapes(llama, (name) => (name.includes('norm') ? 'f32' : 'q4_0')),
      ),
    );
    const typeOf = (name: string) => tensors.find((tensor) => tensor.name.startsWith(name))!;
    expect(typeOf('model.embed_tokens')).toMatchObject({ type: 'q8' });
    expect(typeOf('lm_head')).toMatchObject({ type: 'q8' });
    expect(typeOf('model.norm')).toMatchObject({ type: 'f32' });
    expect(typeOf('model.layers.0.mlp.down_proj')).toMatchObject({ type: 'q4' });
    expect(typeOf('model.layers.0.mlp.down_proj').codebook).toContain(-8);
  });

  test('put pairs that stand side by side half a head apart, for queries and keys alone', () => {
    const { tensors } = compile(
      buildLlama(
        llama,
        llamaShapes(llama, () => 'f16'),
      ),
    );
    const parts = tensors.find((tensor) => tensor.name.includes('q_proj'))!.parts;
    expect(parts.map((part) => part.order !== undefined)).toEqual([true, true, false]);
    const order = parts[1]!.order!;
    expect([...order.slice(0, 4)]).toEqual([0, 2, 4, 6]);
    expect([...order.slice(32, 36)]).toEqual([1, 3, 5, 7]);
    expect(order[64]).toBe(64);
    expect(new Set(order).size).toBe(256);
  });

  test('use buffers again: a token needs little more than the widest layer', () => {
    const compiled = compile(
      buildLlama(
        { ...llama, numLayers: 2 },
        llamaShapes(llama, () => 'f16'),
      ),
    );
    expect(compiled.peakFloatsPerToken).toBeLessThanOrEqual(2048 + 5632 + 11264 + 2560);
    const unfused = compile(
      buildLlama(
        llama,
        llamaShapes(llama, () => 'f16'),
      ),
      { fuse: false },
    );
    expect(unfused.peakFloatsPerToken).toBeLessThanOrEqual(2048 * 3 + 5632 * 3);
  });

  test('never let a step write where one of its inputs lies, but where it is meant to', () => {
    for (const fuse of [true, false]) {
      const { program } = compile(
        buildLlama(
          llama,
          llamaShapes(llama, () => 'f16'),
        ),
        { fuse },
      );
      for (const { op, in: inputs, out } of program.steps) {
        for (const [buffer, first, width] of out) {
          for (const [other, otherFirst, otherWidth] of inputs) {
            const apart = buffer !== other || first + width <= otherFirst || otherFirst + otherWidth <= first;
            expect(apart, `${op} writes over its input`).toBe(true);
          }
        }
      }
    }
  });

  test('refuse a graph that reads a value after it was changed in place', () => {
    const g = createGraphBuilder('test', new Map([['table', { rows: 8, columns: 64, type: 'f32' }]]));
    const x = g.embed(g.weight('table', 8, 64, 'table'));
    const scaled = g.normalize(x);
    expect(() => compile(g.finish(g.add(x, scaled)))).toThrow(/changes a value that is read again/);
  });
});

describe('The passes over a BERT', () => {
  test('fuse query, key and value with their biases, and every residual with its norm', () => {
    const compiled = compile(buildBert(bert, bertShapes()));
    expect(opsOf(compiled)).toEqual([
      'embed',
      'add_positions',
      'add_bias',
      'layer_norm',
      'linear',
      'attention_full',
      'linear',
      'add_layer_norm',
      'linear',
      'linear',
      'add_layer_norm',
      'pool_mean',
      'normalize',
    ]);
    const [q, k, v] = compiled.program.steps[5]!.in;
    expect([q![1], k![1], v![1]]).toEqual([0, 384, 768]);
    const bias = compiled.tensors[compiled.program.steps[4]!.weights[1]!]!;
    expect(bias).toMatchObject({ type: 'f32', rows: 1, columns: 1152 });
    expect(compiled.program.steps[8]).toMatchObject({ activation: 'gelu' });
    expect(compiled.program.buffers[compiled.program.output]).toEqual({ rows: 'sequences', width: 384 });
  });
});

test('A program can be printed, one line a step', () => {
  const compiled = compile(buildBert(bert, bertShapes()));
  const lines = printProgram(compiled.program, compiled.tensors).split('\n');
  expect(lines).toHaveLength(compiled.program.buffers.length + compiled.program.steps.length + 1);
  expect(lines.find((line) => line.includes('attention_full'))).toMatch(/b\d+\[0\.\.384\], b\d+\[384\.\.768\]/);
});
