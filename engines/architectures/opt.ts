/**
 * OPT: learned positions, norms with biases before the blocks, ReLU, a tied head. (arXiv 2205.01068)
 *
 * The smallest whole example of an architecture: README.md of this folder walks through it.
 */
import { createGraphBuilder, type Graph, type TensorShapes, type View } from '../graph/graph.ts';
import type { Architecture } from './architecture.ts';
import type { ConfigReader } from './config-reader.ts';

/** The table of positions has two rows before the first that is used. */
const positionOffset = 2;

type OptConfig = ReturnType<typeof readConfig>;

function buildOpt(
  { size, innerSize, numLayers, numHeads, vocabularySize, contextTokens }: OptConfig,
  tensors: TensorShapes,
): Graph {
  const g = createGraphBuilder('opt', tensors);
  const headSize = size / numHeads;
  const linear = (x: View, name: string, width: number): View =>
    g.addBias(g.linear(x, g.weight(`${name}.weight`, width, x.width)), g.vector(`${name}.bias`, width));
  const norm = (x: View, name: string): View =>
    g.layerNorm(x, g.vector(`${name}.weight`, size), g.vector(`${name}.bias`, size), 1e-5);

  const table = g.weight('model.decoder.embed_tokens.weight', vocabularySize, size, 'table');
  const positions = g.weight('model.decoder.embed_positions.weight', contextTokens + positionOffset, size, 'positions');
  let x = g.addPositions(g.embed(table), positions, positionOffset);
  for (let layer = 0; layer < numLayers; layer++) {
    const at = `model.decoder.layers.${layer}`;
    const attended = norm(x, `${at}.self_attn_layer_norm`);
    const [q, k, v] = ['q', 'k', 'v'].map((name) => linear(attended, `${at}.self_attn.${name}_proj`, size));
    g.kvWrite(k!, v!, layer);
    const heads = { numHeads, numKvHeads: numHeads, headSize, scale: headSize ** -0.5 };
    const seen = g.attention(q!, { layer, ...heads, window: 0 });
    x = g.add(x, linear(seen, `${at}.self_attn.out_proj`, size));
    const inner = g.activate(linear(norm(x, `${at}.final_layer_norm`), `${at}.fc1`, innerSize), 'relu');
    x = g.add(x, linear(inner, `${at}.fc2`, size));
  }
  const last = g.gatherOutputs(norm(x, 'model.decoder.final_layer_norm'));
  return g.finish(g.linear(last, { ...table, use: 'head' }));
}

function readConfig(config: ConfigReader) {
  const size = config.size('hidden_size');
  if (!config.flag('do_layer_norm_before', true)) config.unsupported('norms after the blocks');
  if (config.size('word_embed_proj_dim', size) !== size) config.unsupported('a projected table');
  if (config.text('activation_function', 'relu') !== 'relu') config.unsupported('another activation than ReLU');
  return {
    size,
    innerSize: config.size('ffn_dim'),
    numLayers: config.size('num_hidden_layers'),
    numHeads: config.size('num_attention_heads'),
    vocabularySize: config.size('vocab_size'),
    contextTokens: config.size('max_position_embeddings'),
  };
}

export const opt: Architecture = {
  modelTypes: ['opt'],
  gguf: [],
  readModel(config) {
    const read = readConfig(config);
    const { numLayers, numHeads, size, vocabularySize, contextTokens } = read;
    return {
      architecture: 'opt',
      role: 'chat',
      vocabularySize,
      contextTokens,
      embeddingSize: 0,
      kv: { numLayers, numHeads, headSize: size / numHeads },
      build: (tensors) => buildOpt(read, tensors),
    };
  },
};
