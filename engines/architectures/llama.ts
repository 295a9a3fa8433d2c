/**
 * Llama 1 to 3, TinyLlama, Mistral, Qwen 2 and what else is built so: norms before the blocks, rotary positions, gated
 * feed forward, fewer key than query heads and biases where the checkpoint has them. (arXiv 2302.13971, 2310.06825)
 */
import { createGraphBuilder, type Graph, type TensorShapes } from '../graph/graph.ts';

export type LlamaConfig = {
  readonly architecture: 'llama';
  readonly name: string;
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
  const pairs = config.adjacentPairs ? headSize : undefined;

  const table = g.weight('model.embed_tokens.weight', vocabularySize, hiddenSize, 'table');
  let x = g.embed(table);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `model.layers.${layer}`;
    const project = (input: typeof x, name: string, rows: number, columns: number, headPairs?: number) =>
      g.linear(
        input,
        g.weight(`${at}.${name}.weight`, rows, columns, 'linear', headPairs),
        g.optional(`${at}.${name}.bias`, 1, rows, 'vector', headPairs),
      );

    const attended = g.rmsNorm(x, g.vector(`${at}.input_layernorm.weight`, hiddenSize), normEpsilon);
    const q = project(attended, 'self_attn.q_proj', numHeads * headSize, hiddenSize, pairs);
    const k = project(attended, 'self_attn.k_proj', numKvHeads * headSize, hiddenSize, pairs);
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

/** 1 / theta^(2i / size) for each pair i: RoFormer's frequencies. */
export function ropeFrequencies(theta: number, size: number): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));
}
