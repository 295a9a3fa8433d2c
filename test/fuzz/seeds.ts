/** Small sound checkpoints of every format, from which broken ones are made. */

import { bytesOf, ggufFile, ggufText, randomNumbers, writeTo } from '../engines/checkpoints.ts';
import { type LlamaSizes, llamaTensors, writeLlamaConfig } from '../engines/packed-folders.ts';
import { type Packing, quantizationConfigOf, type RawTensors, safetensorsOf } from '../engines/packed-linears.ts';

export type Seed = {
  readonly name: string;
  /** Writes the checkpoint into an empty folder; answers what to open and which files may be changed. */
  write(folder: string): Promise<{ open: string; files: string[] }>;
};

const sizes: LlamaSizes = { hidden: 64, inner: 64, layers: 1, heads: 2, vocabulary: 16 };

const packings: [string, Packing][] = [
  ['awq gemm', { layout: 'awq_gemm', groupSize: 32 }],
  ['awq gemv', { layout: 'awq_gemv', groupSize: 64 }],
  ['awq gemv_fast', { layout: 'awq_gemv_fast', groupSize: 32 }],
  ['gptq', { layout: 'gptq', groupSize: 64 }],
  ['gptq v2, act-order', { layout: 'gptq_v2', groupSize: 32, actOrder: true }],
  ['gptq, 8 bits', { layout: 'gptq', bits: 8, groupSize: 32 }],
  ['compressed', { layout: 'compressed', groupSize: 32, actOrder: true }],
  ['compressed, symmetric', { layout: 'compressed_symmetric', groupSize: 64 }],
];

const folders = packings.map(([name, packing]): Seed => {
  const model = safetensorsOf(llamaTensors(sizes, packing).packed);
  return {
    name,
    async write(folder) {
      await writeLlamaConfig(folder, sizes, quantizationConfigOf(packing));
      await writeTo(folder, 'model.safetensors', model);
      return { open: '', files: ['model.safetensors', 'model.safetensors', 'config.json', 'tokenizer.json'] };
    },
  };
});

const plain = llamaTensors(sizes, { layout: 'gptq', groupSize: 32 }).plain;

const sharded: Seed = {
  name: 'shards',
  async write(folder) {
    await writeLlamaConfig(folder, sizes, null);
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const parts = [new Map([...plain].slice(0, 6)), new Map([...plain].slice(6))];
    const weight_map: Record<string, string> = {};
    for (const [at, shard] of shards.entries()) {
      for (const name of parts[at]!.keys()) weight_map[name] = shard;
      await writeTo(folder, shard, safetensorsOf(parts[at]!));
    }
    const index = 'model.safetensors.index.json';
    await writeTo(folder, index, JSON.stringify({ metadata: {}, weight_map }));
    return { open: '', files: [index, index, ...shards, 'config.json'] };
  },
};

const ggufNames: readonly [RegExp, string][] = [
  [/^model\.embed_tokens/, 'token_embd'],
  [/^model\.norm/, 'output_norm'],
  [/^lm_head/, 'output'],
  [/^model\.layers\.(\d+)\./, 'blk.$1.'],
  [/input_layernorm/, 'attn_norm'],
  [/post_attention_layernorm/, 'ffn_norm'],
  [/self_attn\.([qkv])_proj/, 'attn_$1'],
  [/self_attn\.o_proj/, 'attn_output'],
  [/mlp\.(gate|up|down)_proj/, 'ffn_$1'],
];

function ggufOf(tensors: RawTensors, split: Buffer[] = []): Buffer {
  const u32 = (key: string, value: number) => bytesOf(ggufText(key), { u32: 4 }, { u32: value });
  const list = (key: string, type: number, items: Buffer[]) =>
    bytesOf(ggufText(key), { u32: 9 }, { u32: type }, { u64: items.length }, ...items);
  let offset = 0;
  const placed = [...tensors].map(([name, { shape, bytes }]) => {
    const ggufName = ggufNames.reduce((result, [pattern, by]) => result.replace(pattern, by), name);
    const tensor = { name: ggufName, dimensions: shape.toReversed(), type: 0, offset, bytes };
    offset += Math.ceil(bytes.length / 32) * 32;
    return tensor;
  });
  const pieces = ['<unk>', '<s>', '</s>', ...Array.from({ length: sizes.vocabulary - 3 }, (_, i) => `\u2581${i}`)];
  const file = ggufFile({
    metadata: [
      bytesOf(ggufText('general.architecture'), { u32: 8 }, ggufText('llama')),
      ...split,
      u32('llama.block_count', sizes.layers),
      u32('llama.embedding_length', sizes.hidden),
      u32('llama.feed_forward_length', sizes.inner),
      u32('llama.attention.head_count', sizes.heads),
      u32('llama.attention.head_count_kv', sizes.heads / 2),
      u32('llama.context_length', 64),
      bytesOf(ggufText('llama.attention.layer_norm_rms_epsilon'), { u32: 6 }, { f32: 1e-5 }),
      bytesOf(ggufText('tokenizer.ggml.model'), { u32: 8 }, ggufText('llama')),
      list('tokenizer.ggml.tokens', 8, pieces.map(ggufText)),
      list(
        'tokenizer.ggml.scores',
        6,
        pieces.map((_, i) => bytesOf({ f32: -i })),
      ),
      list(
        'tokenizer.ggml.token_type',
        5,
        pieces.map((_, i) => bytesOf({ u32: i === 0 ? 2 : i < 3 ? 3 : 1 })),
      ),
      u32('tokenizer.ggml.bos_token_id', 1),
      u32('tokenizer.ggml.eos_token_id', 2),
    ],
    tensors: placed,
    dataBytes: offset,
  });
  for (const tensor of placed) file.set(tensor.bytes, file.length - offset + tensor.offset);
  return file;
}

const gguf: Seed = {
  name: 'gguf',
  async write(folder) {
    await writeTo(folder, 'model.gguf', ggufOf(plain));
    return { open: 'model.gguf', files: ['model.gguf'] };
  },
};

const ggufParts: Seed = {
  name: 'gguf in two files',
  async write(folder) {
    const names = ['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf'];
    for (const [at, name] of names.entries()) {
      const split = [
        bytesOf(ggufText('split.no'), { u32: 2 }, Buffer.from([at, 0])),
        bytesOf(ggufText('split.count'), { u32: 2 }, Buffer.from([2, 0])),
      ];
      await writeTo(folder, name, ggufOf(new Map([...plain].slice(6 * at, at === 0 ? 6 : undefined)), split));
    }
    return { open: names[0]!, files: names };
  },
};

const llama2c: Seed = {
  name: 'llama2.c',
  async write(folder) {
    const [hidden, inner, heads, vocabulary, context] = [16, 24, 2, 262, 8];
    const count = vocabulary * hidden + 2 * hidden + 4 * hidden * hidden + 3 * hidden * inner + hidden;
    const header = Int32Array.of(hidden, inner, 1, heads, heads, vocabulary, context);
    const numbers = randomNumbers(count + (context * hidden) / heads, 7);
    await writeTo(folder, 'a.bin', Buffer.concat([new Uint8Array(header.buffer), new Uint8Array(numbers.buffer)]));
    const pieces = ['<unk>', '\n<s>\n', '\n</s>\n'];
    for (let byte = 0; byte < 256; byte++) pieces.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    pieces.push(' ', 'a', ' a');
    const tokenizer = bytesOf(
      { u32: 8 },
      ...pieces.flatMap((piece, at) => [bytesOf({ f32: -at }, { u32: piece.length }, piece)]),
    );
    await writeTo(folder, 'tok262.bin', tokenizer);
    return { open: 'a.bin', files: ['a.bin', 'tok262.bin'] };
  },
};

export const seeds: readonly Seed[] = [...folders, sharded, gguf, gguf, ggufParts, llama2c];
