/** The hub's config.json of models of the catalogue, as far as it decides the program: for `quoth build --random`. */
import type { PrecisionName } from '../graph/passes/choose-precision.ts';

export type ModelShape = {
  readonly config: Readonly<Record<string, unknown>>;
  /** What a plan of it is usually kept in. */
  readonly precision: PrecisionName;
};

const llama = (config: Readonly<Record<string, unknown>>): ModelShape => {
  return { config: { model_type: 'llama', hidden_act: 'silu', rms_norm_eps: 1e-5, ...config }, precision: 'int4' };
};

const mistral7b = {
  model_type: 'mistral',
  hidden_size: 4096,
  intermediate_size: 14336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  vocab_size: 32000,
  max_position_embeddings: 32768,
};

export const modelShapes: Readonly<Record<string, ModelShape>> = {
  'mistral-7b-instruct-v0.2': llama({ ...mistral7b, rope_theta: 1_000_000, sliding_window: null }),
  'mistral-7b-instruct-v0.3': llama({ ...mistral7b, vocab_size: 32768, rope_theta: 1_000_000, sliding_window: null }),
  'nous-hermes-2-mistral-7b-dpo': llama({ ...mistral7b, vocab_size: 32002, rope_theta: 10_000, sliding_window: 4096 }),
  'llama-2-13b-chat': llama({
    hidden_size: 5120,
    intermediate_size: 13824,
    num_hidden_layers: 40,
    num_attention_heads: 40,
    num_key_value_heads: 40,
    vocab_size: 32000,
    max_position_embeddings: 4096,
    rope_theta: 10_000,
  }),
  'tinyllama-1.1b-chat': llama({
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 22,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    vocab_size: 32000,
    max_position_embeddings: 2048,
    rope_theta: 10_000,
  }),
  'qwen2.5-1.5b-instruct': llama({
    model_type: 'qwen2',
    hidden_size: 1536,
    intermediate_size: 8960,
    num_hidden_layers: 28,
    num_attention_heads: 12,
    num_key_value_heads: 2,
    vocab_size: 151936,
    max_position_embeddings: 32768,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    tie_word_embeddings: true,
  }),
  'all-minilm-l6-v2': {
    config: {
      model_type: 'bert',
      hidden_size: 384,
      intermediate_size: 1536,
      num_hidden_layers: 6,
      num_attention_heads: 12,
      vocab_size: 30522,
      max_position_embeddings: 512,
      type_vocab_size: 2,
      layer_norm_eps: 1e-12,
      hidden_act: 'gelu',
    },
    precision: 'auto',
  },
};
