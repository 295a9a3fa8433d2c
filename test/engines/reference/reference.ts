/** The cases of make-logits.py, made into checkpoints and run: what the tests of the architectures stand on. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BuildOptions, buildPlan } from '../../../engines/build/build.ts';
import type { Engine, EngineOptions } from '../../../native/index.ts';
import { openNative } from '../../native/native.ts';

type ReferenceTensor = { name: string; shape: number[]; around: number; spread: number };

export type ReferenceCase = {
  name: string;
  versions: string;
  kind: 'logits' | 'embedding' | 'score';
  /** The config.json as published, and as transformers 5 saves it. */
  configs: [published: Record<string, unknown>, saved: Record<string, unknown>];
  tensors: ReferenceTensor[];
  /** What goes in, and the matrix that comes out, row after row. */
  sequences: { ids: number[]; output: number[] }[];
  files?: Record<string, unknown>;
  first?: number[];
  /** The same model as a GGUF file: its beginning, and what stands where in the rest (gguf_files.py). */
  gguf?: {
    start: string;
    sizeBytes: number;
    sha256: string;
    tensors: ({ offset: number } & ({ values: number[] } | { name: string; heads?: number; plus?: number }))[];
  };
  /** What the plan is built for, where it is not the model's own context. */
  contextTokens?: number;
};

const logitsFolder = join(import.meta.dirname, 'logits');

export function referenceNames(): string[] {
  return readdirSync(logitsFolder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

export function readReference(name: string): ReferenceCase {
  return { name, ...JSON.parse(readFileSync(join(logitsFolder, `${name}.json`), 'utf8')) };
}

/** The tensor's numbers: a hash of its name and their places (see make-logits.py). */
export function referenceNumbers({ name, shape, around, spread }: ReferenceTensor): Float32Array {
  let seed = 0x811c9dc5;
  for (const byte of Buffer.from(name, 'utf8')) seed = Math.imul(seed ^ byte, 0x01000193);
  const count = shape.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length: count }, (_, i) => {
    let h = seed ^ Math.imul(i, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    return around + spread * ((h >>> 8) / 2 ** 23 - 1);
  });
}

/** A tokenizer that nobody asks, with as many pieces as the model has. */
function tokenizerJson(vocabularySize: number, isForPairs = false) {
  const vocab = Object.fromEntries(
    Array.from({ length: vocabularySize }, (_, id) => [id === 0 ? '[UNK]' : `p${id}`, id]),
  );
  return {
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: false },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    ...(isForPairs ? { post_processor: { type: 'BertProcessing', cls: ['p1', 1], sep: ['p2', 2] } } : {}),
    model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', vocab },
  };
}

/** The case as the hub's folder; `config` instead of the published one. Returns the folder. */
export async function writeHubFolder(
  reference: ReferenceCase,
  folder: string,
  config: Record<string, unknown> = reference.configs[0],
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const tensor of reference.tensors) {
    const bytes = new Uint8Array(referenceNumbers(tensor).buffer);
    header[tensor.name] = { dtype: 'F32', shape: tensor.shape, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  await writeFile(join(folder, 'model.safetensors'), Buffer.concat([size, text, ...parts]));
  const files: Record<string, unknown> = {
    'config.json': config,
    'tokenizer.json': tokenizerJson(Number(reference.configs[0].vocab_size), reference.kind === 'score'),
    ...reference.files,
  };
  for (const [path, json] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), JSON.stringify(json));
  }
  return folder;
}

/** The case as the GGUF file that the gguf package wrote, byte for byte, with the tokenizer beside it. */
export async function writeGgufFile(reference: ReferenceCase, folder: string) {
  const { start, sizeBytes, sha256, tensors } = reference.gguf!;
  const bytes = Buffer.alloc(sizeBytes);
  bytes.write(start, 'base64');
  for (const part of tensors) {
    const numbers = 'values' in part ? Float32Array.from(part.values) : ggufNumbers(reference, part);
    bytes.set(new Uint8Array(numbers.buffer), part.offset);
  }
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) throw new Error(`${reference.name}.gguf is not the file that was written`);
  await mkdir(folder, { recursive: true });
  const checkpoint = join(folder, 'model.gguf');
  const tokenizerFile = join(folder, 'tokenizer.json');
  await writeFile(checkpoint, bytes);
  await writeFile(tokenizerFile, JSON.stringify(tokenizerJson(Number(reference.configs[0].vocab_size))));
  return { checkpoint, tokenizerFile };
}

/** A tensor's numbers as llama.cpp's converter leaves them. */
function ggufNumbers(reference: ReferenceCase, part: { name: string; heads?: number; plus?: number }): Float32Array {
  const tensor = reference.tensors.find(({ name }) => name === part.name)!;
  const numbers = referenceNumbers(tensor);
  if (part.plus !== undefined) return numbers.map((number) => number + part.plus!);
  if (part.heads === undefined) return numbers;
  const half = tensor.shape[0]! / part.heads / 2;
  const width = numbers.length / tensor.shape[0]!;
  const turned = new Float32Array(numbers.length);
  for (let row = 0; row < tensor.shape[0]!; row++) {
    // Row 2i of a head was row i, row 2i + 1 was row i + half.
    const [head, place] = [Math.floor(row / (2 * half)), row % (2 * half)];
    const from = head * 2 * half + Math.floor(place / 2) + (place % 2) * half;
    turned.set(numbers.subarray(from * width, (from + 1) * width), row * width);
  }
  return turned;
}

/** Builds the checkpoint, loads it on the CPU and closes it after the body. */
export async function withEngine<Result>(
  checkpoint: string,
  options: Partial<BuildOptions & EngineOptions>,
  body: (engine: Engine) => Promise<Result>,
): Promise<Result> {
  const native = await openNative();
  const { precision = 'f32', fuse = true, stepTokens, ...rest } = options;
  const out = `${checkpoint}.${precision}.${fuse}.plan`;
  await buildPlan({ checkpoint, out, builder: native.builder, precision, fuse, ...rest });
  const engine = await native.loadEngine({ plan: out, device: 'cpu', numThreads: 1, stepTokens });
  try {
    return await body(engine);
  } finally {
    await engine.close();
  }
}

/** What the engine gives for each sequence of the case: logits [ids, V], a vector, or a number. */
export async function runReference(engine: Engine, reference: ReferenceCase): Promise<Float32Array[]> {
  const ids = reference.sequences.map((sequence) => Int32Array.from(sequence.ids));
  if (reference.kind === 'logits') return Promise.all(ids.map((sequence) => engine.logits(sequence)));
  if (reference.kind === 'score') {
    const scores = await engine.rerank(ids, Int32Array.from(reference.first ?? []));
    return ids.map((_, at) => scores.subarray(at, at + 1));
  }
  const vectors = await engine.embed(ids);
  const width = vectors.length / ids.length;
  return ids.map((_, at) => vectors.subarray(at * width, (at + 1) * width));
}

/** The largest difference between two lists of matrices, in parts of the reference's spread (its largest less its least). */
export function largestDifference(found: readonly ArrayLike<number>[], wanted: readonly ArrayLike<number>[]): number {
  let [most, least, difference] = [-Infinity, Infinity, 0];
  wanted.forEach((matrix, at) => {
    const other = found[at];
    if (other?.length !== matrix.length) throw new Error(`${other?.length} numbers for ${matrix.length}`);
    for (let i = 0; i < matrix.length; i++) {
      most = Math.max(most, matrix[i]!);
      least = Math.min(least, matrix[i]!);
      // Written so that a NaN counts as a difference.
      const apart = Math.abs(matrix[i]! - other[i]!);
      difference = apart <= difference ? difference : apart;
    }
  });
  return difference / (most - least);
}
