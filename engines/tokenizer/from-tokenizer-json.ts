/**
 * A tokenizer from a published `tokenizer.json`. The kinds that are ours are translated, so that they run fast and
 * exactly; others go through the library. Truncation and padding are dropped: how long a text may be is the caller's.
 */
import { ModelError } from '../model-error.ts';
import { type ByteBpeJson, pieceKinds, type TokenizerJson } from './types.ts';

type Json = Record<string, unknown>;
type AddedToken = { id: number; content: string; special: boolean };

/** Marks of the published regular expressions of the families, which are else told apart by nothing. */
const splitMarks: readonly [string, ByteBpeJson['split']][] = [
  ['\\p{N}{1,3}', 'llama-3'],
  ["(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|", 'qwen-2'],
];

export function tokenizerFromJson(tokenizer: unknown, config: unknown = {}): TokenizerJson {
  const json = asObject(tokenizer);
  const model = asObject(json?.model);
  if (json === null || model === null) throw new ModelError('invalid-checkpoint', 'The tokenizer.json holds no model.');
  const configJson = asObject(config) ?? {};
  return (
    wordPieceOf(json, model) ??
    sentencePieceOf(json, model) ??
    byteBpeOf(json, model) ?? {
      type: 'huggingface',
      tokenizer: { ...json, truncation: null, padding: null },
      config: configJson,
      vocabularySize: piecesOf(json, model)?.pieces.length ?? 0,
    }
  );
}

function wordPieceOf(json: Json, model: Json): TokenizerJson | null {
  const normalizer = asObject(json.normalizer);
  if (model.type !== 'WordPiece' || normalizer?.type !== 'BertNormalizer') return null;
  if (asObject(json.pre_tokenizer)?.type !== 'BertPreTokenizer' || normalizer.handle_chinese_chars === false)
    return null;
  if ((model.continuing_subword_prefix ?? '##') !== '##' || normalizer.clean_text === false) return null;
  // Accents go with the case unless the file says otherwise; that other case is the library's.
  const lowerCase = normalizer.lowercase === true;
  if (
    normalizer.strip_accents !== null &&
    normalizer.strip_accents !== undefined &&
    normalizer.strip_accents !== lowerCase
  ) {
    return null;
  }
  const found = piecesOf(json, model);
  const unknownId = found?.pieces.indexOf(String(model.unk_token ?? '[UNK]')) ?? -1;
  if (found === null || unknownId < 0) return null;
  return {
    type: 'wordpiece',
    ...found,
    unknownId,
    lowerCase,
    maxWordCharacters: typeof model.max_input_chars_per_word === 'number' ? model.max_input_chars_per_word : 100,
    ...idsAround(json, found.pieces),
  };
}

/** Llama 2's and Mistral's: spaces become U+2581, unknown characters bytes, merges in their published order. */
function sentencePieceOf(json: Json, model: Json): TokenizerJson | null {
  if (model.type !== 'BPE' || model.byte_fallback !== true) return null;
  const normalizer = asObject(json.normalizer);
  const steps =
    normalizer?.type === 'Sequence' ? (normalizer.normalizers as Json[]) : normalizer === null ? [] : [normalizer];
  const replaces = steps.some((step) => step.type === 'Replace' && step.content === '\u2581');
  const prepends = steps.some((step) => step.type === 'Prepend' && step.prepend === '\u2581');
  const merges = mergesOf(model);
  const found = piecesOf(json, model);
  if (!replaces || merges === null || found === null || json.pre_tokenizer !== null) return null;
  const unknownId = Math.max(0, found.pieces.indexOf(String(model.unk_token ?? '<unk>')));
  const kinds = found.kinds.map((kind, id) =>
    kind === pieceKinds.normal && /^<0x[0-9A-F]{2}>$/.test(found.pieces[id]!) ? pieceKinds.byte : kind,
  );
  const scores = found.pieces.map(() => 0);
  const around = idsAround(json, found.pieces);
  return {
    type: 'sentencepiece',
    pieces: found.pieces,
    kinds,
    scores,
    merges,
    unknownId,
    addSpacePrefix: prepends,
    ...around,
  };
}

function byteBpeOf(json: Json, model: Json): TokenizerJson | null {
  if (model.type !== 'BPE' || model.byte_fallback === true) return null;
  const pre = asObject(json.pre_tokenizer);
  const steps = pre?.type === 'Sequence' ? (pre.pretokenizers as Json[]) : pre === null ? [] : [pre];
  const byteLevel = steps.find((step) => step.type === 'ByteLevel');
  if (byteLevel === undefined || byteLevel.add_prefix_space === true) return null;
  const pattern = asObject(steps.find((step) => step.type === 'Split')?.pattern)?.Regex;
  const split =
    pattern === undefined ? ('gpt-2' as const) : splitMarks.find(([mark]) => String(pattern).includes(mark))?.[1];
  const normalizer = asObject(json.normalizer);
  const merges = mergesOf(model);
  const found = piecesOf(json, model);
  if (split === undefined || merges === null || found === null) return null;
  if (normalizer !== null && normalizer.type !== 'NFC') return null;
  return {
    type: 'byte-bpe',
    ...found,
    merges,
    split,
    ignoreMerges: model.ignore_merges === true,
    ...(normalizer === null ? {} : { normalization: 'NFC' as const }),
    ...idsAround(json, found.pieces),
  };
}

/** The pieces by id, with the added ones; null where ids have holes past all reason. */
function piecesOf(json: Json, model: Json): { pieces: string[]; kinds: number[] } | null {
  const vocabulary = asObject(model.vocab);
  if (vocabulary === null) return null;
  const added = Array.isArray(json.added_tokens) ? (json.added_tokens as AddedToken[]) : [];
  const entries = [
    ...(Object.entries(vocabulary) as [string, number][]),
    ...added.map(({ content, id }) => [content, id] as const),
  ];
  const size = entries.reduce((most, [, id]) => Math.max(most, id + 1), 0);
  if (!Number.isSafeInteger(size) || size > 2 * entries.length + 1024) return null;
  const pieces = new Array<string>(size).fill('');
  const kinds = new Array<number>(size).fill(pieceKinds.normal);
  for (const [piece, id] of entries) pieces[id] = piece;
  for (const token of added) kinds[token.id] = token.special ? pieceKinds.control : pieceKinds.userDefined;
  return { pieces, kinds };
}

function mergesOf(model: Json): string[] | null {
  if (!Array.isArray(model.merges)) return null;
  return model.merges.map((merge: unknown) => (Array.isArray(merge) ? merge.join(' ') : String(merge)));
}

/** What the post-processor puts around one text. */
function idsAround(json: Json, pieces: readonly string[]): { startIds: number[]; endIds: number[] } {
  const around = { startIds: [] as number[], endIds: [] as number[] };
  const processor = asObject(json.post_processor);
  const processors = processor?.type === 'Sequence' ? (processor.processors as Json[]) : [processor];
  for (const step of processors) {
    if (step?.type === 'BertProcessing' || step?.type === 'RobertaProcessing') {
      around.startIds.push((step.cls as [string, number])[1]);
      around.endIds.push((step.sep as [string, number])[1]);
    }
    if (step?.type !== 'TemplateProcessing') continue;
    let before = true;
    for (const item of step.single as Json[]) {
      if ('Sequence' in item) before = false;
      const name = asObject(item.SpecialToken)?.id;
      const id = name === undefined ? -1 : pieces.indexOf(String(name));
      if (id >= 0) (before ? around.startIds : around.endIds).push(id);
    }
  }
  return around;
}

function asObject(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}
