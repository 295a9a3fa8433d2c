/** From a published checkpoint to a plan: open, build the graph, compile, pack piece after piece, write. */
import { resolve } from 'node:path';
import type { Prompts } from '../architectures/architecture.ts';
import type { BoundTensor } from '../graph/passes/bind-weights.ts';
import { unreadTensors } from '../graph/passes/bind-weights.ts';
import type { PrecisionPolicy } from '../graph/passes/choose-precision.ts';
import { type Packing, type PackPiece, planPacking } from '../graph/passes/pack.ts';
import { type Compiled, type CompileOptions, compile } from '../graph/passes/passes.ts';
import { compileWithReport, type Report } from '../graph/report.ts';
import type { Graph, TensorShapes } from '../graph/types.ts';
import { ModelError } from '../model-error.ts';
import type { PlanHeader } from '../plan/format.ts';
import { type PlanWithoutSections, planFileBytes, writePlan } from '../plan/write-plan.ts';
import type { PairIds } from '../tokenizer/pair.ts';
import { readableTypes } from './block-types.ts';
import type { Checkpoint } from './checkpoint.ts';
import { parseGroupedType } from './grouped-types.ts';
import { openCheckpoint, stateOfCheckpoint, tokenizerFor } from './open-checkpoint.ts';
import { type Packer, packPiece } from './pack-piece.ts';
import { memoryNeeded, type Room, refuseWithoutRoom, thisMachine } from './room.ts';
import { createSections, inFlightBytes } from './sections.ts';

export { openCheckpoint, tokenizerFor } from './open-checkpoint.ts';
export { type Packer, packPart, readPart } from './pack-piece.ts';

export type BuildProgress = {
  /** Bytes of the plan's tensors that are written, of all of them. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Of `doneBytes` those that an earlier build had written: no measure of speed. */
  readonly keptBytes: number;
  /** Of `doneBytes` those that would not be lost if the build ended now. */
  readonly safeBytes: number;
  readonly tensor: string;
};

/** How a plan is written, whatever it is made of. */
export type WriteOptions = {
  /** Path of the plan; it appears there when it is whole. */
  out: string;
  /** What people call the model; absent = what the checkpoint says. */
  name?: string;
  precision?: PrecisionPolicy;
  /** Embedders: what goes before a question and a passage, where the checkpoint does not say it or says it wrong. */
  prompts?: Prompts;
  /** False leaves the program as the architecture wrote it: slower, the same numbers. */
  fuse?: boolean;
  without?: CompileOptions['without'];
  /** A build that is stopped leaves what is finished beside its place; the same build goes on there. Default: removed. */
  keepUnfinished?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: BuildProgress) => void;
  /** What the machine has; absent = it is asked. */
  room?: Room;
};

export type BuildOptions = WriteOptions & {
  /** A GGUF file, a folder with config.json and safetensors, or a .bin of llama2.c. */
  checkpoint: string;
  builder: Packer;
  /** The longest sequence that the plan is wanted for; absent, or more than the model's own = that. */
  contextTokens?: number;
  /** A tokenizer.json, or a tokenizer of llama2.c, where the checkpoint has none or another is wanted. */
  tokenizerFile?: string;
};

/**
 * Builds a plan and returns its header. What an interrupted build of the same checkpoint finished is taken over, each
 * tensor checked against its hash. Fails with a `ModelError`, or with the builder's own error.
 */
export async function buildPlan(options: BuildOptions): Promise<PlanHeader> {
  refuseSamePlace(options);
  const checkpoint = await openCheckpoint(options.checkpoint, options.tokenizerFile, options.contextTokens);
  try {
    return await writeModel(options, {
      checkpoint,
      tokenizer: await tokenizerFor(checkpoint, options),
      madeFrom: await stateOfCheckpoint(options.checkpoint),
      pack: (tensor, piece) => packPiece(checkpoint, options.builder, tensor, piece),
    });
  } finally {
    await checkpoint.close();
  }
}

/** A plan takes its place by a rename, which would take a file of the checkpoint away. */
function refuseSamePlace({ checkpoint, tokenizerFile, out }: BuildOptions): void {
  for (const file of [checkpoint, tokenizerFile]) {
    if (file === undefined || resolve(file) !== resolve(out)) continue;
    throw new ModelError('invalid-input', `The plan cannot be written over ${file}, which it is made from.`);
  }
}

/** What every pass would do to the model, and what its plan would hold; nothing is packed or written. */
export async function explainBuild(
  options: Pick<BuildOptions, 'checkpoint' | 'tokenizerFile' | 'contextTokens' | 'precision' | 'fuse' | 'without'>,
): Promise<Report> {
  const checkpoint = await openCheckpoint(options.checkpoint, options.tokenizerFile, options.contextTokens);
  try {
    return explainModel(checkpoint, options);
  } finally {
    await checkpoint.close();
  }
}

/** The same of a checkpoint that is open. */
export function explainModel(checkpoint: Checkpoint, options: CompileOptions): Report {
  const graph = graphOf(checkpoint);
  const { compiled, reportWith } = compileWithReport(graph, options);
  const names = checkpoint.tensors.map(({ name }) => name);
  return reportWith(packingOf(checkpoint, compiled.tensors), unreadTensors(graph, names));
}

/** What a model is made of: a checkpoint, or random numbers in its shape. */
export type Source = {
  readonly checkpoint: Checkpoint;
  readonly tokenizer: object;
  /** Tells this source from every other: only with the same an interrupted build goes on. */
  readonly madeFrom: string;
  pack(tensor: BoundTensor, piece: PackPiece): Promise<Uint8Array>;
};

/** Compiles, packs and writes. */
export async function writeModel(options: WriteOptions, source: Source): Promise<PlanHeader> {
  const { checkpoint, tokenizer, madeFrom } = source;
  const { out, signal, onProgress, room = thisMachine } = options;
  const compiled = compile(graphOf(checkpoint), options);
  const packing = packingOf(checkpoint, compiled.tensors);
  const plan = {
    ...planOf(checkpoint, compiled, options.name),
    ...(options.prompts !== undefined && checkpoint.model.role === 'embedder' ? { prompts: options.prompts } : {}),
  };
  const totalBytes = packing.packedBytes;
  let [doneBytes, keptBytes, safeBytes] = [0, 0, 0];
  let sections: ReturnType<typeof createSections> | undefined;
  try {
    return await writePlan({
      out,
      plan,
      tokenizer,
      madeFrom,
      keepUnfinished: options.keepUnfinished,
      signal,
      async begin({ finished, fileBytes }) {
        const memoryBytes = memoryNeeded(Math.min(inFlightBytes, packing.peakBytes), packing.peakPieceBytes);
        await refuseWithoutRoom(room, { out, diskBytes: planFileBytes(plan, tokenizer) - fileBytes, memoryBytes });
        for (const index of finished) keptBytes += bytesOf(packing.tensors[index]!);
        doneBytes = safeBytes = keptBytes;
        sections = createSections(compiled.tensors, packing, finished, source.pack, ({ name }, piece) => {
          doneBytes += piece.packedBytes;
          onProgress?.({ doneBytes, totalBytes, keptBytes, safeBytes, tensor: name });
        });
      },
      partsOf: (index) => sections!.partsOf(index),
      onFinished(index) {
        safeBytes += bytesOf(packing.tensors[index]!);
      },
    });
  } finally {
    await sections?.close();
  }
}

function bytesOf(pieces: readonly PackPiece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.packedBytes, 0);
}

/** Rows of a linear kept in groups do not stand one after the other; those of all other types do. */
export function packingOf(checkpoint: Checkpoint, tensors: readonly BoundTensor[], mayCut = true): Packing {
  const found = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
  return planPacking(tensors, (name) => found.get(name), {
    canCut: (part) => mayCut && checkpoint.readRange !== undefined && parseGroupedType(part.from) === null,
  });
}

/** The model's program over the checkpoint's tensors, all of them of types that are read here. */
export function graphOf(checkpoint: Checkpoint): Graph {
  const shapes: TensorShapes =
    checkpoint.shapes ?? new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor] as const));
  const graph = checkpoint.model.build(shapes);
  const weights = graph.nodes.flatMap((node) => node.weights.filter((weight) => weight !== null));
  for (const { name, from, values } of weights.flatMap(({ parts }) => parts)) {
    if (values !== undefined || readableTypes.has(from) || parseGroupedType(from) !== null) continue;
    throw new ModelError('unsupported-model', `The tensor ${name} has the type ${from}, which is not read here.`);
  }
  return graph;
}

/** The plan of a compiled model, but for where its sections lie. */
export function planOf(checkpoint: Checkpoint, compiled: Compiled, name?: string): PlanWithoutSections {
  const { model } = checkpoint;
  return {
    architecture: model.architecture,
    name: name ?? checkpoint.name,
    role: model.role,
    vocabularySize: model.vocabularySize,
    contextTokens: model.contextTokens,
    embeddingSize: model.embeddingSize,
    startIds: checkpoint.startIds,
    stopIds: checkpoint.stopIds,
    // A model kept in float32 keeps its history so too.
    kv: model.kv && { type: compiled.tensors.every((tensor) => tensor.type === 'f32') ? 'f32' : 'f16', ...model.kv },
    template: checkpoint.template,
    ...(model.role === 'embedder' ? { prompts: checkpoint.prompts ?? null } : {}),
    ...(model.role === 'reranker' ? { pair: pairOf(checkpoint) } : {}),
    program: compiled.program,
    tensors: compiled.tensors.map(({ name: tensor, type, rows, columns, codebook }) => {
      return { name: tensor, type, rows, columns, ...(codebook === undefined ? {} : { codebook }) };
    }),
  };
}

function pairOf(checkpoint: Checkpoint): PairIds {
  if (checkpoint.pair) return checkpoint.pair;
  throw new ModelError(
    'invalid-checkpoint',
    `The tokenizer of ${checkpoint.name} does not say how two texts are put together.`,
  );
}
