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
function asGguf(tensors: Tensors, tokenizer: SentencePieceJson): Buffer {
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
      text('general.architecture', 'llama'),
      u32('llama.block_count', 5),
      u32('llama.embedding_length', 64),
      u32('llama.feed_forward_length', 172),
      u32('llama.attention.head_count', 8),
      u32('llama.attention.head_count_kv', 4),
      u32('llama.context_length', 512),
      f32('llama.attention.layer_norm_rms_epsilon', 1e-5),
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

/** The same weights as the hub has them: pairs of q and k half a head apart. */
function asSafetensors(tensors: Tensors, headSize: number): Buffer {
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let end = 0;
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
    header[name] = {
      dtype: 'F32',
      shape: rows === 1 ? [columns] : [rows, columns],
      data_offsets: [end, end + turned.length],
    };
    end += turned.length;
    parts.push(turned);
  }
  const file = safetensorsFile(header, 0);
  return Buffer.concat([file, ...parts]);
}

async function scoresOf(plan: string, ids: Int32Array): Promise<Float32Array> {
  const engine = await (await openNative()).loadEngine({ plan, kvTokens: 256 });
  try {
    return await engine.score(ids);
  } finally {
    await engine.close();
  }
}

describe.skipIf(!hasShared)('One trained model', () => {
  test('gives the same probabilities from llama2.c, GGUF and safetensors', () =>
    withFolder(async (folder) => {
      const { builder } = await openNative();
      const original = join(sharedData, 'weights', 'stories260K.bin');
      const checkpoint = await openCheckpoint(original);
      const tensors = await tensorsOf(checkpoint);
      const tokenizer = checkpoint.tokenizer as SentencePieceJson;
      await checkpoint.close();

      const gguf = await writeTo(folder, 'stories.gguf', asGguf(tensors, tokenizer));
      await writeTo(folder, 'model.safetensors', asSafetensors(tensors, 8));
      const config = {
        model_type: 'llama',
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

      const headers = [];
      for (const [name, source] of [
        ['c', original],
        ['gguf', gguf],
        ['hub', folder],
      ] as const) {
        headers.push(await buildPlan({ checkpoint: source, out: join(folder, `${name}.plan`), builder }));
      }
      for (const header of headers)
        expect(header).toMatchObject({ startIds: [1], contextTokens: 512, vocabularySize: 512 });
      expect(headers.map(({ stopIds }) => stopIds)).toEqual([[1, 2], [2], [2]]);

      const ids = Int32Array.from([1, 403, 407, 261, 378, 29, 410, 13, 57, 102, 5, 311, 44]);
      const [fromC, fromGguf, fromHub] = await Promise.all(
        ['c', 'gguf', 'hub'].map((name) => scoresOf(join(folder, `${name}.plan`), ids)),
      );
      expect([...fromGguf!.slice(1)]).toEqual([...fromC!.slice(1)]);
      expect([...fromHub!.slice(1)]).toEqual([...fromC!.slice(1)]);
      expect(fromC!.slice(1).every((score) => score < 0 && Number.isFinite(score))).toBe(true);
    }));
});
