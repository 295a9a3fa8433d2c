/** A small Llama of random weights as the hub has them, and what tests ask of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Quantizer } from '../../../native/index.ts';
import { loadQuantizer } from '../../../native/load.ts';
import { addonFile } from '../../native/open-addon.ts';

let loaded: Quantizer | undefined;

export function quantizer(): Quantizer {
  loaded ??= loadQuantizer(addonFile);
  return loaded;
}

export type SmallLlama = {
  hiddenSize: number;
  feedForwardSize: number;
  numLayers: number;
  numHeads: number;
  numKvHeads: number;
  /** So many channels of the norms are so many times larger, and their columns as much smaller. */
  outliers: { every: number; factor: number } | null;
  tied: boolean;
  biases: boolean;
  seed: number;
  /** The same numbers again and again: for many layers. */
  repeated?: boolean;
};

export const smallLlama: SmallLlama = {
  hiddenSize: 256,
  feedForwardSize: 384,
  numLayers: 2,
  numHeads: 4,
  numKvHeads: 4,
  outliers: null,
  tied: false,
  biases: false,
  seed: 1,
};

export const vocabularySize = 260;

/** Normal numbers by Box and Muller, the same for the same seed. */
function normalNumbers(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / (2 ** 32 + 1);
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

export type NamedMatrix = { name: string; shape: number[]; numbers: Float32Array };

/** The tensors of such a model, in float32. */
export function tensorsOf(shape: SmallLlama): NamedMatrix[] {
  const normal = normalNumbers(shape.seed);
  const { hiddenSize: size, feedForwardSize: inner, outliers } = shape;
  const kvSize = (size / shape.numHeads) * shape.numKvHeads;
  const isOutlier = (column: number): boolean => outliers !== null && column % outliers.every === 3;
  const block = Float32Array.from({ length: shape.repeated ? 65_536 : 0 }, () => normal() / Math.sqrt(size));
  const matrix = (name: string, rows: number, columns: number, calm = false): NamedMatrix => {
    const numbers = new Float32Array(rows * columns);
    if (shape.repeated) {
      for (let at = 0; at < numbers.length; at += block.length)
        numbers.set(block.subarray(0, Math.min(block.length, numbers.length - at)), at);
      return { name, shape: [rows, columns], numbers };
    }
    for (let i = 0; i < numbers.length; i++) {
      numbers[i] = normal() / Math.sqrt(columns);
      // What an outlier channel meets is as a trained model has it: not smaller by all of the factor.
      if (calm && isOutlier(i % columns)) numbers[i]! /= Math.sqrt(outliers!.factor);
    }
    return { name, shape: [rows, columns], numbers };
  };
  const norm = (name: string): NamedMatrix => ({
    name,
    shape: [size],
    numbers: Float32Array.from({ length: size }, (_, column) =>
      isOutlier(column) ? outliers!.factor : 1 + 0.2 * normal(),
    ),
  });
  const tensors: NamedMatrix[] = [
    { ...matrix('model.embed_tokens.weight', vocabularySize, size) },
    norm('model.norm.weight'),
    ...(shape.tied ? [] : [matrix('lm_head.weight', vocabularySize, size)]),
  ];
  for (let layer = 0; layer < shape.numLayers; layer++) {
    const at = `model.layers.${layer}`;
    tensors.push(
      norm(`${at}.input_layernorm.weight`),
      norm(`${at}.post_attention_layernorm.weight`),
      matrix(`${at}.self_attn.q_proj.weight`, size, size, true),
      matrix(`${at}.self_attn.k_proj.weight`, kvSize, size, true),
      matrix(`${at}.self_attn.v_proj.weight`, kvSize, size, true),
      matrix(`${at}.self_attn.o_proj.weight`, size, size),
      matrix(`${at}.mlp.gate_proj.weight`, inner, size, true),
      matrix(`${at}.mlp.up_proj.weight`, inner, size, true),
      matrix(`${at}.mlp.down_proj.weight`, size, inner),
    );
    if (!shape.biases) continue;
    // `attention_bias` gives all four one.
    for (const [name, rows] of Object.entries({ q: size, k: kvSize, v: kvSize, o: size })) {
      const numbers = Float32Array.from({ length: rows }, () => 0.1 * normal());
      tensors.push({ name: `${at}.self_attn.${name}_proj.bias`, shape: [rows], numbers });
    }
  }
  return tensors;
}

/** Writes the model as a folder of the hub's form, its weights in float16 (as the checkpoint has them) or float32. */
export async function writeSmallLlama(
  folder: string,
  change: Partial<SmallLlama> = {},
  dtype: 'F16' | 'F32' = 'F32',
): Promise<NamedMatrix[]> {
  const shape = { ...smallLlama, ...change };
  const tensors = tensorsOf(shape);
  const header: Record<string, unknown> = {};
  const pieces: Uint8Array[] = [];
  let end = 0;
  for (const { name, shape: dimensions, numbers } of tensors) {
    const array = dtype === 'F32' ? numbers : new Float16Array(numbers);
    header[name] = { dtype, shape: dimensions, data_offsets: [end, end + array.byteLength] };
    pieces.push(new Uint8Array(array.buffer));
    end += array.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeFile(join(folder, 'model.safetensors'), Buffer.concat([length, text, ...pieces]));
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: shape.hiddenSize,
    intermediate_size: shape.feedForwardSize,
    num_hidden_layers: shape.numLayers,
    num_attention_heads: shape.numHeads,
    num_key_value_heads: shape.numKvHeads,
    vocab_size: vocabularySize,
    max_position_embeddings: 256,
    rms_norm_eps: 1e-5,
    hidden_act: 'silu',
    tie_word_embeddings: shape.tied,
    attention_bias: shape.biases,
    bos_token_id: 256,
    eos_token_id: 257,
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(byteTokenizer()));
  return tensors;
}

/** Every byte is a token: GPT-2's byte-level pieces without a merge. */
export function byteTokenizer() {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  const pieces = Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
  const special = ['<s>', '</s>', '<pad>', '<unk>'].map((content, index) => {
    return { id: 256 + index, content, special: true };
  });
  return {
    version: '1.0',
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges: [] },
  };
}
