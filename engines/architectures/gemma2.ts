/**
 * Gemma 2: a Gemma with norms after the blocks too, a window in every other layer, and scores and logits that are capped.
 * (arXiv 2408.00118)
 */
import { createGraphBuilder, type Graph, type TensorShapes } from '../graph/graph.ts';
import type { Architecture } from './architecture.ts';
import { decoderBlocks, decoderModel, readActivation, readWindows } from './blocks.ts';
import { embeddingScale, type GemmaConfig, gemmaGgufNames, readGemma } from './gemma.ts';

type Gemma2Config = GemmaConfig & {
  /** Each layer's window, 0 = none. */
  readonly windows: readonly number[];
  readonly scale: number;
  /** 0 = none. */
  readonly scoreCap: number;
  readonly logitCap: number;
};

function buildGemma2(config: Gemma2Config, tensors: TensorShapes): Graph {
  const { hiddenSize, attentionBias, scale, scoreCap, logitCap } = config;
  const g = createGraphBuilder('gemma2', tensors);
  const blocks = decoderBlocks(g, config, config.normPlus);
  const table = blocks.table();
  let x = g.embed(table, embeddingScale(hiddenSize, table));
  for (const [layer, window] of config.windows.entries()) {
    const at = `model.layers.${layer}`;
    const attended = blocks.norm(x, `${at}.input_layernorm`);
    const qkv = blocks.queriesKeysValues(attended, `${at}.self_attn`, attentionBias);
    const seen = blocks.attend(qkv, { layer, window, scale, softCap: scoreCap });
    const moved = blocks.project(seen, `${at}.self_attn.o_proj`, hiddenSize, attentionBias);
    x = g.add(x, blocks.norm(moved, `${at}.post_attention_layernorm`));
    const fed = blocks.norm(x, `${at}.pre_feedforward_layernorm`);
    const changed = blocks.gatedFeedForward(fed, `${at}.mlp`, 'gelu_tanh');
    x = g.add(x, blocks.norm(changed, `${at}.post_feedforward_layernorm`));
  }
  const logits = blocks.logits(blocks.norm(x, 'model.norm'), table);
  return g.finish(logitCap === 0 ? logits : g.softCap(logits, logitCap));
}

export const gemma2: Architecture = {
  modelTypes: ['gemma2'],
  gguf: [
    {
      ...gemmaGgufNames,
      architecture: 'gemma2',
      modelType: 'gemma2',
      config: {
        ...gemmaGgufNames.config,
        sliding_window: 'attention.sliding_window',
        attn_logit_softcapping: 'attn_logit_softcapping',
        final_logit_softcapping: 'final_logit_softcapping',
      },
      layerTensors: {
        ...gemmaGgufNames.layerTensors,
        post_attention_norm: 'post_attention_layernorm',
        ffn_norm: 'pre_feedforward_layernorm',
        post_ffw_norm: 'post_feedforward_layernorm',
      },
      // GGUF does not say by what the scores are divided: the 27B's 46 layers take the width of a head of the model's own
      // width, all others that of their heads.
      derive: ({ num_hidden_layers, hidden_size, num_attention_heads, head_dim }) =>
        num_hidden_layers === 46
          ? { query_pre_attn_scalar: Number(hidden_size) / Number(num_attention_heads) }
          : { query_pre_attn_scalar: head_dim },
    },
  ],
  readModel(config, facts) {
    readActivation(config, 'hidden_activation', { gelu_pytorch_tanh: 'gelu_tanh' }, 'gelu_pytorch_tanh');
    const capOf = (key: string, otherwise: number) => (config.isNull(key) ? 0 : config.real(key, otherwise));
    const shape = readGemma(config, facts);
    const window = config.isNull('sliding_window') ? null : config.size('sliding_window', 4096);
    const read: Gemma2Config = {
      ...shape,
      windows: readWindows(config, shape.numLayers, window, (layer) => layer % 2 === 0),
      scale: 1 / Math.sqrt(config.real('query_pre_attn_scalar', 256)),
      scoreCap: capOf('attn_logit_softcapping', 50),
      logitCap: capOf('final_logit_softcapping', 30),
    };
    return decoderModel('gemma2', read, (tensors) => buildGemma2(read, tensors));
  },
};
