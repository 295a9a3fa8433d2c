/**
 * Llama 1 to 3, TinyLlama, Mistral, Qwen 2 and what else is built so: norms before the blocks, rotary positions, gated
 * feed forward, fewer key than query heads and biases where the checkpoint has them. (arXiv 2302.13971, 2310.06825)
 */
import { createGraphBuilder, type Graph, pairsApart, type TensorShapes } from '../graph/graph.ts';
import type { Architecture, GgufNames } from './architecture.ts';
import type { ConfigReader } from './config-reader.ts';
import { frequenciesOf } from './rope.ts';

export type LlamaConfig = {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headSize: number;
  readonly feedForwardSize: number;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly normEpsilon: number;
  /** A token sees itself and the `window - 1` before it; 0 = all. */
  readonly window: number;
  /** [headSize / 2] what a position is multiplied by to give each pair's angle. */
  readonly inverseFrequencies: Float32Array;
  /** Whether the checkpoint's q and k rows have a pair's two rows side by side (GGUF, llama2.c). */
  readonly adjacentPairs: boolean;
};

/** Tensors by their Hugging Face names; the checkpoint readers translate theirs. */
export function buildLlama(config: LlamaConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, headSize, numHeads, numKvHeads, feedForwardSize, vocabularySize, normEpsilon } = config;
  const g = createGraphBuilder('llama', tensors);
  const frequencies = g.constant('rope.inverse_frequencies', config.inverseFrequencies);
  const rope = { headSize, rotarySize: headSize, adjacentPairs: false };

  const table = g.weight('model.embed_tokens.weight', vocabularySize, hiddenSize, 'table');
  let x = g.embed(table);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `model.layers.${layer}`;
    const project = (input: typeof x, name: string, rows: number, columns: number, turned = false) => {
      const taking = turned && config.adjacentPairs ? { order: pairsApart(rows, headSize, headSize) } : {};
      return g.linear(
        input,
        g.weight(`${at}.${name}.weight`, rows, columns, 'linear', taking),
        g.optional(`${at}.${name}.bias`, 1, rows, 'vector', taking),
      );
    };

    const attended = g.rmsNorm(x, g.vector(`${at}.input_layernorm.weight`, hiddenSize), normEpsilon);
    const q = project(attended, 'self_attn.q_proj', numHeads * headSize, hiddenSize, true);
    const k = project(attended, 'self_attn.k_proj', numKvHeads * headSize, hiddenSize, true);
    const v = project(attended, 'self_attn.v_proj', numKvHeads * headSize, hiddenSize);
    const queries = g.rope(q, frequencies, rope);
    g.kvWrite(g.rope(k, frequencies, rope), v, layer);
    const scale = 1 / Math.sqrt(headSize);
    const seen = g.attention(queries, { layer, numHeads, numKvHeads, headSize, scale, window: config.window });
    x = g.add(x, project(seen, 'self_attn.o_proj', hiddenSize, numHeads * headSize));

    const fed = g.rmsNorm(x, g.vector(`${at}.post_attention_layernorm.weight`, hiddenSize), normEpsilon);
    const gate = project(fed, 'mlp.gate_proj', feedForwardSize, hiddenSize);
    const up = project(fed, 'mlp.up_proj', feedForwardSize, hiddenSize);
    const inner = g.multiply(g.activate(gate, 'silu'), up);
    x = g.add(x, project(inner, 'mlp.down_proj', hiddenSize, feedForwardSize));
  }
  const normed = g.rmsNorm(x, g.vector('model.norm.weight', hiddenSize), normEpsilon);
  const head = g.optional('lm_head.weight', vocabularySize, hiddenSize, 'head') ?? { ...table, use: 'head' as const };
  return g.finish(g.linear(g.gatherOutputs(normed), head));
}

function readConfig(config: ConfigReader, facts: Parameters<Architecture['readModel']>[1]): LlamaConfig {
  const hiddenSize = config.size('hidden_size');
  const numHeads = config.size('num_attention_heads');
  const headSize = config.size('head_dim', hiddenSize / numHeads);
  const activation = config.text('hidden_act', 'silu');
  if (activation !== 'silu') config.unsupported(`the activation ${activation}`);
  const hasWindow = config.has('sliding_window') && config.flag('use_sliding_window', true);
  return {
    numLayers: config.size('num_hidden_layers'),
    hiddenSize,
    numHeads,
    numKvHeads: config.size('num_key_value_heads', numHeads),
    headSize,
    feedForwardSize: config.size('intermediate_size'),
    vocabularySize: config.size('vocab_size'),
    contextTokens: config.size('max_position_embeddings'),
    normEpsilon: config.real('rms_norm_eps', 1e-6),
    window: hasWindow ? config.size('sliding_window') : 0,
    inverseFrequencies: frequenciesOf(config, headSize, facts),
    adjacentPairs: facts.adjacentPairs,
  };
}

const ggufNames: GgufNames = {
  architecture: 'llama',
  modelType: 'llama',
  adjacentPairs: true,
  constants: { rms_norm_eps: 1e-5 },
  config: {
    hidden_size: 'embedding_length',
    num_hidden_layers: 'block_count',
    num_attention_heads: 'attention.head_count',
    num_key_value_heads: 'attention.head_count_kv',
    head_dim: 'attention.key_length',
    intermediate_size: 'feed_forward_length',
    vocab_size: 'vocab_size',
    max_position_embeddings: 'context_length',
    rms_norm_eps: 'attention.layer_norm_rms_epsilon',
    sliding_window: 'attention.sliding_window',
    rope_theta: 'rope.freq_base',
  },
  layers: 'model.layers',
  layerTensors: {
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_output: 'self_attn.o_proj',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj',
  },
  tensors: {
    'token_embd.weight': 'model.embed_tokens.weight',
    'output_norm.weight': 'model.norm.weight',
    'output.weight': 'lm_head.weight',
  },
};

/** Qwen 2 is a Llama with biases on q, k and v; GGUF keeps its pairs as the hub has them. */
export const llama: Architecture = {
  modelTypes: ['llama', 'mistral', 'qwen2'],
  gguf: [ggufNames, { ...ggufNames, architecture: 'qwen2', modelType: 'qwen2', adjacentPairs: false }],
  readModel(config, facts) {
    const read = readConfig(config, facts);
    return {
      architecture: 'llama',
      role: 'chat',
      vocabularySize: read.vocabularySize,
      contextTokens: read.contextTokens,
      embeddingSize: 0,
      kv: { numLayers: read.numLayers, numHeads: read.numKvHeads, headSize: read.headSize },
      build: (tensors) => buildLlama(read, tensors),
    };
  },
};
