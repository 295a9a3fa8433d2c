/**
 * Gemma 1: a Llama with norms of 1 + weight, an embedding as long as it is wide, GeGLU, wide heads and the table as its
 * head. (arXiv 2403.08295)
 */
import { createGraphBuilder, type Graph, type TensorShapes, type Weight } from '../graph/graph.ts';
import type { Architecture, CheckpointFacts, GgufNames } from './architecture.ts';
import {
  type DecoderConfig,
  decoderBlocks,
  decoderGgufNames,
  decoderModel,
  readActivation,
  readDecoder,
} from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';

export type GemmaConfig = DecoderConfig & {
  readonly attentionBias: boolean;
  /** What the checkpoint's norm weights lack: 1 on the hub, 0 in GGUF. */
  readonly normPlus: number;
};

function buildGemma(config: GemmaConfig, tensors: TensorShapes): Graph {
  const g = createGraphBuilder('gemma', tensors);
  const blocks = decoderBlocks(g, config, config.normPlus);
  const table = blocks.table();
  let x = g.embed(table, embeddingScale(config.hiddenSize, table));
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `model.layers.${layer}`;
    const attended = blocks.norm(x, `${at}.input_layernorm`);
    const qkv = blocks.queriesKeysValues(attended, `${at}.self_attn`, config.attentionBias);
    const seen = blocks.attend(qkv, { layer, window: 0 });
    x = g.add(x, blocks.project(seen, `${at}.self_attn.o_proj`, config.hiddenSize, config.attentionBias));
    x = g.add(x, blocks.gatedFeedForward(blocks.norm(x, `${at}.post_attention_layernorm`), `${at}.mlp`, 'gelu_tanh'));
  }
  return g.finish(blocks.logits(blocks.norm(x, 'model.norm'), table));
}

/**
 * sqrt(width), rounded as the reference rounds it: to the type that the table is kept in. In bfloat16, which Gemma was
 * trained in, 3072 wide rows are multiplied by 55.5, not by 55.43.
 */
export function embeddingScale(hiddenSize: number, table: Weight): number {
  const exact = Math.fround(Math.sqrt(hiddenSize));
  const type = table.parts[0]!.from;
  if (type === 'f16') return Math.f16round(exact);
  if (type !== 'bf16') return exact;
  const bits = new Uint32Array(Float32Array.of(exact).buffer);
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0]!;
}

/** What Gemma 1 and 2 read alike. */
export function readGemma(config: ConfigReader, facts: CheckpointFacts): GemmaConfig {
  if (config.flag('use_bidirectional_attention', false)) config.unsupported('attention in both directions');
  return {
    ...readDecoder(config, facts, { headSize: 256, tiedHead: true }),
    attentionBias: config.flag('attention_bias', false),
    normPlus: facts.normsHoldOne ? 0 : 1,
  };
}

export const gemmaGgufNames: Omit<GgufNames, 'architecture' | 'modelType'> = {
  ...decoderGgufNames,
  normsHoldOne: true,
};

export const gemma: Architecture = {
  modelTypes: ['gemma'],
  gguf: [{ ...gemmaGgufNames, architecture: 'gemma', modelType: 'gemma' }],
  readModel(config, facts) {
    // The first configs said `gelu` and meant the other one, as their successors do in `hidden_activation`.
    const tanh = { gelu: 'gelu_tanh', gelu_pytorch_tanh: 'gelu_tanh' } as const;
    const key = config.has('hidden_activation') ? 'hidden_activation' : 'hidden_act';
    readActivation(config, key, tanh, 'gelu_pytorch_tanh');
    const read = readGemma(config, facts);
    return decoderModel('gemma', read, (tensors) => buildGemma(read, tensors));
  },
};
