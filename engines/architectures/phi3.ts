/**
 * Phi-3, Phi-3.5 and Phi-4 (mini): a Llama that keeps q + k + v in one matrix and gate + up in another, with positions
 * stretched by LongRoPE and, in Phi-4 mini, heads of which a part turns. (arXiv 2404.14219, 2503.01743)
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

type Phi3Config = DecoderConfig & { readonly window: number };

function buildPhi3(config: Phi3Config, tensors: TensorShapes): Graph {
  const { hiddenSize, feedForwardSize, window } = config;
  const [queryWidth, keyWidth] = [config.numHeads * config.headSize, config.numKvHeads * config.headSize];
  const g = createGraphBuilder('phi3', tensors);
  const blocks = decoderBlocks(g, config);
  const table = blocks.table();
  let x = g.embed(table);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `model.layers.${layer}`;
    const attended = blocks.norm(x, `${at}.input_layernorm`);
    const qkv = blocks.project(attended, `${at}.self_attn.qkv_proj`, queryWidth + 2 * keyWidth);
    const q = g.columns(qkv, 0, queryWidth);
    const k = g.columns(qkv, queryWidth, keyWidth);
    const v = g.columns(qkv, queryWidth + keyWidth, keyWidth);
    const seen = blocks.attend({ q, k, v }, { layer, window });
    x = g.add(x, blocks.project(seen, `${at}.self_attn.o_proj`, hiddenSize));

    const fed = blocks.norm(x, `${at}.post_attention_layernorm`);
    const gateUp = blocks.project(fed, `${at}.mlp.gate_up_proj`, 2 * feedForwardSize);
    const gate = g.columns(gateUp, 0, feedForwardSize);
    const up = g.columns(gateUp, feedForwardSize, feedForwardSize);
    const inner = g.multiply(g.activate(gate, 'silu'), up);
    x = g.add(x, blocks.project(inner, `${at}.mlp.down_proj`, hiddenSize));
  }
  return g.finish(blocks.logits(blocks.norm(x, 'model.norm'), table));
}

/** What the first configs called LongRoPE. */
const aliases = new Map([
  ['su', 'longrope'],
  ['yarn', 'longrope'],
]);

export const phi3: Architecture = {
  modelTypes: ['phi3'],
  gguf: [
    {
      ...decoderGgufNames,
      architecture: 'phi3',
      modelType: 'phi3',
      config: {
        ...decoderGgufNames.config,
        sliding_window: 'attention.sliding_window',
        original_max_position_embeddings: 'rope.scaling.original_context_length',
        rotary_size: 'rope.dimension_count',
      },
      layerTensors: {
        ...decoderGgufNames.layerTensors,
        attn_qkv: 'self_attn.qkv_proj',
        ffn_up: 'mlp.gate_up_proj',
      },
      derive: ({ hidden_size, num_attention_heads, rotary_size, sliding_window }) => ({
        ...(rotary_size === undefined
          ? {}
          : { partial_rotary_factor: (Number(rotary_size) * Number(num_attention_heads)) / Number(hidden_size) }),
        // Phi-4's file says 0 where the hub says null.
        ...(sliding_window === 0 ? { sliding_window: null } : {}),
      }),
    },
  ],
  readModel(config, facts) {
    readActivation(config, 'hidden_act', { silu: 'silu' }, 'silu');
    const read: Phi3Config = {
      ...readDecoder(config, facts, {
        normEpsilon: 1e-5,
        rope: { partial: true, aliases, originalContext: 4096 },
      }),
      window: config.has('sliding_window') ? config.size('sliding_window') : 0,
    };
    return decoderModel('phi3', read, (tensors) => buildPhi3(read, tensors));
  },
};
