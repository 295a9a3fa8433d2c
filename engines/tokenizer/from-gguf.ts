/** A tokenizer from GGUF's metadata. */
import { ModelError } from '../model-error.ts';
import { readCharsmap } from './charsmap.ts';
import { type ByteBpeJson, pieceKinds, type TokenizerJson } from './types.ts';

type Metadata = ReadonlyMap<string, unknown>;

/** GGUF's names of the regular expressions that cut text into words, as far as they are ours. */
const splitOfPre: Readonly<Record<string, ByteBpeJson['split']>> = {
  default: 'gpt-2',
  'gpt-2': 'gpt-2',
  'gpt-neox': 'gpt-2',
  mpt: 'gpt-2',
  olmo: 'gpt-2',
  'phi-2': 'gpt-2',
  'roberta-bpe': 'gpt-2',
  'llama-bpe': 'llama-3',
  'llama-v3': 'llama-3',
  llama3: 'llama-3',
  qwen2: 'qwen-2',
  falcon: 'falcon',
  bloom: 'bloom',
  tekken: 'tekken',
  'gpt-4o': 'gpt-4o',
};

/** The tokenizer, or null when the file has none. Fails with `unsupported-model` for a kind that is not ours. */
export function tokenizerFromGguf(metadata: Metadata): TokenizerJson | null {
  const model = metadata.get('tokenizer.ggml.model');
  const pieces = textsOf(metadata, 'tokenizer.ggml.tokens');
  if (typeof model !== 'string' || pieces === null) return null;
  const types = numbersOf(metadata, 'tokenizer.ggml.token_type');
  const kinds = types?.length === pieces.length ? types : pieces.map(() => pieceKinds.normal);
  const id = (name: string): number | null => {
    const value = metadata.get(`tokenizer.ggml.${name}_token_id`);
    return typeof value === 'number' && value >= 0 && value < pieces.length ? value : null;
  };
  const flag = (name: string, otherwise: boolean): boolean => {
    const value = metadata.get(`tokenizer.ggml.${name}`);
    return typeof value === 'boolean' ? value : otherwise;
  };
  const ids = (addStart: boolean, addEnd: boolean) => ({
    startIds: flag('add_bos_token', addStart) && id('bos') !== null ? [id('bos')!] : [],
    endIds: flag('add_eos_token', addEnd) && id('eos') !== null ? [id('eos')!] : [],
  });

  if (model === 'llama') {
    const scores = numbersOf(metadata, 'tokenizer.ggml.scores');
    if (scores?.length !== pieces.length) throw new ModelError('invalid-checkpoint', 'The tokenizer has no scores.');
    const addSpacePrefix = flag('add_space_prefix', true);
    const unknownId = id('unknown') ?? 0;
    return { type: 'sentencepiece', pieces, kinds, scores, unknownId, addSpacePrefix, ...ids(true, false) };
  }
  if (model === 'gpt2') {
    const merges = textsOf(metadata, 'tokenizer.ggml.merges');
    if (merges === null) throw new ModelError('invalid-checkpoint', 'The tokenizer has no merges.');
    const pre = metadata.get('tokenizer.ggml.pre') ?? 'gpt-2';
    const split = splitOfPre[String(pre)];
    if (split === undefined) {
      throw new ModelError('unsupported-model', `Tokenizers that cut text as ${pre} does are not read here.`);
    }
    const isLlama3 = split === 'llama-3';
    return { type: 'byte-bpe', pieces, kinds, merges, split, ignoreMerges: isLlama3, ...ids(isLlama3, false) };
  }
  if (model === 't5') return unigramOf(metadata, pieces, kinds, id('unknown'), flag, ids(false, true));
  if (model === 'bert') return wordPieceOf(pieces, kinds, id, flag);
  throw new ModelError('unsupported-model', `Tokenizers of the kind ${model} are not read here.`);
}

/** XLM-R's and others' Unigram, which GGUF calls by the first model that it read them for. */
function unigramOf(
  metadata: Metadata,
  pieces: readonly string[],
  kinds: readonly number[],
  unknownId: number | null,
  flag: (name: string, otherwise: boolean) => boolean,
  around: { startIds: number[]; endIds: number[] },
): TokenizerJson {
  const scores = numbersOf(metadata, 'tokenizer.ggml.scores');
  if (scores?.length !== pieces.length) throw new ModelError('invalid-checkpoint', 'The tokenizer has no scores.');
  if (unknownId === null) throw new ModelError('invalid-checkpoint', 'The tokenizer has no unknown piece.');
  const bytes = numbersOf(metadata, 'tokenizer.ggml.precompiled_charsmap') ?? [];
  const charsmap = Buffer.from(bytes.map((byte) => byte & 0xff));
  if (charsmap.length > 0) readCharsmap(charsmap, 'the tokenizer');
  return {
    type: 'unigram',
    pieces,
    kinds,
    scores,
    unknownId,
    byteFallback: kinds.includes(pieceKinds.byte),
    normalizer:
      charsmap.length === 0 ? [] : [{ type: 'charsmap', charsmap: charsmap.toString('base64'), by: 'longest' }],
    spaces: {
      prefix: flag('add_space_prefix', true) ? 'always' : 'never',
      unlessSpace: false,
      removeExtra: flag('remove_extra_whitespaces', true),
    },
    isModelFile: true,
    ...around,
  };
}

/** GGUF marks where words begin (U+2581) where the published vocabulary marks where they go on (`##`). */
function wordPieceOf(
  marked: readonly string[],
  kinds: readonly number[],
  id: (name: string) => number | null,
  flag: (name: string, otherwise: boolean) => boolean,
): TokenizerJson {
  const named = (name: string, piece: string): number => id(name) ?? marked.indexOf(piece);
  const startId = named('cls', '[CLS]') >= 0 ? named('cls', '[CLS]') : named('bos', '[CLS]');
  const endId = named('seperator', '[SEP]');
  const unknownId = named('unknown', '[UNK]');
  const pieces = marked.map((piece) => {
    if (piece.startsWith('\u2581')) return piece.slice(1);
    return /^\[.+\]$/.test(piece) ? piece : `##${piece}`;
  });
  return {
    type: 'wordpiece',
    pieces,
    kinds: kinds.map((kind, at) => (/^\[(PAD|UNK|CLS|SEP|MASK)\]$/.test(pieces[at]!) ? pieceKinds.control : kind)),
    unknownId: Math.max(0, unknownId),
    lowerCase: true,
    maxWordCharacters: 100,
    startIds: flag('add_bos_token', true) && startId >= 0 ? [startId] : [],
    endIds: flag('add_eos_token', true) && endId >= 0 ? [endId] : [],
  };
}

function textsOf(metadata: Metadata, key: string): readonly string[] | null {
  const value = metadata.get(key);
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;
}

function numbersOf(metadata: Metadata, key: string): readonly number[] | null {
  const value = metadata.get(key);
  return Array.isArray(value) && value.every((item) => typeof item === 'number') ? value : null;
}
