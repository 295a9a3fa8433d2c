/** Qwen 3 (the dense ones): a Llama whose query and key heads are normed one by one. (arXiv 2505.09388) */
import { createGraphBuilder, type Graph, type TensorShapes } from '../graph/graph.ts';
import type { Architecture } from './architecture.ts';
import { decoderBlocks, decoderGgufNames, decoderModel, readActivation, readDecoder } from './blocks.ts';
import { type QwenConfig, readQwenWindows } from './qwen2.ts';

type Qwen3Config = QwenConfig & { readonly attentionBias: boolean };

function buildQwen3(config: Qwen3Config, tensors: TensorShapes): Graph {
  const g = createGraphBuilder('qwen3', tensors);
  const blocks = decoderBlocks(g, config);
  const table = blocks.table();
  let x = g.embed(table);
  for (const [layer, window] of config.windows.entries()) {
    const at = `model.layers.${layer}`;
    const attended = blocks.norm(x, `${at}.input_layernorm`);
    const { q, k, v } = blocks.queriesKeysValues(attended, `${at}.self_attn`, config.attentionBias);
    const normed = {
      q: blocks.normHeads(q, `${at}.self_attn.q_norm`),
      k: blocks.normHeads(k, `${at}.self_attn.k_norm`),
      v,
    };
    const seen = blocks.attend(normed, { layer, window });
    x = g.add(x, blocks.project(seen, `${at}.self_attn.o_proj`, config.hiddenSize, config.attentionBias));
    x = g.add(x, blocks.gatedFeedForward(blocks.norm(x, `${at}.post_attention_layernorm`), `${at}.mlp`, 'silu'));
  }
  return g.finish(blocks.logits(blocks.norm(x, 'model.norm'), table));
}

export const qwen3: Architecture = {
  modelTypes: ['qwen3'],
  gguf: [
    {
      ...decoderGgufNames,
      architecture: 'qwen3',
      modelType: 'qwen3',
      layerTensors: {
        ...decoderGgufNames.layerTensors,
        attn_q_norm: 'self_attn.q_norm',
        attn_k_norm: 'self_attn.k_norm',
      },
    },
  ],
  readModel(config, facts) {
    readActivation(config, 'hidden_act', { silu: 'silu' }, 'silu');
    const shape = readDecoder(config, facts, { headSize: 128 });
    const windows = readQwenWindows(config, shape.numLayers);
    const read = { ...shape, windows, attentionBias: config.flag('attention_bias', false) };
    return decoderModel('qwen3', read, (tensors) => buildQwen3(read, tensors));
  },
};
