/** GPT-2, GPT-J, GPT-NeoX, Falcon, MPT and BLOOM: what they compute beside the logits, their programs, what they refuse. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { alibiSlopes } from '../../engines/architectures/alibi.ts';
import { noFacts } from '../../engines/architectures/architecture.ts';
import { queriesKeysValues } from '../../engines/architectures/heads.ts';
import { architectureOf, readModel } from '../../engines/architectures/index.ts';
import type { TensorShapes } from '../../engines/graph/graph.ts';
import { compile } from '../../engines/graph/passes/passes.ts';
import { withFolder } from './checkpoints.ts';
import { largestDifference, readReference, runReference, withEngine, writeHubFolder } from './reference/reference.ts';

/** Made by reference/make-classics.py. */
const {
  slopes,
  published,
}: {
  slopes: Record<string, Record<'bloom' | 'falcon' | 'mpt' | 'mpt16', number[]>>;
  published: Record<string, { config: Config; layers: number; weights: number; tensors: Record<string, number[]> }>;
} = JSON.parse(readFileSync(join(import.meta.dirname, 'reference/classics.json'), 'utf8'));

type Config = Record<string, unknown>;
type Shapes = { name: string; shape: number[] }[];

function shapesOf(tensors: Shapes, { model_type: modelType }: Config): TensorShapes {
  const prefix = architectureOf(modelType).optionalPrefix ?? '';
  return new Map(
    tensors.map(({ name, shape }) => [
      name.startsWith(prefix) ? name.slice(prefix.length) : name,
      { rows: shape.length === 1 ? 1 : shape[0]!, columns: shape.at(-1)!, type: 'f32' },
    ]),
  );
}

const graphOf = (name: string, change: Config = {}) => {
  const reference = readReference(name);
  return readModel({ ...reference.configs[0], ...change }, 'config.json', noFacts).build(
    shapesOf(reference.tensors, reference.configs[0]),
  );
};
const readChanged = (name: string, change: Config) => () => graphOf(name, change);

describe('The slopes of ALiBi', () => {
  test.each(Object.entries(slopes))('of %s heads are those of transformers', (numHeads, rules) => {
    const compare = (found: Float32Array, wanted: number[]) => {
      expect(found).toHaveLength(wanted.length);
      // BLOOM raises a rounded number to a power: the last bits differ.
      wanted.forEach((slope, head) => {
        expect(Math.abs(found[head]! / slope - 1), `head ${head}`).toBeLessThan(1e-6);
      });
    };
    compare(alibiSlopes(Number(numHeads)), rules.bloom);
    compare(alibiSlopes(Number(numHeads)), rules.mpt);
    compare(alibiSlopes(Number(numHeads), 16), rules.mpt16);
  });

  test('are rounded and scaled as Falcon does', () => {
    const { tensors, configs } = readReference('falcon-rw');
    // 12 heads of 16: numbers that bfloat16 does not have.
    const wide = tensors.map(({ name, shape }) => ({
      name,
      shape: shape.map((size) => (size % 64 === 0 ? 3 * size : size)),
    }));
    const config = { ...configs[0], hidden_size: 192, num_attention_heads: 12 };
    const { nodes } = readModel(config, 'config.json', noFacts).build(shapesOf(wide, config));
    const found = nodes.find(({ op }) => op === 'attention')!.weights[0]!.parts[0]!.values!;
    expect(Array.from(found, (slope) => slope * 4)).toEqual(slopes[12]!.falcon);
  });
});

describe('A fused q + k + v', () => {
  test('is put in order from groups of query heads with their key and value', () => {
    // Two groups of two query heads, one row a head: q q k v, q q k v.
    expect([...queriesKeysValues(4, 2, 1).order!]).toEqual([0, 1, 4, 5, 2, 6, 3, 7]);
    // Head by head, two rows each: q k v, q k v.
    expect([...queriesKeysValues(2, 2, 2).order!]).toEqual([0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
  });

  test('with one key head stands in order already', () => {
    expect(queriesKeysValues(71, 1, 64)).toEqual({});
  });

  test('is read from the checkpoint once', () => {
    for (const name of ['gpt2', 'gptneox', 'falcon-40b', 'falcon-rw', 'mpt', 'bloom']) {
      const names = compile(graphOf(name)).tensors.flatMap(({ parts }) => parts.map((part) => part.name));
      expect(new Set(names).size, name).toBe(names.length);
    }
  });
});

describe('The passes', () => {
  const opsOf = (name: string) => compile(graphOf(name)).program.steps.map(({ op }) => op);
  const twice = (layer: string[]) => [...layer, ...layer];
  const end = ['gather_outputs', 'linear'];
  const sequential = [
    'linear',
    'kv_write',
    'attention',
    'linear',
    'add_layer_norm',
    'linear',
    'linear',
    'add_layer_norm',
  ];

  test('fuse a layer of GPT-2 and of BLOOM into eight steps', () => {
    expect(opsOf('gpt2')).toEqual(['embed', 'add_positions', 'layer_norm', ...twice(sequential), ...end]);
    for (const name of ['bloom', 'bloom-6-heads']) {
      expect(opsOf(name)).toEqual(['embed', 'layer_norm', 'layer_norm', ...twice(sequential), ...end]);
    }
    expect(opsOf('mpt')).toEqual(['embed', 'layer_norm', ...twice(sequential), ...end]);
  });

  test('fuse the last add of a parallel layer with the norm of the next', () => {
    const oneNorm = ['linear', 'rope_kv_write', 'attention', 'linear', 'linear', 'linear', 'add', 'add_layer_norm'];
    for (const name of ['gptj', 'falcon-7b', 'falcon-11b']) {
      expect(opsOf(name), name).toEqual(['embed', 'layer_norm', ...twice(oneNorm), ...end]);
    }
    const twoNorms = oneNorm.toSpliced(4, 0, 'layer_norm');
    for (const name of ['gptneox', 'falcon-40b']) {
      expect(opsOf(name), name).toEqual(['embed', 'layer_norm', ...twice(twoNorms), ...end]);
    }
  });

  test('keep biases and activations inside the linears', () => {
    for (const name of ['gpt2', 'gptj', 'gptneox', 'falcon-rw', 'mpt-biases', 'bloom']) {
      const ops = opsOf(name);
      expect(ops, name).not.toContain('add_bias');
      expect(ops, name).not.toContain('activate');
    }
  });
});

describe('What is not read', () => {
  const attention = readReference('mpt').configs[0].attn_config as Config;
  const changedAttention = (change: Config) => ({ attn_config: { ...attention, ...change } });
  test.each<[string, RegExp, Config]>([
    ['gpt2', /the activation mish, which is not read here/, { activation_function: 'mish' }],
    ['gpt2', /the activation constructor, which is not read here/, { activation_function: 'constructor' }],
    ['gpt2', /attention to a second text, which is not read here/, { add_cross_attention: true }],
    ['gpt2', /5 heads do not fill a width of 64/, { n_head: 5 }],
    ['gpt2', /gpt2: the tensor wte\.weight is 72 × 64, but 72 × 80 is needed/, { n_embd: 80, n_head: 5 }],
    ['gpt2', /heads of 512 columns, which is not read here/, { n_embd: 512, n_head: 1 }],
    ['gptj', /32 of a head's 16 columns turn/, { rotary_dim: 32 }],
    ['gptj', /7 of a head's 16 columns turn/, { rotary_dim: 7 }],
    ['gptj', /positions that turn whole rows, which is not read here/, { rotary_dim: null }],
    ['gptneox', /of a head's 16 columns turn/, { rotary_pct: 1.5 }],
    ['gptneox', /of a head's 16 columns turn/, { rotary_pct: 0.02 }],
    ['gptneox', /positions scaled by wavy, which is not read here/, { rope_scaling: { type: 'wavy', factor: 2 } }],
    ['gptneox', /the activation relu6, which is not read here/, { hidden_act: 'relu6' }],
    ['gptneox', /attention_bias is impossible/, { attention_bias: 'no' }],
    ['falcon-7b', /residuals behind the norm, which is not read/, { apply_residual_connection_post_layernorm: true }],
    ['falcon-40b', /3 norms before one layer, which is not read here/, { num_ln_in_parallel_attn: 3 }],
    ['falcon-40b', /4 heads cannot share 3 key heads/, { num_kv_heads: 3 }],
    ['falcon-7b', /no tensor h\.0\.self_attention\.query_key_value\.bias/, { bias: true }],
    ['falcon-7b', /the activation laplace, which is not read here/, { activation: 'laplace' }],
    ['mpt', /norms of queries and keys, which is not read here/, changedAttention({ qk_ln: true })],
    ['mpt', /positions without ALiBi, which is not read here/, changedAttention({ alibi: false })],
    ['mpt', /a prefix that sees what follows it, which is not read here/, changedAttention({ prefix_lm: true })],
    ['mpt', /linear_attention, which is not read here/, changedAttention({ attn_type: 'linear_attention' })],
    ['mpt', /8 heads cannot share 3 key heads/, changedAttention({ kv_n_heads: 3 })],
    ['mpt', /attn_config\.clip_qkv is impossible/, changedAttention({ clip_qkv: -1 })],
    ['mpt', /attn_config\.alibi_bias_max is impossible/, changedAttention({ alibi_bias_max: 0 })],
    ['mpt', /attn_config is impossible/, { attn_config: 'torch' }],
    ['mpt', /scaled logits, which is not read here/, { logit_scale: 'inv_sqrt_d_model' }],
    ['mpt', /the norm rmsnorm, which is not read here/, { norm_type: 'rmsnorm' }],
    ['mpt', /the feed forward mb_dmoe, which is not read here/, { ffn_config: { ffn_type: 'mb_dmoe' } }],
    ['gptneox', /a width of 4194304, which is not read here/, { hidden_size: 2 ** 22, num_attention_heads: 2 ** 16 }],
    ['bloom', /hidden_size is missing/, { n_embed: undefined }],
    ['bloom', /n_layer is impossible/, { n_layer: 1e9 }],
    ['bloom', /bloom: the checkpoint has no tensor h\.2\./, { n_layer: 3 }],
  ])('of %s is said in one sentence: %s', (name, sentence, change) => {
    const read = readChanged(name, change);
    expect(read).toThrow(sentence);
    expect(read).toThrow(/^[^.]+(\.[^\s.][^.]*)*\.$/);
    expect(read).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(unsupported-model|invalid-checkpoint)$/) }),
    );
  });
});

test('activations that AutoAWQ scaled are refused by name', () => {
  for (const [name, activation] of [
    ['gptj', 'h.1.mlp.act'],
    ['gptneox', 'layers.1.mlp.act'],
    ['falcon-40b', 'h.1.mlp.act'],
    ['mpt', 'blocks.1.ffn.act'],
    ['mpt', 'blk.1.ffn.act'],
    ['bloom', 'h.1.mlp.gelu_impl'],
  ] as const) {
    const { configs, tensors } = readReference(name);
    const more = [...tensors, { name: `${activation}.scales`, shape: [256] }];
    const model = readModel(configs[0], 'config.json', noFacts);
    expect(() => model.build(shapesOf(more, configs[0])), name).toThrow(
      `: the activation ${activation} has scales, which are not read here.`,
    );
  }
});

describe('The published model', () => {
  test.each(Object.entries(published))('%s is read whole: every tensor, and each once', (_, model) => {
    const tensors = Object.entries(model.tensors).flatMap(([pattern, shape]) => {
      const layers = pattern.includes('{layer}') ? model.layers : 1;
      return Array.from({ length: layers }, (_, layer) => ({ name: pattern.replace('{layer}', `${layer}`), shape }));
    });
    const read = readModel(model.config, 'config.json', noFacts);
    const compiled = compile(read.build(shapesOf(tensors, model.config)));
    const parts = compiled.tensors.flatMap((tensor) => tensor.parts).filter((part) => part.values === undefined);
    expect(parts.map((part) => part.name)).toHaveLength(tensors.length);
    expect(parts.reduce((sum, { rows, columns }) => sum + rows * columns, 0)).toBe(model.weights);
    expect(read.contextTokens).toBe(model.config.model_type === 'gpt2' ? 1024 : 2048);
  });
});

test('an MPT says by either of two names that its heads share keys', () => {
  const { attn_config } = readReference('mpt-shared-keys').configs[0];
  const named = { attn_config: { ...(attn_config as Config), attn_type: 'grouped_query_attention' } };
  expect(compile(graphOf('mpt-shared-keys', named))).toEqual(compile(graphOf('mpt-shared-keys')));
});

test('Falcons that were published before transformers knew them are the same models', () => {
  const renamed = (config: Config, modelType: string): Config => {
    const { num_hidden_layers, num_attention_heads, num_kv_heads, new_decoder_architecture, ...same } = config;
    const heads = num_kv_heads === undefined ? {} : { n_head_kv: num_kv_heads };
    return { ...same, model_type: modelType, n_layer: num_hidden_layers, n_head: num_attention_heads, ...heads };
  };
  for (const [name, modelType] of [
    ['falcon-7b', 'RefinedWebModel'],
    ['falcon-40b', 'RefinedWeb'],
  ] as const) {
    const { configs, tensors } = readReference(name);
    const old = readModel(renamed(configs[0], modelType), 'config.json', noFacts);
    expect(compile(old.build(shapesOf(tensors, configs[0])))).toEqual(compile(graphOf(name)));
  }
});

test('masks and frequencies that old checkpoints carry along are left alone', () =>
  withFolder(async (folder) => {
    const reference = readReference('gptneox');
    const tensors = [
      ...reference.tensors,
      { name: 'gpt_neox.layers.0.attention.bias', shape: [1, 1, 8, 8], around: 0, spread: 1 },
      { name: 'gpt_neox.layers.0.attention.masked_bias', shape: [], around: 0, spread: 1 },
      { name: 'gpt_neox.layers.0.attention.rotary_emb.inv_freq', shape: [2], around: 0, spread: 1 },
    ];
    const checkpoint = await writeHubFolder({ ...reference, tensors }, join(folder, 'model'));
    const found = await withEngine(checkpoint, {}, (engine) => runReference(engine, reference));
    const wanted = reference.sequences.map(({ output }) => output);
    expect(largestDifference(found, wanted)).toBeLessThan(1e-4);
  }));
