import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPlan, openCheckpoint } from '../../engines/build/build.ts';
import type { Checkpoint } from '../../engines/build/checkpoint.ts';
import type { SentencePieceJson } from '../../engines/tokenizer/types.ts';
import { openNative } from '../native/native.ts';
import {
  bytesOf,
  ggufFile,
  ggufText,
  hasShared,
  randomNumbers,
  safetensorsFile,
  sharedData,
  withFolder,
  writeTo,
} from './checkpoints.ts';

/** GGUF's names for the hub's, in the order in which a name is taken apart. */
const ggufNames: [RegExp, string][] = [
  [/^model\.embed_tokens/, 'token_embd'],
  [/^model\.norm/, 'output_norm'],
  [/^model\.layers\.(\d+)\./, 'blk.$1.'],
  [/input_layernorm/, 'attn_norm'],
  [/post_attention_layernorm/, 'ffn_norm'],
  [/self_attn\.([qkv])_proj/, 'attn_$1'],
  [/self_attn\.o_proj/, 'attn_output'],
  [/mlp\.(gate|up|down)_proj/, 'ffn_$1'],
];

type Tensors = Map<string, { rows: number; columns: number; bytes: Uint8Array }>;

async function tensorsOf(checkpoint: Checkpoint): Promise<Tensors> {
  const tensors: Tensors = new Map();
  for (const { name, rows, columns } of checkpoint.tensors) {
    tensors.set(name, { rows, columns, bytes: await checkpoint.read(name) });
  }
  return tensors;
}

/** The same weights as GGUF has them: pairs of q and k side by side, as in llama2.c. */
function asGguf(tensors: Tensors, tokenizer: SentencePieceJson, architecture: 'llama' | 'qwen2'): Buffer {
  const u32 = (key: string, value: number) => bytesOf(ggufText(key), { u32: 4 }, { u32: value });
  const f32 = (key: string, value: number) => bytesOf(ggufText(key), { u32: 6 }, { f32: value });
  const text = (key: string, value: string) => bytesOf(ggufText(key), { u32: 8 }, ggufText(value));
  const list = (key: string, type: number, items: Buffer[]) =>
    bytesOf(ggufText(key), { u32: 9 }, { u32: type }, { u64: items.length }, ...items);
  let offset = 0;
  const placed = [...tensors].map(([name, { rows, columns, bytes }]) => {
    const ggufName = ggufNames.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), name);
    const tensor = { name: ggufName, dimensions: rows === 1 ? [columns] : [columns, rows], type: 0, offset, bytes };
    offset += Math.ceil(bytes.length / 32) * 32;
    return tensor;
  });
  const file = ggufFile({
    metadata: [
      text('general.architecture', architecture),
      u32(`${architecture}.block_count`, 5),
      u32(`${architecture}.embedding_length`, 64),
      u32(`${architecture}.feed_forward_length`, 172),
      u32(`${architecture}.attention.head_count`, 8),
      u32(`${architecture}.attention.head_count_kv`, 4),
      u32(`${architecture}.context_length`, 512),
      f32(`${architecture}.attention.layer_norm_rms_epsilon`, 1e-5),
      text('tokenizer.ggml.model', 'llama'),
      list('tokenizer.ggml.tokens', 8, tokenizer.pieces.map(ggufText)),
      list(
        'tokenizer.ggml.scores',
        6,
        tokenizer.scores.map((score) => bytesOf({ f32: score })),
      ),
      list(
        'tokenizer.ggml.token_type',
        4,
        tokenizer.kinds!.map((kind) => bytesOf({ u32: kind })),
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

/** The same weights with the pairs of q and k half a head apart, as the hub has them. */
function turnPairs(tensors: Tensors, headSize: number): Tensors {
  const turnedTensors: Tensors = new Map();
  for (const [name, { rows, columns, bytes }] of tensors) {
    const turned = Buffer.from(bytes);
    if (/[qk]_proj/.test(name)) {
      for (let row = 0; row < rows; row++) {
        const head = row - (row % headSize);
        const pair = (row % headSize) % (headSize / 2);
        const from = head + 2 * pair + (row % headSize < headSize / 2 ? 0 : 1);
        turned.set(bytes.subarray(from * columns * 4, (from + 1) * columns * 4), row * columns * 4);
      }
    }
    turnedTensors.set(name, { rows, columns, bytes: turned });
  }
  return turnedTensors;
}

function asSafetensors(tensors: Tensors): Buffer {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, { rows, columns, bytes }] of tensors) {
    const shape = rows === 1 ? [columns] : [rows, columns];
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
  }
  return Buffer.concat([safetensorsFile(header, 0), ...[...tensors.values()].map(({ bytes }) => bytes)]);
}

/** What the hub says of the model beside its weights. */
async function writeHubFiles(folder: string, modelType: string, tokenizer: SentencePieceJson): Promise<void> {
  const config = {
    model_type: modelType,
    hidden_size: 64,
    intermediate_size: 172,
    num_hidden_layers: 5,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    vocab_size: 512,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
    eos_token_id: 2,
    bos_token_id: 1,
    sliding_window: modelType === 'qwen2' ? 4 : null,
    use_sliding_window: false,
  };
  await writeTo(folder, 'config.json', JSON.stringify(config));
  const vocab = Object.fromEntries(tokenizer.pieces.map((piece, id) => [piece, id]));
  const hubTokenizer = {
    added_tokens: [0, 1, 2].map((id) => ({ id, content: tokenizer.pieces[id], special: true })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '\u2581' },
        { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    },
    model: { type: 'BPE', byte_fallback: true, unk_token: '<unk>', vocab, merges: [] },
  };
  await writeTo(folder, 'tokenizer.json', JSON.stringify(hubTokenizer));
}

const ids = Int32Array.from([1, 403, 407, 261, 378, 29, 410, 13, 57, 102, 5, 311, 44]);

async function scoresOf(plan: string, ids: Int32Array): Promise<Float32Array> {
  const engine = await (await openNative()).loadEngine({ plan, kvTokens: 256 });
  try {
    return await engine.score(ids);
  } finally {
    await engine.close();
  }
}

describe.skipIf(!hasShared)('One trained model', () => {
  const original = join(sharedData, 'weights', 'stories260K.bin');

  async function readOriginal(): Promise<{ tensors: Tensors; tokenizer: SentencePieceJson }> {
    const checkpoint = await openCheckpoint(original);
    const tensors = await tensorsOf(checkpoint);
    await checkpoint.close();
    return { tensors, tokenizer: checkpoint.tokenizer as SentencePieceJson };
  }

  test('gives the same probabilities from llama2.c, GGUF and safetensors', () =>
    withFolder(async (folder) => {
      const { builder } = await openNative();
      const { tensors, tokenizer } = await readOriginal();
      const gguf = await writeTo(folder, 'stories.gguf', asGguf(tensors, tokenizer, 'llama'));
      await writeTo(folder, 'model.safetensors', asSafetensors(turnPairs(tensors, 8)));
      await writeHubFiles(folder, 'llama', tokenizer);
      const sources: [string, string][] = [
        ['c', original],
        ['gguf', gguf],
        ['hub', folder],
      ];
      const scores: Float32Array[] = [];
      for (const [name, checkpoint] of sources) {
        const header = await buildPlan({ checkpoint, out: join(folder, `${name}.plan`), builder });
        expect(header).toMatchObject({ startIds: [1], contextTokens: 512, vocabularySize: 512 });
        expect(header.stopIds).toEqual(name === 'c' ? [1, 2] : [2]);
        scores.push((await scoresOf(join(folder, `${name}.plan`), ids)).slice(1));
      }
      expect(scores[0]!.every((score) => score < 0 && Number.isFinite(score))).toBe(true);
      expect(scores[1]).toEqual(scores[0]);
      expect(scores[2]).toEqual(scores[0]);
    }));

  test('with biases, as Qwen 2 has them, gives the same from GGUF and safetensors, and other than without', () =>
    withFolder(async (folder) => {
      const { builder } = await openNative();
      const { tensors, tokenizer } = await readOriginal();
      const biased = turnPairs(tensors, 8);
      const plain = await writeTo(folder, 'plain.gguf', asGguf(tensors, tokenizer, 'llama'));
      const without = await writeTo(folder, 'without.gguf', asGguf(biased, tokenizer, 'qwen2'));
      const refused = buildPlan({ checkpoint: without, out: join(folder, 'without.plan'), builder });
      await expect(refused).rejects.toThrow(/qwen2: .*q_proj\.bias/);
      for (const [name, { rows }] of [...biased]) {
        if (!/[qkv]_proj/.test(name)) continue;
        const bytes = new Uint8Array(randomNumbers(rows, biased.size).map((value) => value * 10).buffer);
        biased.set(name.replace('.weight', '.bias'), { rows: 1, columns: rows, bytes });
      }
      const gguf = await writeTo(folder, 'biased.gguf', asGguf(biased, tokenizer, 'qwen2'));
      await writeTo(folder, 'model.safetensors', asSafetensors(biased));
      await writeHubFiles(folder, 'qwen2', tokenizer);
      const scores: Float32Array[] = [];
      for (const [at, checkpoint] of [folder, gguf, plain].entries()) {
        await buildPlan({ checkpoint, out: join(folder, `${at}.plan`), builder });
        scores.push((await scoresOf(join(folder, `${at}.plan`), ids)).slice(1));
      }
      expect(scores[1]).toEqual(scores[0]);
      expect(scores[2]).not.toEqual(scores[0]);
      expect(scores[2]).toEqual((await scoresOfOriginal(folder)).slice(1));
    }));

  async function scoresOfOriginal(folder: string): Promise<Float32Array> {
    const out = join(folder, 'original.plan');
    await buildPlan({ checkpoint: original, out, builder: (await openNative()).builder });
    return scoresOf(out, ids);
  }
});
