/** Models of llama2.c (stories260K and its like): seven sizes, then every weight as float32 in a fixed order. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { noFacts } from '../architectures/architecture.ts';
import { readModel } from '../architectures/index.ts';
import { ModelError } from '../model-error.ts';
import { pieceKinds, type SentencePieceJson } from '../tokenizer/types.ts';
import {
  type Checkpoint,
  type CheckpointTensor,
  damaged,
  type FileBytes,
  openFileBytes,
  pickled,
} from './checkpoint.ts';

const headerBytes = 28;

/** Opens a .bin file; its tokenizer (`tok<V>.bin` or `tokenizer.bin`) is looked for beside it unless it is named. */
export async function openLlama2cCheckpoint(path: string, tokenizerFile?: string): Promise<Checkpoint> {
  const file = await openFileBytes(path);
  try {
    const sizes = await readSizes(file);
    const places = placeTensors(file, sizes);
    const placeOf = (name: string): Place => {
      const place = places.get(name);
      if (place === undefined) throw new ModelError('invalid-input', `There is no tensor ${name}.`);
      return place;
    };
    const tokenizerPath = tokenizerFile ?? (await findTokenizer(path, sizes.vocabularySize));
    const tokenizer = tokenizerPath === null ? null : await readLlama2cTokenizer(tokenizerPath, sizes.vocabularySize);
    return {
      name: basename(path, '.bin'),
      model: readModel(hubConfigOf(sizes), path, { ...noFacts, adjacentPairs: true }),
      tensors: [...places.values()].map(({ tensor }) => tensor),
      async read(name) {
        const { offset, tensor } = placeOf(name);
        return file.at(offset, tensor.sizeBytes);
      },
      readRange: async (name, offset, sizeBytes) => file.at(placeOf(name).offset + offset, sizeBytes),
      tokenizer,
      template: null,
      startIds: [1],
      // llama2.c ends a story at the next start as well as at an end.
      stopIds: [1, 2],
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

type Sizes = {
  readonly hiddenSize: number;
  readonly feedForwardSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headSize: number;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly sharesHead: boolean;
};

async function readSizes(file: FileBytes): Promise<Sizes> {
  // PyTorch's files end in .bin too: a zip archive, or a pickle of protocol 2 to 5.
  const start = await file.at(0, Math.min(4, file.sizeBytes));
  const isPickle = start.length === 4 && start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5 && start[2] !== 0;
  if (isPickle || start.toString('latin1') === 'PK\x03\x04') throw pickled(file.path);
  const header = await file.at(0, headerBytes);
  const at = (index: number): number => header.readInt32LE(4 * index);
  const [hiddenSize, feedForwardSize, numLayers, numHeads, numKvHeads] = [at(0), at(1), at(2), at(3), at(4)];
  const [signedVocabulary, contextTokens] = [at(5), at(6)];
  const vocabularySize = Math.abs(signedVocabulary);
  const headSize = hiddenSize / numHeads;
  const sizes = [hiddenSize, feedForwardSize, numLayers, numHeads, numKvHeads, vocabularySize, contextTokens];
  if (!sizes.every((size) => size >= 1 && size <= 2 ** 20) || numLayers > 1000)
    throw damaged(file.path, 'its sizes are impossible');
  if (!Number.isInteger(headSize) || headSize % 2 !== 0 || numHeads % numKvHeads !== 0) {
    throw damaged(file.path, 'its heads do not fit its width');
  }
  return {
    hiddenSize,
    feedForwardSize,
    numLayers,
    numHeads,
    numKvHeads,
    headSize,
    vocabularySize,
    contextTokens,
    sharesHead: signedVocabulary > 0,
  };
}

function hubConfigOf(sizes: Sizes): Record<string, unknown> {
  return {
    model_type: 'llama',
    hidden_size: sizes.hiddenSize,
    intermediate_size: sizes.feedForwardSize,
    num_hidden_layers: sizes.numLayers,
    num_attention_heads: sizes.numHeads,
    num_key_value_heads: sizes.numKvHeads,
    vocab_size: sizes.vocabularySize,
    max_position_embeddings: sizes.contextTokens,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
  };
}

type Place = { readonly tensor: CheckpointTensor; readonly offset: number };

/** Each kind of weight stands for all layers together, in this order. */
function placeTensors(file: FileBytes, sizes: Sizes): Map<string, Place> {
  const { hiddenSize, feedForwardSize, numLayers, vocabularySize, contextTokens, headSize } = sizes;
  const kvSize = sizes.numKvHeads * headSize;
  const places = new Map<string, Place>();
  let offset = headerBytes;
  const place = (name: string, rows: number, columns: number) => {
    const sizeBytes = rows * columns * 4;
    places.set(name, { tensor: { name, rows, columns, type: 'f32', sizeBytes }, offset });
    offset += sizeBytes;
  };
  const placeLayers = (name: string, rows: number, columns: number) => {
    for (let layer = 0; layer < numLayers; layer++) place(`model.layers.${layer}.${name}.weight`, rows, columns);
  };
  place('model.embed_tokens.weight', vocabularySize, hiddenSize);
  placeLayers('input_layernorm', 1, hiddenSize);
  placeLayers('self_attn.q_proj', hiddenSize, hiddenSize);
  placeLayers('self_attn.k_proj', kvSize, hiddenSize);
  placeLayers('self_attn.v_proj', kvSize, hiddenSize);
  placeLayers('self_attn.o_proj', hiddenSize, hiddenSize);
  placeLayers('post_attention_layernorm', 1, hiddenSize);
  placeLayers('mlp.gate_proj', feedForwardSize, hiddenSize);
  placeLayers('mlp.down_proj', hiddenSize, feedForwardSize);
  placeLayers('mlp.up_proj', feedForwardSize, hiddenSize);
  place('model.norm.weight', 1, hiddenSize);
  offset += contextTokens * headSize * 4; // cosines and sines, which are computed here
  if (!sizes.sharesHead) place('lm_head.weight', vocabularySize, hiddenSize);
  if (offset !== file.sizeBytes) throw damaged(file.path, 'its length does not fit its sizes');
  return places;
}

async function findTokenizer(path: string, vocabularySize: number): Promise<string | null> {
  for (const name of [`tok${vocabularySize}.bin`, 'tokenizer.bin']) {
    const candidate = join(dirname(path), name);
    const found = await stat(candidate).then(
      (entry) => entry.isFile(),
      () => false,
    );
    if (found) return candidate;
  }
  return null;
}

/** The longest text, then for each piece its score, its length and its bytes. */
export async function readLlama2cTokenizer(path: string, vocabularySize: number): Promise<SentencePieceJson> {
  const file = await openFileBytes(path);
  try {
    if (file.sizeBytes > 64 * 1024 * 1024) throw damaged(path, 'it is too large');
    const bytes = await file.at(0, file.sizeBytes);
    const pieces: string[] = [];
    const scores: number[] = [];
    let at = 4;
    for (let id = 0; id < vocabularySize; id++) {
      if (at + 8 > bytes.length) throw damaged(path, `it has ${id} pieces instead of ${vocabularySize}`);
      scores.push(bytes.readFloatLE(at));
      const length = bytes.readInt32LE(at + 4);
      if (length < 0 || at + 8 + length > bytes.length) throw damaged(path, `its piece ${id} is cut`);
      pieces.push(bytes.toString('utf8', at + 8, at + 8 + length).replaceAll(' ', '\u2581'));
      at += 8 + length;
    }
    if (at !== bytes.length) throw damaged(path, `it has more than ${vocabularySize} pieces`);
    // The file writes line breaks around the two control pieces, for printing.
    pieces[1] = '<s>';
    pieces[2] = '</s>';
    const kinds = pieces.map((piece, id) => {
      if (id === 0) return pieceKinds.unknown;
      if (id <= 2) return pieceKinds.control;
      return /^<0x[0-9A-F]{2}>$/.test(piece) ? pieceKinds.byte : pieceKinds.normal;
    });
    return {
      type: 'sentencepiece',
      pieces,
      kinds,
      scores,
      unknownId: 0,
      addSpacePrefix: true,
      startIds: [1],
      endIds: [],
    };
  } finally {
    await file.close();
  }
}
