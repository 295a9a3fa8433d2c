/**
 * Llama 1 to 3 and what is built so (TinyLlama, Mistral): norms before the blocks, rotary positions, gated feed forward,
 * fewer key than query heads. (arXiv 2302.13971, 2407.21783)
 */
import { createGraphBuilder, type Graph, type TensorShapes } from '../graph/graph.ts';
import type { Architecture } from './architecture.ts';
import {
  type DecoderConfig,
  decoderBlocks,
  decoderGgufNames,
  decoderModel,
  readActivation,
  readDecoder,
} from './blocks.ts';

export type LlamaConfig = DecoderConfig & {
  /** A token sees itself and the `window - 1` before it; 0 = all. */
  readonly window: number;
  /** Whether the linears of attention and of the feed forward must have biases; absent = where the checkpoint has them. */
  readonly attentionBias?: boolean;
  readonly feedForwardBias?: boolean;
};

/** Tensors by their Hugging Face names; the checkpoint readers translate theirs. */
export function buildLlama(config: LlamaConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, window, attentionBias, feedForwardBias } = config;
  const g = createGraphBuilder('llama', tensors);
  const blocks = decoderBlocks(g, config);
  const table = blocks.table();
  let x = g.embed(table);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `model.layers.${layer}`;
    const attended = blocks.norm(x, `${at}.input_layernorm`);
    const qkv = blocks.queriesKeysValues(attended, `${at}.self_attn`, attentionBias);
    const seen = blocks.attend(qkv, { layer, window });
    x = g.add(x, blocks.project(seen, `${at}.self_attn.o_proj`, hiddenSize, attentionBias));
    const fed = blocks.norm(x, `${at}.post_attention_layernorm`);
    x = g.add(x, blocks.gatedFeedForward(fed, `${at}.mlp`, 'silu', feedForwardBias));
  }
  return g.finish(blocks.logits(blocks.norm(x, 'model.norm'), table));
}

export const llama: Architecture = {
  modelTypes: ['llama'],
  gguf: [
    {
      ...decoderGgufNames,
      architecture: 'llama',
      modelType: 'llama',
      adjacentPairs: true,
      constants: { rms_norm_eps: 1e-5 },
      config: { ...decoderGgufNames.config, sliding_window: 'attention.sliding_window' },
      // GGUF has Mistral under the name of Llama; where its window is written, it is one.
      derive: ({ sliding_window }) => (sliding_window === undefined ? {} : { model_type: 'mistral' }),
    },
  ],
  readModel(config, facts) {
    readActivation(config, 'hidden_act', { silu: 'silu' }, 'silu');
    const read: LlamaConfig = {
      ...readDecoder(config, facts),
      window: 0,
      attentionBias: config.flag('attention_bias', false),
      feedForwardBias: config.flag('mlp_bias', false),
    };
    return decoderModel('llama', read, (tensors) => buildLlama(read, tensors));
  },
};
