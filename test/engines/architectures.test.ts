/** What the decoders' configs may say, what is refused, and what the passes make of their graphs. */
import { describe, expect, test } from 'vitest';
import { type CheckpointFacts, noFacts } from '../../engines/architectures/architecture.ts';
import { ggufNamesOf, readModel } from '../../engines/architectures/index.ts';
import type { TensorShape } from '../../engines/graph/graph.ts';
import { compile } from '../../engines/graph/passes/passes.ts';
import { ModelError } from '../../engines/model-error.ts';
import { readReference } from './reference/reference.ts';

type Json = Record<string, unknown>;

/** The published config of a reference case, changed; the value undefined removes a key. */
function configOf(name: string, change: Json = {}): Json {
  return JSON.parse(JSON.stringify({ ...readReference(name).configs[0], ...change }));
}

const read = (json: Json, facts: Partial<CheckpointFacts> = {}) =>
  readModel(json, 'config.json', { ...noFacts, ...facts });

/** The sentence that a config is refused with. */
function refusalOf(json: Json): string {
  try {
    read(json);
  } catch (error) {
    expect(error).toBeInstanceOf(ModelError);
    expect(['unsupported-model', 'invalid-checkpoint']).toContain((error as ModelError).code);
    return (error as ModelError).message;
  }
  return 'it was read';
}

const rope = (rope_scaling: Json) => ({ rope_scaling });
const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
const longrope = readReference('phi3-longrope').configs[0].rope_scaling as Json;

/** A case, what is changed in it, and what the sentence must name. */
const refused: [name: string, change: Json, named: RegExp][] = [
  ['llama-gqa', { hidden_act: 'relu' }, /the activation relu/],
  ['llama-gqa', { hidden_act: 'constructor' }, /the activation constructor/],
  ['llama-gqa', { hidden_act: 7 }, /hidden_act is impossible/],
  ['gemma', { hidden_activation: 'silu' }, /the activation silu/],
  ['gemma', { hidden_act: 'gelu_new' }, /the activation gelu_new/],
  ['gemma2', { hidden_activation: 'gelu' }, /the activation gelu,/],
  ['gemma', { use_bidirectional_attention: true }, /both directions/],

  ['llama-gqa', rope({ type: 'mrope', mrope_section: [1] }), /positions scaled by mrope/],
  ['llama-gqa', rope({ type: 'constructor' }), /positions scaled by constructor/],
  ['llama-gqa', rope({ type: 'linear' }), /rope_scaling\.factor is missing/],
  ['llama-gqa', rope({ type: 'linear', factor: -2 }), /rope_scaling\.factor is impossible/],
  ['llama-gqa', rope({ type: 'linear', factor: '2' }), /rope_scaling\.factor is impossible/],
  ['llama-gqa', rope({ type: 'linear', factor: 1e300 }), /positions come out impossible/],
  ['llama-gqa', rope({ type: 5 }), /rope_scaling\.type is impossible/],
  ['llama-gqa', { rope_scaling: 'linear' }, /rope_scaling is impossible/],
  ['llama-gqa', { rope_scaling: [1] }, /rope_scaling is impossible/],
  ['llama-gqa', rope({ ...llama3, low_freq_factor: undefined }), /low_freq_factor is missing/],
  ['llama-gqa', rope({ ...llama3, high_freq_factor: 1 }), /high_freq_factor is not above low_freq_factor/],
  ['llama-gqa', rope({ ...llama3, original_max_position_embeddings: 1.5 }), /original_max_position_embeddings/],
  ['llama-gqa', rope({ type: 'yarn', factor: 4, beta_fast: 0 }), /beta_fast is impossible/],
  ['llama-gqa', rope({ type: 'yarn', factor: 4, truncate: 1 }), /truncate is impossible/],
  ['llama-gqa', { rope_theta: 1e-300 }, /positions come out impossible/],
  ['llama-gqa', { rope_theta: 1e-300, ...rope({ type: 'yarn', factor: 4 }) }, /positions come out impossible/],
  ['llama-yarn', rope({ type: 'yarn', factor: 4, attention_factor: 1e9 }), /positions come out impossible/],
  ['llama-gqa', { rope_theta: 0 }, /rope_theta is impossible/],
  ['llama-gqa', { rope_theta: undefined, ...rope({ rope_theta: 'x' }) }, /rope_scaling\.rope_theta is impossible/],
  ['llama-gqa', { partial_rotary_factor: 0.5 }, /a part turns/],
  [
    'llama-gqa',
    { rope_parameters: { full_attention: { rope_theta: 1e4 }, sliding_attention: { rope_theta: 1e4 } } },
    /differ from layer to layer/,
  ],
  ['phi3', { partial_rotary_factor: 1.5 }, /24 columns of a head of 16/],
  ['phi3', { partial_rotary_factor: 0.05 }, /0 columns/],
  ['phi3-longrope', rope({ ...longrope, long_factor: [1, 2] }), /2 rotary divisors for 8/],
  ['phi3-longrope', rope({ ...longrope, long_factor: undefined }), /long_factor is missing/],
  ['phi3-longrope', rope({ ...longrope, long_factor: [1, 0, 1, 1, 1, 1, 1, 1] }), /long_factor is impossible/],
  ['phi3-longrope', rope({ ...longrope, long_factor: 'all' }), /long_factor is impossible/],
  ['phi3-longrope', { original_max_position_embeddings: 1 }, /positions come out impossible/],

  ['qwen2-window', { layer_types: ['full_attention', 'full_attention'] }, /layer_types has 2 for 3/],
  ['qwen2-window', { layer_types: new Array(3).fill('chunked_attention') }, /layers of the type chunked_attention/],
  ['qwen2-window', { layer_types: [1, 2, 3] }, /layer_types is impossible/],
  ['qwen2-bias', { layer_types: ['sliding_attention', 'full_attention'] }, /no window is given/],
  ['qwen2-window', { use_sliding_window: 'yes' }, /use_sliding_window is impossible/],
  ['qwen2-window', { sliding_window: 0 }, /sliding_window is impossible/],
  ['qwen2-window', { max_window_layers: -1 }, /max_window_layers is impossible/],
  ['mistral-window', { sliding_window: -8 }, /sliding_window is impossible/],
  ['mistral-window', { layer_types: ['sliding_attention', 'full_attention'] }, /layer types/],
  ['gemma2', { attn_logit_softcapping: 0 }, /attn_logit_softcapping is impossible/],
  ['gemma2', { query_pre_attn_scalar: 'x' }, /query_pre_attn_scalar is impossible/],

  ['llama-gqa', { model_type: 'mixtral' }, /type mixtral are not read/],
  ['llama-gqa', { model_type: 'constructor' }, /type constructor are not read/],
  ['llama-gqa', { model_type: undefined }, /not read/],
  ['llama-gqa', { num_local_experts: 8 }, /a mixture of experts/],
  ['qwen3', { num_experts: 128 }, /a mixture of experts/],
  ['qwen3', { model_type: 'qwen3_moe', num_experts: 128 }, /type qwen3_moe are not read/],

  ['llama-gqa', { head_dim: 512 }, /heads of 512 columns/],
  ['llama-gqa', { head_dim: 15 }, /head of 15 columns cannot turn/],
  ['llama-gqa', { num_key_value_heads: 3 }, /4 heads cannot share 3/],
  ['llama-gqa', { num_attention_heads: 3 }, /64 is no multiple of 3 heads/],
  ['llama-gqa', { num_hidden_layers: 2 ** 24 }, /16777216 layers/],
  ['llama-gqa', { hidden_size: 2 ** 24, head_dim: 64 }, /layers of 16777216/],
  ['llama-gqa', { num_attention_heads: 2 ** 24, num_key_value_heads: 1, head_dim: 256 }, /16777216 heads/],
  ['llama-gqa', { rms_norm_eps: -1 }, /rms_norm_eps is impossible/],
  ['llama-gqa', { tie_word_embeddings: 'no' }, /tie_word_embeddings is impossible/],
];

const sizes = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size', 'vocab_size'];
for (const key of [...sizes, 'max_position_embeddings']) {
  refused.push(['llama-gqa', { [key]: undefined }, new RegExp(`${key} is missing`)]);
  for (const value of [null, 0, -4, 1.5, '64', 2 ** 40, [64], {}, true]) {
    const said = value === null ? 'missing' : 'impossible';
    refused.push(['qwen3', { [key]: value }, new RegExp(`${key} is ${said}`)]);
  }
}

describe('A config.json', () => {
  test.each(refused)('of %s with %j is refused in one sentence', (name, change, named) => {
    const sentence = refusalOf(configOf(name, change));
    expect(sentence).toMatch(named);
    expect(sentence).toMatch(/^[A-Z][^\n]{10,200}\.$/i);
  });

  test.each(['llama-gqa', 'mistral-window', 'qwen2-window', 'qwen3', 'gemma', 'gemma2', 'phi3-longrope'])(
    'of %s is refused or read, whatever any of its values becomes',
    (name) => {
      const config = configOf(name);
      for (const key of Object.keys(config)) {
        for (const value of [undefined, null, 0, -1, 1e300, 3, 'x', '', [], [null], {}, true, false]) {
          try {
            const model = read(configOf(name, { [key]: value }));
            expect(() => model.build(new Map())).toThrow(ModelError);
          } catch (error) {
            expect(error, `${key} = ${JSON.stringify(value)}`).toBeInstanceOf(ModelError);
          }
        }
      }
    },
  );

  test.each(['llama-linear-rope', 'llama-llama3-rope', 'llama-yarn-settings', 'llama-longrope', 'phi3-partial'])(
    'of %s is refused or read, whatever any value of its positions becomes',
    (name) => {
      const scaling = configOf(name).rope_scaling as Json;
      for (const key of [
        ...Object.keys(scaling),
        'rope_type',
        'rope_theta',
        'attention_factor',
        'partial_rotary_factor',
      ]) {
        for (const value of [undefined, null, 0, -1, 1e-9, 1e300, 3, 'x', [], [1e300, 0], {}, true]) {
          try {
            const model = read(configOf(name, { rope_scaling: { ...scaling, [key]: value } }));
            const { tensors } = compile(model.build(shapesOf(name)), { precision: 'f32' });
            const numbers = tensors.find((tensor) => tensor.name === 'rope.inverse_frequencies')!.parts[0]!.values!;
            expect(
              [...numbers].every((number) => number > 0 && Number.isFinite(number)),
              `${key} = ${value}`,
            ).toBe(true);
          } catch (error) {
            expect(error, `${key} = ${JSON.stringify(value)}`).toBeInstanceOf(ModelError);
          }
        }
      }
    },
  );

  test('that leaves out what it may is read with the defaults of transformers', () => {
    const kv = (name: string, change: Json) => read(configOf(name, change)).kv;
    expect(kv('llama-gqa', { num_key_value_heads: null })).toMatchObject({ numHeads: 4, headSize: 16 });
    expect(kv('qwen3', { head_dim: undefined })).toMatchObject({ headSize: 128 });
    expect(kv('gemma', { head_dim: undefined })).toMatchObject({ headSize: 256 });
    const windows = (name: string, change: Json) => stepsOf(name, { change }).map((step) => step.window);
    expect(windows('mistral-window', { sliding_window: undefined })).toContain(4096);
    expect(windows('mistral-window', { sliding_window: null })).not.toContain(4096);
    expect(windows('gemma2', { sliding_window: undefined }).filter((window) => window !== undefined)).toEqual([
      4096, 0, 4096,
    ]);
  });

  test('of Gemma without a tied head, or of a Llama with one, takes the head that it says', () => {
    const tensorsOf = (name: string, tie_word_embeddings: boolean) => {
      const shapes = new Map(shapesOf(name));
      shapes.set('lm_head.weight', shapes.get('model.embed_tokens.weight')!);
      return compile(read(configOf(name, { tie_word_embeddings })).build(shapes)).tensors.map((tensor) => tensor.name);
    };
    expect(tensorsOf('gemma', false)).toContain('lm_head.weight');
    expect(tensorsOf('gemma', true)).not.toContain('lm_head.weight');
    expect(tensorsOf('llama-gqa', false)).toContain('lm_head.weight');
    expect(tensorsOf('llama-gqa', true)).not.toContain('lm_head.weight');
  });

  test('is built for a shorter context where that is wanted, never for a longer one', () => {
    expect(read(configOf('llama-gqa'), { contextTokens: 50 }).contextTokens).toBe(50);
    expect(read(configOf('llama-gqa'), { contextTokens: 5000 }).contextTokens).toBe(128);
  });

  test.each([
    ['bf16', 3072, 55.5],
    ['bf16', 2048, 45.25],
    ['f16', 3072, 55.4375],
    ['f32', 3072, Math.fround(Math.sqrt(3072))],
    ['q4_k', 2304, 48],
  ])('of Gemma with a table of %s multiplies rows of %i by %f', (type, hidden_size, scale) => {
    const name = 'model.embed_tokens.weight';
    const model = read(configOf('gemma', { hidden_size, num_hidden_layers: 1 }));
    const shapes = new Map([...shapesOf('gemma', { hidden_size })].map(([key, shape]) => [key, { ...shape, type }]));
    expect(shapes.get(name)?.columns).toBe(hidden_size);
    expect(compile(model.build(shapes)).program.steps[0]).toMatchObject({ op: 'embed', scale });
  });
});

test('A GGUF file of Gemma 2 with 46 layers is the 27B, whose scores are scaled by its width', () => {
  const names = ggufNamesOf('gemma2');
  const config = { hidden_size: 4608, num_attention_heads: 32, head_dim: 128 };
  expect(names.derive?.({ ...config, num_hidden_layers: 46 })).toEqual({ query_pre_attn_scalar: 144 });
  expect(names.derive?.({ ...config, num_hidden_layers: 42 })).toEqual({ query_pre_attn_scalar: 128 });
});

test('A GGUF file of a Llama with a window is a Mistral', () => {
  const names = ggufNamesOf('llama');
  const config = { ...configOf('llama-gqa'), sliding_window: 8 };
  const windowOf = (json: Json) =>
    compile(read(json).build(shapesOf('llama-gqa')), { precision: 'f16' }).program.steps.find(
      (step) => step.op === 'attention',
    )!.window;
  expect(windowOf({ ...config, ...names.derive?.(config) })).toBe(8);
  expect(windowOf({ ...configOf('llama-gqa'), ...names.derive?.(configOf('llama-gqa')) })).toBe(0);
});

test('A GGUF file of Phi-3 says in columns how much of a head turns, and 0 where there is no window', () => {
  const names = ggufNamesOf('phi3');
  const sizes = { hidden_size: 3072, num_attention_heads: 24 };
  expect(names.derive?.({ ...sizes, rotary_size: 96, sliding_window: 0 })).toEqual({
    partial_rotary_factor: 0.75,
    sliding_window: null,
  });
  expect(names.derive?.({ ...sizes, sliding_window: 2047 })).toEqual({});
});

/** The shapes of a case's tensors, as they are or of another width. */
function shapesOf(name: string, { hidden_size }: { hidden_size?: number } = {}): Map<string, TensorShape> {
  const reference = readReference(name);
  const width = (size: number) => (hidden_size !== undefined && size === 64 ? hidden_size : size);
  return new Map(
    reference.tensors.map(({ name: tensor, shape }) => {
      const [columns, rows] = [width(shape.at(-1)!), shape.length === 1 ? 1 : width(shape[0]!)];
      return [tensor, { rows, columns, type: 'f16' }];
    }),
  );
}

function stepsOf(name: string, { change = {}, fuse = true }: { change?: Json; fuse?: boolean } = {}) {
  return compile(read(configOf(name, change)).build(shapesOf(name)), { precision: 'f16', fuse }).program.steps;
}

describe('The passes', () => {
  const layer = ['linear', 'rope_kv_write', 'attention', 'linear', 'add_rms_norm', 'linear', 'gated', 'linear'];
  const normed = ['linear', 'rms_norm_heads', 'rms_norm_heads', ...layer.slice(1)];
  const gemma2 = [
    ...['linear', 'rope_kv_write', 'attention', 'linear', 'rms_norm', 'add_rms_norm'],
    ...['linear', 'gated', 'linear', 'rms_norm'],
  ];

  test.each([
    ['llama-gqa', layer],
    ['llama-biases', layer],
    ['llama-yarn', layer],
    ['mistral-window', layer],
    ['qwen2-window', layer],
    ['qwen3', normed],
    ['qwen3-biases', normed],
    ['gemma', layer],
    ['gemma2', gemma2],
    ['phi3', layer],
    ['phi3-partial', layer],
  ])('fuse every layer of %s', (name, expected) => {
    const ops = stepsOf(name).map((step) => step.op);
    const numLayers = ops.filter((op) => op === 'attention').length;
    const layers = Array.from({ length: numLayers }, () => [...expected, 'add_rms_norm']).flat();
    const end = ['gather_outputs', 'linear', ...(name === 'gemma2' ? ['soft_cap'] : [])];
    expect(ops).toEqual(['embed', 'rms_norm', ...layers, ...end]);
  });

  test('leave the norms of Qwen 3 on the columns that the turning reads', () => {
    const [linear, queries, keys, turned] = stepsOf('qwen3').slice(2, 6);
    const buffer = linear!.out[0]![0];
    expect(queries).toMatchObject({ op: 'rms_norm_heads', out: [[buffer, 0, 96]], numHeads: 4, headSize: 24 });
    expect(keys).toMatchObject({ op: 'rms_norm_heads', out: [[buffer, 96, 48]], numHeads: 2, headSize: 24 });
    expect(turned).toMatchObject({ op: 'rope_kv_write', out: [[buffer, 0, 192]] });
  });

  test('leave values of another type in their columns, where norms change those beside them', () => {
    const shapes = shapesOf('qwen3');
    for (const [name, shape] of shapes) {
      if (/[qk]_proj/.test(name)) shapes.set(name, { ...shape, type: 'iq2_xxs' });
      if (/v_proj/.test(name)) shapes.set(name, { ...shape, type: 'q4_0' });
    }
    const [queriesAndKeys, heldValues, queries, keys, turned] = compile(read(configOf('qwen3')).build(shapes), {
      precision: 'q4',
    }).program.steps.slice(2, 7);
    const buffer = queriesAndKeys!.out[0]![0];
    expect(queriesAndKeys).toMatchObject({ op: 'linear', out: [[buffer, 0, 144]] });
    expect(heldValues).toMatchObject({ op: 'linear', out: [[buffer, 144, 48]] });
    expect([queries!.op, keys!.op]).toEqual(['rms_norm_heads', 'rms_norm_heads']);
    expect(turned).toMatchObject({ op: 'rope_kv_write', out: [[buffer, 0, 192]] });
  });

  test('keep a scaled rotation as it was written', () => {
    const factors = (fuse: boolean) => stepsOf('phi3-partial', { fuse }).flatMap((step) => step.factor ?? []);
    expect(factors(true)).toHaveLength(2);
    expect(new Set([...factors(true), ...factors(false)]).size).toBe(1);
    expect(factors(true)[0]).toBeCloseTo(Math.sqrt(1 + Math.log(8) / Math.log(16)), 6);
    expect(stepsOf('phi3-partial').find((step) => step.op === 'rope_kv_write')).toMatchObject({ rotarySize: 12 });
  });
});
