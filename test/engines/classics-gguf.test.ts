/**
 * GPT-2, GPT-NeoX, Falcon, MPT and BLOOM as GGUF files, which hold the same numbers under other names and in another
 * order: written here as llama.cpp's converter does, with its names, and compared with transformers.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPlanHeader } from '../../engines/plan/format.ts';
import { bytesOf, ggufFile, ggufText, withFolder, writeTo } from './checkpoints.ts';
import {
  largestDifference,
  type ReferenceCase,
  readReference,
  referenceNumbers,
  runReference,
  withEngine,
  writeHubFolder,
} from './reference/reference.ts';

/** Names of the converter's own library, by reference/make-classics.py. */
const { names }: { names: Record<string, Record<string, string>> } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'reference/classics.json'), 'utf8'),
);

type Metadata = Record<string, string | boolean | { u32: number } | { f32: number }>;

const typeNumbers = { u32: 4, f32: 6, flag: 7, text: 8 };

function metadataOf(values: Metadata): Buffer[] {
  return Object.entries(values).map(([key, value]) => {
    const [type, bytes] =
      typeof value === 'string'
        ? [typeNumbers.text, ggufText(value)]
        : typeof value === 'boolean'
          ? [typeNumbers.flag, Uint8Array.of(Number(value))]
          : ['u32' in value ? typeNumbers.u32 : typeNumbers.f32, bytesOf(value)];
    return bytesOf(ggufText(key), { u32: type }, bytes);
  });
}

/** Rows of `width` numbers, those that `rows` names. */
function takeRows(numbers: Float32Array, width: number, rows: number[]): Float32Array {
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    taken.set(numbers.subarray(row * width, (row + 1) * width), i * width);
  });
  return taken;
}

/** [groups, perGroup, d] → all queries, then all keys, then all values. */
function splitGroups(groups: number, queriesPerGroup: number, headSize: number): number[] {
  const rowsOf = (pick: number[]) =>
    Array.from({ length: groups }, (_, group) =>
      pick.flatMap((place) =>
        Array.from({ length: headSize }, (_, i) => (group * (queriesPerGroup + 2) + place) * headSize + i),
      ),
    ).flat();
  const queries = Array.from({ length: queriesPerGroup }, (_, i) => i);
  return [rowsOf(queries), rowsOf([queriesPerGroup]), rowsOf([queriesPerGroup + 1])].flat();
}

/** The tensor's numbers and shape as the converter writes them. */
function converted(tensor: ReferenceCase['tensors'][number], config: Record<string, unknown>) {
  const numbers = referenceNumbers(tensor);
  const [rows, columns] = [tensor.shape[0]!, tensor.shape[1] ?? 1];
  if (config.model_type === 'gpt2' && /\.(c_attn|c_proj|c_fc)\.weight$/.test(tensor.name)) {
    const turned = Float32Array.from(numbers, (_, i) => numbers[(i % rows) * columns + Math.floor(i / rows)]!);
    return { numbers: turned, shape: [columns, rows] };
  }
  if (!tensor.name.includes('query_key_value')) return { numbers, shape: tensor.shape };
  const numHeads = Number(config.num_attention_heads);
  const groups = config.model_type === 'falcon' ? Number(config.num_kv_heads ?? 1) : numHeads;
  const perGroup = numHeads / groups;
  const headSize = rows / (groups * (perGroup + 2));
  return { numbers: takeRows(numbers, columns, splitGroups(groups, perGroup, headSize)), shape: tensor.shape };
}

async function writeGguf(reference: ReferenceCase, path: string, metadata: Metadata): Promise<string> {
  const config = reference.configs[0];
  const parts: Buffer[] = [];
  let offset = 0;
  const tensors = reference.tensors.map((tensor) => {
    const { numbers, shape } = converted(tensor, config);
    const bytes = Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    const place = offset;
    const padding = Buffer.alloc((32 - (bytes.length % 32)) % 32);
    parts.push(bytes, padding);
    offset += bytes.length + padding.length;
    const name = names[reference.name]![tensor.name];
    if (name === undefined) throw new Error(`${tensor.name} has no name in GGUF`);
    return { name, dimensions: shape.toReversed(), type: 0, offset: place };
  });
  const head = ggufFile({ metadata: metadataOf(metadata), tensors });
  return writeTo(path, `${reference.name}.gguf`, Buffer.concat([head, ...parts]));
}

const sizes = (prefix: string, hidden: number, heads: number, inner: number, more: Metadata = {}): Metadata => ({
  'general.architecture': prefix,
  [`${prefix}.context_length`]: { u32: 48 },
  [`${prefix}.embedding_length`]: { u32: hidden },
  [`${prefix}.block_count`]: { u32: 2 },
  [`${prefix}.feed_forward_length`]: { u32: inner },
  [`${prefix}.attention.head_count`]: { u32: heads },
  [`${prefix}.attention.layer_norm_epsilon`]: { f32: 1e-5 },
  ...Object.fromEntries(Object.entries(more).map(([key, value]) => [`${prefix}.${key}`, value])),
});

const alibi = { 'attention.max_alibi_bias': { f32: 8 } };
const files: [string, Metadata][] = [
  ['gpt2', sizes('gpt2', 64, 4, 256)],
  ['gptneox', sizes('gptneox', 64, 4, 96, { 'rope.dimension_count': { u32: 4 }, use_parallel_residual: true })],
  ['falcon-7b', sizes('falcon', 96, 6, 384, { 'attention.head_count_kv': { u32: 1 } })],
  ['falcon-40b', sizes('falcon', 64, 4, 256, { 'attention.head_count_kv': { u32: 2 } })],
  ['falcon-11b', sizes('falcon', 64, 4, 96, { 'attention.head_count_kv': { u32: 2 }, 'rope.freq_base': { f32: 500 } })],
  ['mpt', sizes('mpt', 64, 8, 256, alibi)],
  [
    'mpt-shared-keys',
    sizes('mpt', 96, 6, 384, {
      ...alibi,
      'attention.head_count_kv': { u32: 2 },
      'attention.clamp_kqv': { f32: 1.5 },
    }),
  ],
  ['mpt-biases', sizes('mpt', 64, 4, 256, alibi)],
  ['bloom', sizes('bloom', 64, 8, 256, { 'attention.head_count_kv': { u32: 8 } })],
];

/** Writes the file and, for its tokenizer, the hub's folder. */
async function writeBoth(name: string, folder: string, metadata: Metadata) {
  const reference = readReference(name);
  const hub = await writeHubFolder(reference, join(folder, 'model'));
  return { reference, hub, gguf: await writeGguf(reference, folder, metadata) };
}

describe('The GGUF file', () => {
  test.each(files)('of %s gives the logits of transformers', (name, metadata) =>
    withFolder(async (folder) => {
      const { reference, hub, gguf } = await writeBoth(name, folder, metadata);
      const options = { tokenizerFile: join(hub, 'tokenizer.json') };
      const found = await withEngine(gguf, options, (engine) => runReference(engine, reference));
      const reached = largestDifference(
        found,
        reference.sequences.map(({ output }) => output),
      );
      if (process.env.QUOTH_SHOW !== undefined) console.log(name, reached);
      expect(reached).toBeLessThan(1e-4);
    }),
  );

  test('of an MPT says how far queries, keys and values go and how fast a score falls', () =>
    withFolder(async (folder) => {
      const more = { 'attention.clamp_kqv': { f32: 6 }, 'attention.max_alibi_bias': { f32: 16 } };
      const { hub, gguf } = await writeBoth('mpt', folder, sizes('mpt', 64, 8, 256, more));
      await withEngine(gguf, { tokenizerFile: join(hub, 'tokenizer.json') }, async () => {});
      const { program } = await readPlanHeader(`${gguf}.f32.true.plan`);
      expect(program.steps.filter(({ op }) => op === 'clamp').map(({ limit }) => limit)).toEqual([6, 6]);
    }));

  test('of an MPT without ALiBi is refused', () =>
    withFolder(async (folder) => {
      const more = { 'attention.max_alibi_bias': { f32: 0 } };
      const { hub, gguf } = await writeBoth('mpt', folder, sizes('mpt', 64, 8, 256, more));
      const opened = withEngine(gguf, { tokenizerFile: join(hub, 'tokenizer.json') }, async () => {});
      await expect(opened).rejects.toThrow(/alibi_bias_max is impossible/);
    }));

  test('of a GPT-NeoX without parallel layers is one block after the other', () =>
    withFolder(async (folder) => {
      const more = { 'rope.dimension_count': { u32: 4 }, use_parallel_residual: false };
      const { hub, gguf } = await writeBoth('gptneox', folder, sizes('gptneox', 64, 4, 96, more));
      await withEngine(gguf, { tokenizerFile: join(hub, 'tokenizer.json') }, async () => {});
      const { program } = await readPlanHeader(`${gguf}.f32.true.plan`);
      const count = (name: string) => program.steps.filter(({ op }) => op === name).length;
      expect([count('add'), count('add_layer_norm')]).toEqual([0, 4]);
    }));
});
