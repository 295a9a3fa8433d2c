import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPlan } from '../../engines/build/build.ts';
import { openNative } from '../native/native.ts';
import { randomNumbers, safetensorsFile, withFolder, writeTo } from './checkpoints.ts';

const size = { hidden: 64, inner: 96, layers: 2, heads: 4, vocabulary: 40, context: 24 };
const epsilon = 1e-12;

type Matrix = { rows: number; columns: number; values: Float32Array };

/** A BERT with random weights, by the names of the hub, behind `bert.` as some publish them. */
function randomBert(): Map<string, Matrix> {
  const tensors = new Map<string, Matrix>();
  const add = (name: string, rows: number, columns: number, around = 0) => {
    const values = randomNumbers(rows * columns, tensors.size + 1).map((value) => value * 2 + around);
    tensors.set(`bert.${name}`, { rows, columns, values });
  };
  const norm = (at: string) => {
    add(`${at}.LayerNorm.weight`, 1, size.hidden, 1);
    add(`${at}.LayerNorm.bias`, 1, size.hidden);
  };
  const linear = (at: string, rows: number, columns: number) => {
    add(`${at}.weight`, rows, columns);
    add(`${at}.bias`, 1, rows);
  };
  add('embeddings.word_embeddings.weight', size.vocabulary, size.hidden);
  add('embeddings.position_embeddings.weight', size.context, size.hidden);
  add('embeddings.token_type_embeddings.weight', 2, size.hidden);
  norm('embeddings');
  for (let layer = 0; layer < size.layers; layer++) {
    const at = `encoder.layer.${layer}`;
    for (const name of ['query', 'key', 'value']) linear(`${at}.attention.self.${name}`, size.hidden, size.hidden);
    linear(`${at}.attention.output.dense`, size.hidden, size.hidden);
    norm(`${at}.attention.output`);
    linear(`${at}.intermediate.dense`, size.inner, size.hidden);
    linear(`${at}.output.dense`, size.hidden, size.inner);
    norm(`${at}.output`);
  }
  return tensors;
}

/** The same model in float64, written from the papers' formulas. */
function embedSlowly(tensors: Map<string, Matrix>, ids: number[], pooling: 'mean' | 'first'): number[] {
  const at = (name: string) => tensors.get(`bert.${name}`)!;
  const row = (name: string, index: number) => {
    const { columns, values } = at(name);
    return Array.from(values.subarray(index * columns, (index + 1) * columns));
  };
  const linear = (x: number[], name: string) => {
    const { rows, columns, values } = at(`${name}.weight`);
    const bias = at(`${name}.bias`).values;
    return Array.from({ length: rows }, (_, n) =>
      x.reduce((sum, value, k) => sum + value * values[n * columns + k]!, bias[n]!),
    );
  };
  const norm = (x: number[], name: string) => {
    const mean = x.reduce((a, b) => a + b) / x.length;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
    const { values: weight } = at(`${name}.LayerNorm.weight`);
    const { values: bias } = at(`${name}.LayerNorm.bias`);
    return x.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * weight[i]! + bias[i]!);
  };
  const add = (a: number[], b: number[]) => a.map((value, i) => value + b[i]!);

  let x = ids.map((id, position) => {
    const sum = add(
      row('embeddings.word_embeddings.weight', id),
      row('embeddings.position_embeddings.weight', position),
    );
    return norm(add(sum, row('embeddings.token_type_embeddings.weight', 0)), 'embeddings');
  });
  const headSize = size.hidden / size.heads;
  for (let layer = 0; layer < size.layers; layer++) {
    const name = `encoder.layer.${layer}`;
    const [q, k, v] = ['query', 'key', 'value'].map((part) =>
      x.map((y) => linear(y, `${name}.attention.self.${part}`)),
    );
    const seen = x.map((_, t) => {
      return Array.from({ length: size.hidden }, (_, column) => {
        const head = Math.floor(column / headSize) * headSize;
        const scores = x.map((_, s) => {
          let dot = 0;
          for (let i = head; i < head + headSize; i++) dot += q![t]![i]! * k![s]![i]!;
          return Math.exp(dot / Math.sqrt(headSize));
        });
        const total = scores.reduce((a, b) => a + b);
        return scores.reduce((sum, score, s) => sum + (score / total) * v![s]![column]!, 0);
      });
    });
    x = x.map((y, t) => norm(add(y, linear(seen[t]!, `${name}.attention.output.dense`)), `${name}.attention.output`));
    x = x.map((y) =>
      norm(add(y, linear(linear(y, `${name}.intermediate.dense`).map(gelu), `${name}.output.dense`)), `${name}.output`),
    );
  }
  const pooled = pooling === 'first' ? x[0]! : x[0]!.map((_, i) => x.reduce((sum, y) => sum + y[i]!, 0) / x.length);
  const length = Math.hypot(...pooled);
  return pooled.map((value) => value / length);
}

/** x Φ(x), with the error function's series. */
function gelu(x: number): number {
  const z = x / Math.SQRT2;
  let term = z;
  let sum = z;
  for (let n = 1; n < 60; n++) {
    term *= (-z * z) / n;
    sum += term / (2 * n + 1);
  }
  return 0.5 * x * (1 + (2 / Math.sqrt(Math.PI)) * sum);
}

async function writeBert(folder: string, tensors: Map<string, Matrix>): Promise<void> {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, { rows, columns, values }] of tensors) {
    const begin = end;
    end += values.byteLength;
    header[name] = { dtype: 'F32', shape: rows === 1 ? [columns] : [rows, columns], data_offsets: [begin, end] };
  }
  const file = safetensorsFile(header, end);
  let at = file.length - end;
  for (const { values } of tensors.values()) {
    Buffer.from(values.buffer).copy(file, at);
    at += values.byteLength;
  }
  await writeTo(folder, 'model.safetensors', file);
  const config = {
    model_type: 'bert',
    hidden_size: size.hidden,
    num_hidden_layers: size.layers,
    num_attention_heads: size.heads,
    intermediate_size: size.inner,
    vocab_size: size.vocabulary,
    max_position_embeddings: size.context,
    type_vocab_size: 2,
    layer_norm_eps: epsilon,
    hidden_act: 'gelu',
  };
  await writeTo(folder, 'config.json', JSON.stringify(config));
  const vocab = Object.fromEntries(
    Array.from({ length: size.vocabulary }, (_, id) => [id === 0 ? '[UNK]' : `word${id}`, id]),
  );
  const tokenizer = {
    added_tokens: [],
    normalizer: { type: 'BertNormalizer', lowercase: true, strip_accents: null },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: null,
    model: { type: 'WordPiece', unk_token: '[UNK]', vocab },
  };
  await writeTo(folder, 'tokenizer.json', JSON.stringify(tokenizer));
}

const texts = [[3, 1, 4, 1, 5, 9, 2, 6], [7], Array.from({ length: 24 }, (_, i) => (i * 7) % 40)];

describe('A BERT from a folder of the hub', () => {
  test.each([
    ['mean', true],
    ['mean', false],
    ['first', true],
  ] as const)('gives the vectors that the formulas give (the %s of the rows, fused: %s)', (pooling, fuse) =>
    withFolder(async (folder) => {
      const tensors = randomBert();
      await writeBert(folder, tensors);
      if (pooling === 'first') {
        await mkdir(join(folder, '1_Pooling'));
        await writeTo(join(folder, '1_Pooling'), 'config.json', JSON.stringify({ pooling_mode_cls_token: true }));
      }
      const out = join(folder, 'bert.plan');
      const { builder, loadEngine } = await openNative();
      const header = await buildPlan({ checkpoint: folder, out, builder, fuse });
      expect(header).toMatchObject({ role: 'embedder', embeddingSize: 64, kv: null, template: null });
      const engine = await loadEngine({ plan: out });
      const vectors = await engine.embed(texts.map((ids) => Int32Array.from(ids)));
      await engine.close();
      for (const [index, ids] of texts.entries()) {
        const expected = embedSlowly(tensors, ids, pooling);
        for (let i = 0; i < 64; i++) expect(vectors[index * 64 + i]).toBeCloseTo(expected[i]!, 5);
      }
    }),
  );

  test('stays close to them with its weights in 8 bits', () =>
    withFolder(async (folder) => {
      const tensors = randomBert();
      await writeBert(folder, tensors);
      const out = join(folder, 'bert.plan');
      const { builder, loadEngine } = await openNative();
      const header = await buildPlan({ checkpoint: folder, out, builder, precision: 'q8' });
      expect(header.tensors.filter(({ type }) => type === 'q8').length).toBeGreaterThan(5);
      const engine = await loadEngine({ plan: out });
      const vectors = await engine.embed(texts.map((ids) => Int32Array.from(ids)));
      await engine.close();
      for (const [index, ids] of texts.entries()) {
        const cosine = embedSlowly(tensors, ids, 'mean').reduce(
          (sum, value, i) => sum + value * vectors[index * 64 + i]!,
          0,
        );
        expect(cosine).toBeGreaterThan(0.999);
      }
    }));
});
