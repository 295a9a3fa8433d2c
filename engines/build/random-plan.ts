/** A plan of a model's true shape with random weights: for benchmarks, where nobody has the model at hand. */
import { setImmediate } from 'node:timers/promises';
import type { CheckpointFacts } from '../architectures/architecture.ts';
import { noFacts } from '../architectures/architecture.ts';
import { readModel } from '../architectures/index.ts';
import type { BoundTensor } from '../graph/passes/bind-weights.ts';
import type { PackPiece } from '../graph/passes/pack.ts';
import type { Report } from '../graph/report.ts';
import type { TensorShape } from '../graph/types.ts';
import { ModelError } from '../model-error.ts';
import type { PlanHeader } from '../plan/format.ts';
import { pieceKinds, type SentencePieceJson } from '../tokenizer/types.ts';
import { explainModel, type WriteOptions, writeModel } from './build.ts';
import type { Checkpoint, CheckpointTensor } from './checkpoint.ts';
import { randomMatrix, randomVector } from './random-weights.ts';

export type RandomOptions = {
  /** The hub's config.json. */
  config: Readonly<Record<string, unknown>>;
  name: string;
  /** Only so many layers; absent = all. */
  layers?: number;
  /** Another seed, other weights. Default 1. */
  seed?: number;
  /**
   * A model of the Llama family whose greedy output is known: after an id comes the next one (in circles of some hundreds of
   * ids), whatever stood before. All of its arithmetic is done as ever, but what the layers add is small, and the head is the
   * table of the ids, each row a place further: both in one type. With it an answer can be made to quote its prompt.
   */
  counts?: boolean;
};

/**
 * Writes a plan whose activations neither vanish nor explode: matrices of spread 1 / √columns, norms around 1, small
 * biases. Its tokenizer has as many pieces as the model, most of them made up. Fails as `buildPlan` does.
 */
export async function buildRandomPlan(options: WriteOptions & RandomOptions): Promise<PlanHeader> {
  const checkpoint = randomCheckpoint(options);
  const { seed = 1, counts = false } = options;
  return writeModel(options, {
    checkpoint,
    tokenizer: randomTokenizer(checkpoint.model.vocabularySize),
    madeFrom: `random ${seed} ${counts} ${JSON.stringify(options.config)}`,
    async pack(tensor, piece) {
      await setImmediate(); // made on this thread: whoever wants to stop it is heard between two pieces
      return counts ? countingPiece(tensor, piece, seed) : randomPiece(tensor, piece, seed);
    },
  });
}

const [tableName, headName] = ['model.embed_tokens.weight', 'lm_head.weight'];

/** Row v of the head is the table's row of the id before v, in a circle within a piece. Types of whole rows only. */
function countingPiece(tensor: BoundTensor, piece: PackPiece, seed: number): Uint8Array {
  const { part, numRows } = piece;
  if (part.name === headName) {
    if (tensor.type !== 'f16' && tensor.type !== 'f32')
      throw new ModelError('invalid-input', 'A model that counts has its tables in f16 or f32.');
    const rows = randomPiece(tensor, { ...piece, part: { ...part, name: tableName } }, seed);
    const rowBytes = rows.length / numRows;
    const turned = new Uint8Array(rows.length);
    turned.set(rows.subarray(0, -rowBytes), rowBytes);
    turned.set(rows.subarray(-rowBytes));
    return turned;
  }
  const isAdded = /\.(o_proj|down_proj)\.weight$/.test(part.name);
  return randomPiece(tensor, piece, seed, isAdded ? 1e-3 : 1);
}

/** What `explainBuild` says of a checkpoint, of a model that is made up. */
export function explainRandom(options: RandomOptions & Pick<WriteOptions, 'precision' | 'fuse' | 'without'>): Report {
  return explainModel(randomCheckpoint(options), options);
}

function randomPiece(tensor: BoundTensor, piece: PackPiece, seed: number, factor = 1): Uint8Array {
  const { part, firstRow, numRows } = piece;
  if (part.values !== undefined) return new Uint8Array(part.values.slice().buffer);
  const key = `${seed} ${part.name} ${firstRow}`;
  const { columns } = part;
  if (part.rows === 1 && tensor.type === 'f32') {
    const isBias = part.name.endsWith('bias');
    return randomVector(columns, isBias ? 0 : 1, isBias ? 0.02 : 0.1, key);
  }
  return randomMatrix({ type: tensor.type, rows: numRows, columns, spread: factor / Math.sqrt(columns), key });
}

const layerKeys = ['num_hidden_layers', 'n_layer', 'n_layers', 'num_layers'];

/** A checkpoint that has whatever the architecture asks for, and nothing to read. */
export function randomCheckpoint({ config: whole, name, layers }: RandomOptions): Checkpoint {
  const layerKey = layerKeys.find((key) => key in whole);
  const config = layers === undefined || layerKey === undefined ? whole : { ...whole, [layerKey]: layers };
  const facts: CheckpointFacts = noFacts;
  const tensors = new Map<string, CheckpointTensor>();
  const nothing = async (tensor: string): Promise<never> => {
    throw new ModelError('invalid-input', `The tensor ${tensor} is made up: there is nothing to read.`);
  };
  return {
    name,
    model: readModel(config, `the shape of ${name}`, facts),
    get tensors() {
      return [...tensors.values()];
    },
    shapes: {
      get: (tensor) => tensors.get(tensor),
      has: () => false,
      keys: () => tensors.keys(),
      imagine(tensor, rows, columns, optional): TensorShape | null {
        if (optional && !hasOptional(config, tensor)) return null;
        const made = { name: tensor, rows, columns, type: 'f16', sizeBytes: 2 * rows * columns };
        tensors.set(tensor, made);
        return made;
      },
    },
    read: nothing,
    readRange: nothing,
    tokenizer: null,
    template: null,
    startIds: [1],
    stopIds: [2],
    // Rerankers alone need it.
    pair: { start: [1], between: [2], end: [2] },
    close: async () => {},
  };
}

/** Whether a checkpoint of this config has a tensor that others of its family leave out. */
function hasOptional(config: Readonly<Record<string, unknown>>, tensor: string): boolean {
  if (!tensor.endsWith('.bias')) return config.tie_word_embeddings !== true;
  if (config.attention_bias === true || config.model_type === 'qwen2') return /\.[qkv]_proj\.bias$/.test(tensor);
  return false;
}

/** Controls, bytes, and made-up words: every text can be written with it, every id said. */
function randomTokenizer(vocabularySize: number): SentencePieceJson {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const first = ['<unk>', '<s>', '</s>', ...bytes];
  const pieces = Array.from({ length: vocabularySize }, (_, id) => first[id] ?? `\u2581${wordOf(id - first.length)}`);
  return {
    type: 'sentencepiece',
    pieces,
    kinds: pieces.map((_, id) => {
      if (id === 0) return pieceKinds.unknown;
      if (id <= 2) return pieceKinds.control;
      return id < first.length ? pieceKinds.byte : pieceKinds.normal;
    }),
    scores: pieces.map((_, id) => -id),
    unknownId: 0,
    addSpacePrefix: true,
    startIds: [1],
    endIds: [],
  };
}

/** 0 → "ba", 1 → "be", … syllable after syllable. */
function wordOf(number: number): string {
  const syllable = `${'bdfgklmnprst'[Math.floor(number / 5) % 12]}${'aeiou'[number % 5]}`;
  return number < 60 ? syllable : wordOf(Math.floor(number / 60) - 1) + syllable;
}
