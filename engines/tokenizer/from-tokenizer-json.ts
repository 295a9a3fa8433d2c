/**
 * A tokenizer from a published `tokenizer.json`. The kinds that are ours are translated, so that they run fast and
 * exactly; others go through the library. Truncation and padding are dropped: how long a text may be is the caller's.
 */
import { ModelError } from '../model-error.ts';
import {
  asObject,
  hasWholeWordTokens,
  idsAround,
  type Json,
  mergesOf,
  metaspaceOf,
  normalizerOf,
  piecesOf,
  stepsOf,
} from './json-parts.ts';
import { pieceKinds, type SpaceRule, type TokenizerJson, type WordRule } from './types.ts';
import { ruleOf } from './words.ts';

/** `config` is the tokenizer_config.json, for the library. Fails with `invalid-checkpoint` for a file without a model. */
export function tokenizerFromJson(tokenizer: unknown, config: unknown = {}): TokenizerJson {
  const json = asObject(tokenizer);
  const model = asObject(json?.model);
  if (json === null || model === null) throw new ModelError('invalid-checkpoint', 'The tokenizer.json holds no model.');
  return ownKindOf(json, model) ?? libraryOf(json, model, asObject(config) ?? {});
}

function ownKindOf(json: Json, model: Json): TokenizerJson | null {
  if (hasWholeWordTokens(json)) return null;
  // Older files do not name the kind.
  const type =
    model.type ?? (Array.isArray(model.merges) ? 'BPE' : Array.isArray(model.vocab) ? 'Unigram' : 'WordPiece');
  if (type === 'WordPiece') return wordPieceOf(json, model);
  if (type === 'Unigram') return unigramOf(json, model);
  if (type === 'BPE') return sentencePieceOf(json, model) ?? byteBpeOf(json, model);
  return null;
}

function libraryOf(json: Json, model: Json, config: Json): TokenizerJson {
  return {
    type: 'huggingface',
    tokenizer: { ...json, truncation: null, padding: null },
    config,
    vocabularySize: piecesOf(json, model)?.pieces.length ?? 0,
  };
}

function wordPieceOf(json: Json, model: Json): TokenizerJson | null {
  const normalizer = asObject(json.normalizer);
  if (normalizer?.type !== 'BertNormalizer' || asObject(json.pre_tokenizer)?.type !== 'BertPreTokenizer') return null;
  if (normalizer.handle_chinese_chars === false || normalizer.clean_text === false) return null;
  if ((model.continuing_subword_prefix ?? '##') !== '##') return null;
  const lowerCase = normalizer.lowercase === true;
  // Accents go with the case unless the file says otherwise.
  const stripAccents = typeof normalizer.strip_accents === 'boolean' ? normalizer.strip_accents : lowerCase;
  const found = piecesOf(json, model);
  const unknownId = found?.pieces.indexOf(String(model.unk_token ?? '[UNK]')) ?? -1;
  if (found === null || unknownId < 0) return null;
  const { scores: _, ...rest } = found;
  return {
    type: 'wordpiece',
    ...rest,
    unknownId,
    lowerCase,
    ...(stripAccents !== lowerCase && { stripAccents }),
    maxWordCharacters: typeof model.max_input_chars_per_word === 'number' ? model.max_input_chars_per_word : 100,
    ...idsAround(json, found.pieces),
  };
}

/** XLM-R's and multilingual E5's. */
function unigramOf(json: Json, model: Json): TokenizerJson | null {
  const normalizer = normalizerOf(json);
  const steps = stepsOf(json.pre_tokenizer, 'pretokenizers');
  const isSplit = steps[0]?.type === 'WhitespaceSplit';
  const rule = metaspaceOf(steps[isSplit ? 1 : 0]);
  const found = piecesOf(json, model);
  const unknownId = model.unk_id;
  if (normalizer === null || rule === null || found === null || steps.length !== (isSplit ? 2 : 1)) return null;
  if (!Number.isInteger(unknownId) || found.pieces[unknownId as number] === undefined) return null;
  const byteFallback = model.byte_fallback === true;
  return {
    type: 'unigram',
    ...found,
    kinds: byteFallback ? withBytes(found) : found.kinds,
    unknownId: unknownId as number,
    byteFallback,
    normalizer,
    spaces: isSplit ? { ...rule, words: 'white-space' } : rule,
    isModelFile: false,
    ...idsAround(json, found.pieces),
  };
}

/** Llama 2's, Mistral's, Gemma's, Phi-3's: spaces become U+2581, unknown characters bytes, merges in their published order. */
function sentencePieceOf(json: Json, model: Json): TokenizerJson | null {
  if (model.byte_fallback !== true || model.ignore_merges === true) return null;
  const spaces = spacesOf(json);
  const merges = mergesOf(model);
  const found = piecesOf(json, model);
  if (spaces === null || merges === null || found === null) return null;
  return {
    type: 'sentencepiece',
    ...found,
    kinds: withBytes(found),
    merges,
    unknownId: Math.max(0, found.pieces.indexOf(String(model.unk_token ?? '<unk>'))),
    addSpacePrefix: spaces.prefix !== 'never',
    // What the two words of `addSpacePrefix` say needs no rule.
    ...((spaces.unlessSpace || spaces.prefix === 'first') && { spaces }),
    ...idsAround(json, found.pieces),
  };
}

/** How spaces become U+2581: by the normalizer (older files) or by the pre-tokenizer. */
function spacesOf(json: Json): SpaceRule | null {
  const normalizers = stepsOf(json.normalizer, 'normalizers');
  const steps = stepsOf(json.pre_tokenizer, 'pretokenizers');
  const isReplace = (step: Json) =>
    step.type === 'Replace' && step.content === '\u2581' && asObject(step.pattern)?.String === ' ';
  const isPrepend = (step: Json) => step.type === 'Prepend' && step.prepend === '\u2581';
  if (!normalizers.every((step) => isReplace(step) || isPrepend(step))) return null;
  if (normalizers.some(isReplace)) {
    // Gemma's file cuts at spaces, of which there are none left by then.
    const isIdle = (step: Json) => step.type === 'Split' && asObject(step.pattern)?.String === ' ';
    if (!steps.every(isIdle)) return null;
    const prefix = normalizers.some(isPrepend) ? 'always' : 'never';
    return { prefix, unlessSpace: false, removeExtra: false };
  }
  const rule = steps.length === 1 && normalizers.length === 0 ? metaspaceOf(steps[0]) : null;
  // Spaces that split words keep a run of them from ever being one piece: that is the rule's `words`.
  return rule;
}

function byteBpeOf(json: Json, model: Json): TokenizerJson | null {
  if (model.byte_fallback === true || model.continuing_subword_prefix || model.end_of_word_suffix) return null;
  const cut = wordRuleOf(stepsOf(json.pre_tokenizer, 'pretokenizers'));
  const normalizers = stepsOf(json.normalizer, 'normalizers');
  const merges = mergesOf(model);
  const found = piecesOf(json, model);
  if (cut === null || merges === null || found === null) return null;
  if (normalizers.length > 1 || normalizers.some((step) => step.type !== 'NFC')) return null;
  const { scores: _, ...rest } = found;
  return {
    type: 'byte-bpe',
    ...rest,
    merges,
    ...cut,
    ignoreMerges: model.ignore_merges === true,
    ...(normalizers.length > 0 && { normalization: 'NFC' as const }),
    ...idsAround(json, found.pieces),
  };
}

/** Which published rule the pre-tokenizer's steps are, to the letter; null when they are none. */
function wordRuleOf(steps: Json[]): { split: WordRule; addSpacePrefix?: true } | null {
  const types = steps.map(({ type }) => type).join(' ');
  const byteLevel = steps.find(({ type }) => type === 'ByteLevel');
  if (byteLevel === undefined) return null;
  if (types === 'ByteLevel') {
    const split = byteLevel.use_regex === false ? 'whole' : 'gpt-2';
    return byteLevel.add_prefix_space === true ? { split, addSpacePrefix: true } : { split };
  }
  if (byteLevel.add_prefix_space === true) return null;
  const split = steps.find(({ type }) => type === 'Split');
  const pattern = asObject(split?.pattern)?.Regex;
  if (types === 'Split ByteLevel' && byteLevel.use_regex === false) {
    const rule = ruleOf(String(pattern));
    const isIsolated = split?.behavior === 'Isolated' && split.invert !== true;
    // A rule that covers all text may as well be told to throw away what it does not cover.
    const isInverse = split?.behavior === 'Removed' && split.invert === true && rule !== 'bloom';
    return rule !== null && (isIsolated || isInverse) ? { split: rule } : null;
  }
  if (types === 'Punctuation ByteLevel Digits Split' && byteLevel.use_regex !== false) {
    const [punctuation, , digits] = steps;
    const isFalcon =
      punctuation!.behavior === 'Contiguous' &&
      digits!.individual_digits === false &&
      pattern === '[0-9][0-9][0-9]' &&
      split?.behavior === 'Isolated' &&
      split.invert !== true;
    return isFalcon ? { split: 'falcon' } : null;
  }
  return null;
}

function withBytes({ pieces, kinds }: { pieces: string[]; kinds: number[] }): number[] {
  return kinds.map((kind, id) =>
    kind === pieceKinds.normal && /^<0x[0-9A-F]{2}>$/.test(pieces[id]!) ? pieceKinds.byte : kind,
  );
}
