/**
 * Text to ids and back. A plan carries its tokenizer as one JSON object, `TokenizerJson`; `loadTokenizer` makes it work.
 *
 * Text never becomes a control token unless its caller says that it may (`parseSpecial`): a document that holds
 * `</s>` or `<|im_end|>` is just text.
 */
import { ModelError } from '../model-error.ts';
import { createByteBpe } from './byte-bpe.ts';
import { createLibraryTokenizer } from './library.ts';
import { createSentencePiece } from './sentencepiece.ts';
import { splitSpecial } from './special.ts';
import {
  type LibraryJson,
  type OwnTokenizerJson,
  pieceKinds,
  type StreamDecoder,
  type Tokenizer,
  type TokenizerJson,
  type TokenizerModel,
  type WordRule,
} from './types.ts';
import { createUnigram } from './unigram.ts';
import { createWordPiece } from './wordpiece.ts';

export type * from './types.ts';

/** Limits of what is believed of a plan's tokenizer. */
const maxPieces = 2_000_000;

/** Makes a tokenizer of a plan's JSON. Fails with `invalid-plan`. */
export function loadTokenizer(json: unknown): Tokenizer {
  const checked = checkTokenizer(json);
  if (checked.type === 'huggingface') return createLibraryTokenizer(checked);
  return createTokenizer(checked, modelOf(checked));
}

function modelOf(json: OwnTokenizerJson): TokenizerModel {
  if (json.type === 'sentencepiece') return createSentencePiece(json);
  if (json.type === 'unigram') return createUnigram(json);
  if (json.type === 'byte-bpe') return createByteBpe(json);
  return createWordPiece(json);
}

function createTokenizer(json: OwnTokenizerJson, model: TokenizerModel): Tokenizer {
  const kindOf = (id: number): number => json.kinds?.[id] ?? pieceKinds.normal;
  const isControl = (id: number): boolean => kindOf(id) === pieceKinds.control || kindOf(id) === pieceKinds.unknown;
  const idOfPiece = new Map(json.pieces.map((piece, id) => [piece, id]));
  const special = splitSpecial(json.pieces, kindOf);

  const stripsLeft = new Set(json.stripLeftIds);
  const stripsRight = new Set(json.stripRightIds);
  // What the person's pieces are is the model's own matter where they stand fast inside a text.
  const cutsText = json.type !== 'unigram' && !(json.type === 'sentencepiece' && json.userDefinedInside === true);

  const encodePieces: Tokenizer['encodePieces'] = (pieces, options) => {
    const addSpecial = options?.addSpecial ?? true;
    const ids: number[] = [];
    // Texts that meet are encoded as one; only a control token parts them.
    let pending = '';
    let isStripping = false;
    const flush = () => {
      if (pending !== '') for (const id of model.encodeText(pending, ids.length === 0)) ids.push(id);
      pending = '';
    };
    for (const piece of pieces) {
      const isSpecial = piece.type === 'special';
      for (const part of isSpecial || cutsText ? special(piece.text, isSpecial) : [piece.text]) {
        if (typeof part === 'string') {
          const text = isStripping ? part.replace(/^\p{White_Space}+/u, '') : part;
          if (text !== '') isStripping = false;
          pending += text;
        } else {
          if (stripsLeft.has(part.id)) pending = withoutLastSpaces(pending);
          flush();
          ids.push(part.id);
          isStripping = stripsRight.has(part.id);
        }
      }
    }
    flush();
    if (addSpecial && !json.startIds.every((id, at) => ids[at] === id)) ids.unshift(...json.startIds);
    if (addSpecial) ids.push(...json.endIds);
    return Int32Array.from(ids);
  };

  const streamDecoder = (): StreamDecoder => {
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    let atStart = model.dropsFirstSpace;
    const trim = (text: string): string => {
      if (!atStart || text === '') return text;
      atStart = false;
      return text.startsWith(' ') ? text.slice(1) : text;
    };
    return {
      push(ids) {
        let text = '';
        for (let i = 0; i < ids.length; i++) {
          const id = ids[i]!;
          if (id < 0 || id >= json.pieces.length || isControl(id)) continue;
          text += utf8.decode(model.bytesOf(id), { stream: true });
        }
        return trim(text);
      },
      end: () => trim(utf8.decode()),
    };
  };

  return {
    vocabularySize: json.pieces.length,
    encodePieces,
    encode: (text, options) =>
      encodePieces([{ type: options?.parseSpecial === true ? 'special' : 'text', text }], options),
    decode(ids) {
      const decoder = streamDecoder();
      return decoder.push(ids) + decoder.end();
    },
    streamDecoder,
    idOf: (piece) => idOfPiece.get(piece) ?? null,
    pieceOf: (id) => json.pieces[id] ?? '',
    isControl,
  };
}

function withoutLastSpaces(text: string): string {
  let end = text.length;
  while (end > 0 && /^\p{White_Space}$/u.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

function checkTokenizer(json: unknown): TokenizerJson {
  const refuse = (why: string): never => {
    throw new ModelError('invalid-plan', `The plan's tokenizer is damaged: ${why}.`);
  };
  if (typeof json !== 'object' || json === null) return refuse('it is no object');
  const value = json as Record<string, unknown>;
  if (value.type === 'huggingface') {
    if (typeof value.tokenizer !== 'object' || value.tokenizer === null) return refuse('it has no definition');
    return json as LibraryJson;
  }
  if (!ownTypes.has(value.type)) return refuse('its type is unknown');
  const { pieces } = value;
  if (!isTexts(pieces) || pieces.length === 0 || pieces.length > maxPieces) return refuse('it has no pieces');
  const isId = (id: unknown): boolean => Number.isInteger(id) && (id as number) >= 0 && (id as number) < pieces.length;
  for (const name of ['startIds', 'endIds', 'stripLeftIds', 'stripRightIds']) {
    const ids = value[name] ?? (name.startsWith('strip') ? [] : null);
    if (!Array.isArray(ids) || !ids.every(isId)) return refuse(`${name} are no ids`);
  }
  const isNumbers = (numbers: unknown): boolean =>
    Array.isArray(numbers) && numbers.length === pieces.length && numbers.every((x) => typeof x === 'number');
  if (value.kinds !== undefined && !isNumbers(value.kinds)) return refuse('its kinds do not fit its pieces');
  const isScored = value.type === 'sentencepiece' || value.type === 'unigram';
  if (isScored && !isNumbers(value.scores)) return refuse('its scores do not fit its pieces');
  if (value.type !== 'byte-bpe' && !isId(value.unknownId)) return refuse('it has no unknown piece');
  if (isScored && !isSpaceRule(value.spaces, value.type === 'sentencepiece'))
    return refuse('its rule for spaces is none');
  if (isScored && !isSteps(value.normalizer, value.type === 'sentencepiece')) return refuse('its normalizer is none');
  if (value.type === 'byte-bpe' && !wordRules.has(value.split)) return refuse('it cuts words by no known rule');
  if (value.type === 'byte-bpe' && !isTexts(value.merges)) return refuse('it has no merges');
  if (value.merges !== undefined && !isTexts(value.merges)) return refuse('its merges are no texts');
  return json as TokenizerJson;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

const ownTypes: ReadonlySet<unknown> = new Set(['sentencepiece', 'unigram', 'byte-bpe', 'wordpiece']);
const wordRules: ReadonlySet<unknown> = new Set<WordRule>([
  'gpt-2',
  'llama-3',
  'qwen-2',
  'falcon',
  'bloom',
  'tekken',
  'gpt-4o',
  'whole',
]);

function isSpaceRule(value: unknown, mayLack: boolean): boolean {
  if (value === undefined) return mayLack;
  if (typeof value !== 'object' || value === null) return false;
  const { prefix, unlessSpace, removeExtra, words } = value as Record<string, unknown>;
  return (
    (prefix === 'always' || prefix === 'first' || prefix === 'never') &&
    typeof unlessSpace === 'boolean' &&
    typeof removeExtra === 'boolean' &&
    (words === undefined || words === 'white-space' || words === 'spaces')
  );
}

/** That each step is known is said by what makes a function of it; here only that texts are texts. */
function isSteps(value: unknown, mayLack: boolean): boolean {
  if (value === undefined) return mayLack;
  if (!Array.isArray(value)) return false;
  const texts: Readonly<Record<string, readonly string[]>> = {
    charsmap: ['charsmap'],
    replace: ['from', 'to'],
    collapse: ['to'],
  };
  return value.every((step: Record<string, unknown> | null) => {
    if (typeof step !== 'object' || step === null || typeof step.type !== 'string') return false;
    return (texts[step.type] ?? []).every((name) => typeof step[name] === 'string') && step.from !== '';
  });
}
