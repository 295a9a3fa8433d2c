/** Qwen 2 and 2.5: a Llama with biases on q, k and v, and in some layers a window. (arXiv 2407.10671, 2412.15115) */
import { createGraphBuilder, type Graph, type TensorShapes } from '../graph/graph.ts';
import type { Architecture } from './architecture.ts';
import {
  type DecoderConfig,
  decoderBlocks,
  decoderGgufNames,
  decoderModel,
  readActivation,
  readDecoder,
  readWindows,
} from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';

export type QwenConfig = DecoderConfig & {
  /** Each layer's window, 0 = none. */
  readonly windows: readonly number[];
};

function buildQwen2(config: QwenConfig, tensors: TensorShapes): Graph {
  const g = createGraphBuilder('qwen2', tensors);
  const blocks = decoderBlocks(g, config);
  const table = blocks.table();
  let x = g.embed(table);
  for (const [layer, window] of config.windows.entries()) {
    const at = `model.layers.${layer}`;
    const attended = blocks.norm(x, `${at}.input_layernorm`);
    const seen = blocks.attend(blocks.queriesKeysValues(attended, `${at}.self_attn`, true), { layer, window });
    x = g.add(x, blocks.project(seen, `${at}.self_attn.o_proj`, config.hiddenSize));
    x = g.add(x, blocks.gatedFeedForward(blocks.norm(x, `${at}.post_attention_layernorm`), `${at}.mlp`, 'silu'));
  }
  return g.finish(blocks.logits(blocks.norm(x, 'model.norm'), table));
}

/** The windows of Qwen 2 and 3: only if they are switched on, and then from `max_window_layers` on. */
export function readQwenWindows(config: ConfigReader, numLayers: number): number[] {
  const slides = config.flag('use_sliding_window', false) && !config.isNull('sliding_window');
  const firstSliding = config.has('max_window_layers') ? config.whole('max_window_layers') : 28;
  const window = slides ? config.size('sliding_window', 4096) : null;
  return readWindows(config, numLayers, window, (layer) => layer >= firstSliding);
}

export const qwen2: Architecture = {
  modelTypes: ['qwen2'],
  gguf: [{ ...decoderGgufNames, architecture: 'qwen2', modelType: 'qwen2' }],
  readModel(config, facts) {
    readActivation(config, 'hidden_act', { silu: 'silu' }, 'silu');
    const shape = readDecoder(config, facts);
    const read = { ...shape, windows: readQwenWindows(config, shape.numLayers) };
    return decoderModel('qwen2', read, (tensors) => buildQwen2(read, tensors));
  },
};
