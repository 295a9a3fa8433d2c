/** From a published checkpoint to a plan: open, build the graph, compile, pack tensor after tensor. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Prompts } from '../architectures/architecture.ts';
import type { TensorShapes, WeightPart } from '../graph/graph.ts';
import type { BoundTensor } from '../graph/passes/bind-weights.ts';
import type { PrecisionPolicy } from '../graph/passes/choose-precision.ts';
import { compile } from '../graph/passes/passes.ts';
import { ModelError } from '../model-error.ts';
import type { PlanHeader, PlanType } from '../plan/format.ts';
import { type PlanWithoutSections, writePlan } from '../plan/write-plan.ts';
import { tokenizerFromJson } from '../tokenizer/from-tokenizer-json.ts';
import type { PairIds } from '../tokenizer/pair.ts';
import type { TokenizerJson } from '../tokenizer/types.ts';
import { readableTypes } from './block-types.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openGgufCheckpoint } from './gguf-checkpoint.ts';
import { openHuggingFaceCheckpoint } from './huggingface-checkpoint.ts';
import { openLlama2cCheckpoint } from './llama2c-checkpoint.ts';

/** The heavy arithmetic, handed in: `Builder` of native/index.ts fits. */
export type Packer = {
  pack(request: {
    bytes: Uint8Array;
    from: string;
    to: PlanType;
    numRows: number;
    numColumns: number;
    rowOrder?: Int32Array;
    codebook?: Int8Array;
  }): Promise<Uint8Array>;
};

export type BuildOptions = {
  /** A GGUF file, a folder with config.json and safetensors, or a .bin of llama2.c. */
  checkpoint: string;
  /** Path of the plan; it appears there when it is whole. */
  out: string;
  builder: Packer;
  /** A tokenizer.json, or a tokenizer of llama2.c, where the checkpoint has none or another is wanted. */
  tokenizerFile?: string;
  /** What people call the model; absent = what the checkpoint says. */
  name?: string;
  precision?: PrecisionPolicy;
  /** Embedders: what goes before a question and a passage, where the checkpoint does not say it or says it wrong. */
  prompts?: Prompts;
  /** False leaves the program as the architecture wrote it: slower, the same numbers. */
  fuse?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: { doneBytes: number; totalBytes: number; tensor: string }) => void;
};

/** Builds a plan and returns its header. Fails with a `ModelError`, or with the builder's own error. */
export async function buildPlan(options: BuildOptions): Promise<PlanHeader> {
  const checkpoint = await openCheckpoint(options.checkpoint, options.tokenizerFile);
  try {
    const tokenizer = (await tokenizerOf(options.tokenizerFile)) ?? checkpoint.tokenizer;
    if (tokenizer === null) {
      throw new ModelError('invalid-checkpoint', `${basename(options.checkpoint)} has no tokenizer; name one.`);
    }
    const { model } = checkpoint;
    const shapes: TensorShapes = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
    const compiled = compile(model.build(shapes), { precision: options.precision, fuse: options.fuse });
    for (const part of compiled.tensors.flatMap((tensor) => tensor.parts)) {
      if (!readableTypes.has(part.from)) {
        throw new ModelError(
          'unsupported-model',
          `The tensor ${part.name} has the type ${part.from}, which is not read here.`,
        );
      }
    }

    const plan: PlanWithoutSections = {
      architecture: model.architecture,
      name: options.name ?? checkpoint.name,
      role: model.role,
      vocabularySize: model.vocabularySize,
      contextTokens: model.contextTokens,
      embeddingSize: model.embeddingSize,
      startIds: checkpoint.startIds,
      stopIds: checkpoint.stopIds,
      // A model kept in float32 keeps its history so too.
      kv: model.kv && { type: compiled.tensors.every((tensor) => tensor.type === 'f32') ? 'f32' : 'f16', ...model.kv },
      template: checkpoint.template,
      ...(model.role === 'embedder' ? { prompts: options.prompts ?? checkpoint.prompts ?? null } : {}),
      ...(model.role === 'reranker' ? { pair: pairOf(checkpoint) } : {}),
      program: compiled.program,
      tensors: compiled.tensors.map(({ name, type, rows, columns, codebook }) => {
        return { name, type, rows, columns, ...(codebook === undefined ? {} : { codebook }) };
      }),
    };
    const sizes = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor.sizeBytes]));
    const totalBytes = compiled.tensors
      .flatMap(({ parts }) => parts)
      .reduce((sum, { name }) => sum + (sizes.get(name) ?? 0), 0);
    let doneBytes = 0;
    async function* partsOf(index: number): AsyncIterable<Uint8Array> {
      const tensor = compiled.tensors[index]!;
      for (const part of tensor.parts) {
        if (options.signal?.aborted) throw new ModelError('cancelled', 'Building the plan was cancelled.');
        yield await packPart(checkpoint, options.builder, tensor, part);
        doneBytes += sizes.get(part.name) ?? 0;
        options.onProgress?.({ doneBytes, totalBytes, tensor: part.name });
      }
    }
    return await writePlan({ out: options.out, plan, tokenizer, partsOf, signal: options.signal });
  } finally {
    await checkpoint.close();
  }
}

function pairOf(checkpoint: Checkpoint): PairIds {
  if (checkpoint.pair) return checkpoint.pair;
  throw new ModelError(
    'invalid-checkpoint',
    `The tokenizer of ${checkpoint.name} does not say how two texts are put together.`,
  );
}

async function packPart(
  checkpoint: Checkpoint,
  builder: Packer,
  tensor: BoundTensor,
  part: WeightPart,
): Promise<Uint8Array> {
  if (part.values !== undefined) return new Uint8Array(part.values.slice().buffer);
  const bytes = await checkpoint.read(part.name);
  // A vector with an order is taken number by number: to the builder it is a matrix of one column.
  const tensorRows = checkpoint.tensors.find(({ name }) => name === part.name)!.rows;
  const asColumn = part.order !== undefined && part.rows === 1 && tensorRows === 1;
  try {
    const packed = await builder.pack({
      bytes: part.transposed === true ? transpose(bytes, part.columns, part.rows) : bytes,
      from: part.from,
      to: tensor.type,
      numRows: asColumn ? part.columns : part.rows,
      numColumns: asColumn ? 1 : part.columns,
      ...(part.order === undefined ? {} : { rowOrder: part.order }),
      ...(tensor.codebook === undefined ? {} : { codebook: Int8Array.from(tensor.codebook) }),
    });
    return part.plus === undefined ? packed : addTo(packed, part.plus);
  } catch (error) {
    if (error instanceof Error) error.message = `${part.name}: ${error.message}`;
    throw error;
  }
}

/** Rows × columns of equal numbers of bytes → columns × rows. */
function transpose(bytes: Uint8Array, rows: number, columns: number): Uint8Array {
  const size = bytes.length / (rows * columns);
  const turned = new Uint8Array(bytes.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * size;
      turned.set(bytes.subarray(from, from + size), (column * rows + row) * size);
    }
  }
  return turned;
}

function addTo(packed: Uint8Array, plus: number): Uint8Array {
  const numbers = new Float32Array(packed.slice().buffer).map((number) => number + plus);
  return new Uint8Array(numbers.buffer);
}

/** Tells the kinds of checkpoints apart and opens one. */
export async function openCheckpoint(path: string, tokenizerFile?: string): Promise<Checkpoint> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ModelError('invalid-input', `${basename(path)} cannot be opened.`, { cause });
  });
  if (found.isDirectory()) return openHuggingFaceCheckpoint(path);
  if (!found.isFile()) throw new ModelError('invalid-input', `${basename(path)} is neither a file nor a folder.`);
  if (path.toLowerCase().endsWith('.bin')) {
    return openLlama2cCheckpoint(path, tokenizerFile?.toLowerCase().endsWith('.bin') ? tokenizerFile : undefined);
  }
  return openGgufCheckpoint(path);
}

async function tokenizerOf(file: string | undefined): Promise<TokenizerJson | null> {
  if (file === undefined || !file.toLowerCase().endsWith('.json')) return null;
  if ((await stat(file)).size > 256 * 1024 * 1024)
    throw new ModelError('invalid-checkpoint', `${basename(file)} is too large.`);
  try {
    return tokenizerFromJson(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw new ModelError('invalid-checkpoint', `${basename(file)} is no JSON.`, { cause });
  }
}
