/**
 * A cross-encoder made by hand, as the hub publishes one: a BERT of one layer that says how large a share of a pair's
 * tokens is the word "good". Each token sees all others alike (queries and keys are zero) and takes their mean; the first
 * token's first column, which only "good" fills, is the score.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'good'];
const good = words.indexOf('good');
const size = 16;

export async function writeTinyReranker(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const config = {
    architectures: ['BertForSequenceClassification'],
    model_type: 'bert',
    id2label: { 0: 'LABEL_0' },
    hidden_size: size,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: size,
    vocab_size: words.length,
    max_position_embeddings: 64,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    hidden_act: 'gelu',
  };
  const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map((content, id) => ({ id, content, special: true }));
  const tokenizer = {
    added_tokens: specials,
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] },
    model: { type: 'WordPiece', unk_token: '[UNK]', vocab: Object.fromEntries(words.map((word, id) => [word, id])) },
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  await writeFile(join(folder, 'model.safetensors'), weights());
}

export const tinyRerankerFiles = ['config.json', 'tokenizer.json', 'model.safetensors'];

function weights(): Uint8Array {
  const zero = (): number => 0;
  const same = (row: number, column: number): number => (row === column ? 1 : 0);
  const tensors: { name: string; rows: number; columns: number; at: (row: number, column: number) => number }[] = [];
  const add = (name: string, rows: number, columns: number, at: (row: number, column: number) => number): void => {
    tensors.push({ name: `bert.${name}`, rows, columns, at });
  };
  const linear = (name: string, at: (row: number, column: number) => number): void => {
    add(`${name}.weight`, size, size, at);
    add(`${name}.bias`, 1, size, zero);
  };
  const norm = (name: string): void => {
    add(`${name}.LayerNorm.weight`, 1, size, () => 1);
    add(`${name}.LayerNorm.bias`, 1, size, zero);
  };
  const column = (id: number): number => (id === good ? 0 : 1);
  add('embeddings.word_embeddings.weight', words.length, size, (id, place) => (place === column(id) ? 1 : 0));
  add('embeddings.position_embeddings.weight', 64, size, zero);
  add('embeddings.token_type_embeddings.weight', 2, size, zero);
  norm('embeddings');
  linear('encoder.layer.0.attention.self.query', zero);
  linear('encoder.layer.0.attention.self.key', zero);
  linear('encoder.layer.0.attention.self.value', same);
  linear('encoder.layer.0.attention.output.dense', same);
  norm('encoder.layer.0.attention.output');
  linear('encoder.layer.0.intermediate.dense', zero);
  linear('encoder.layer.0.output.dense', zero);
  norm('encoder.layer.0.output');
  // Small, so that tanh stays far from its ends.
  linear('pooler.dense', (row, place) => 0.1 * same(row, place));
  const head = {
    name: 'classifier.weight',
    rows: 1,
    columns: size,
    at: (_row: number, place: number) => (place === 0 ? 10 : 0),
  };
  tensors.push(head, { name: 'classifier.bias', rows: 1, columns: 1, at: zero });

  const header: Record<string, unknown> = {};
  const numbers: number[] = [];
  for (const { name, rows, columns, at } of tensors) {
    const begin = 4 * numbers.length;
    for (let row = 0; row < rows; row++) for (let place = 0; place < columns; place++) numbers.push(at(row, place));
    const shape = rows === 1 && !name.endsWith('classifier.weight') ? [columns] : [rows, columns];
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, 4 * numbers.length] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, new Uint8Array(Float32Array.from(numbers).buffer)]);
}
