/**
 * A tokenizer from SentencePiece's own file, `tokenizer.model`: a protocol buffer of pieces, a trainer's and a normalizer's
 * settings (sentencepiece_model.proto). Everything in it is somebody else's word.
 */
import { ModelError } from '../model-error.ts';
import { readCharsmap } from './charsmap.ts';
import { asObject } from './json-parts.ts';
import { fieldsOf } from './protobuf.ts';
import { type NormalizerStep, pieceKinds, type SentencePieceJson, type SpaceRule, type UnigramJson } from './types.ts';

/** The largest published one (multilingual, 256,000 pieces) has 5 MB. */
const maxFileBytes = 128 * 1024 * 1024;
const maxPieces = 2_000_000;
const maxPieceBytes = 65_536;
/** Ids that a tokenizer_config.json may put behind the pieces. */
const maxAddedTokens = 65_536;

type Parts = { pieces: string[]; scores: number[]; kinds: number[] };

/**
 * `config` is the tokenizer_config.json beside the file, if there is one: it may add control tokens and say which go around a
 * text. Fails with `invalid-checkpoint`, or `unsupported-model` for kinds that are no BPE and no Unigram; both name the file.
 */
export function tokenizerFromSentencePiece(
  bytes: Uint8Array,
  fileName: string,
  config: unknown = {},
): SentencePieceJson | UnigramJson {
  const refuse = (why: string): never => {
    throw new ModelError('invalid-checkpoint', `${fileName} is damaged: ${why}.`);
  };
  if (bytes.length > maxFileBytes) refuse('it is too large for a tokenizer');
  const parts: Parts = { pieces: [], scores: [], kinds: [] };
  const trainer = { model: 1, byteFallback: false, isSuffixed: false, unknown: 0, start: 1, end: 2 };
  const spaces = { dummyPrefix: true, removeExtra: true, escape: true };
  let charsmap: Uint8Array = new Uint8Array();
  for (const field of fieldsOf(bytes, refuse)) {
    if (field.type !== 'bytes') continue;
    if (field.number === 1) readPiece(field.bytes, parts, refuse);
    if (field.number === 2) {
      for (const { number, ...setting } of fieldsOf(field.bytes, refuse)) {
        if (setting.type !== 'varint') continue;
        if (number === 3) trainer.model = setting.value;
        if (number === 24) trainer.isSuffixed = setting.value !== 0;
        if (number === 35) trainer.byteFallback = setting.value !== 0;
        if (number === 40) trainer.unknown = setting.value;
        if (number === 41) trainer.start = setting.value;
        if (number === 42) trainer.end = setting.value;
      }
    }
    if (field.number === 3) {
      for (const setting of fieldsOf(field.bytes, refuse)) {
        if (setting.type === 'bytes' && setting.number === 2) charsmap = setting.bytes;
        if (setting.type !== 'varint') continue;
        if (setting.number === 3) spaces.dummyPrefix = setting.value !== 0;
        if (setting.number === 4) spaces.removeExtra = setting.value !== 0;
        if (setting.number === 5) spaces.escape = setting.value !== 0;
      }
    }
  }

  const unknowns = parts.kinds.flatMap((kind, id) => (kind === pieceKinds.unknown ? [id] : []));
  if (parts.pieces.length === 0) refuse('it holds no pieces');
  if (unknowns.length !== 1) refuse('it has not one piece for the unknown, but another number of them');
  checkBytes(parts, trainer.byteFallback, refuse);
  if (trainer.model !== 1 && trainer.model !== 2) {
    throw new ModelError(
      'unsupported-model',
      `${fileName} cuts text into whole words or letters, which is not read here.`,
    );
  }
  if (trainer.isSuffixed || !spaces.escape) {
    throw new ModelError('unsupported-model', `${fileName} marks spaces in a way that is not read here.`);
  }
  if (charsmap.length > 0) readCharsmap(charsmap, fileName);

  const settings = asObject(config) ?? {};
  const isFairseq = /^XLMRoberta/.test(String(settings.tokenizer_class));
  if (isFairseq) toFairseqIds(parts);
  const strips = addTokens(parts, settings, refuse);
  const idOf = (name: string, id: number): number[] => {
    const named = asObject(settings[name])?.content ?? settings[name];
    const found = typeof named === 'string' ? parts.pieces.indexOf(named) : id;
    return found >= 0 && parts.kinds[found] === pieceKinds.control ? [found] : [];
  };
  const start = isFairseq ? [0] : idOf('bos_token', trainer.start);
  const end = isFairseq ? [2] : idOf('eos_token', trainer.end);
  const spaceRule: SpaceRule = {
    prefix: !spaces.dummyPrefix ? 'never' : settings.legacy === false ? 'first' : 'always',
    unlessSpace: false,
    removeExtra: spaces.removeExtra,
  };
  const normalizer: NormalizerStep[] =
    charsmap.length === 0
      ? []
      : [{ type: 'charsmap', charsmap: Buffer.from(charsmap).toString('base64'), by: 'longest' }];
  const common = {
    ...parts,
    ...strips,
    unknownId: parts.kinds.indexOf(pieceKinds.unknown),
    startIds: isFairseq || settings.add_bos_token !== false ? start : [],
    endIds: isFairseq || settings.add_eos_token === true ? end : [],
    normalizer,
    spaces: spaceRule,
  };
  if (trainer.model === 1) {
    return { type: 'unigram', ...common, byteFallback: trainer.byteFallback, isModelFile: true };
  }
  return { type: 'sentencepiece', ...common, addSpacePrefix: spaces.dummyPrefix, userDefinedInside: true };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readPiece(message: Uint8Array, parts: Parts, refuse: (why: string) => never): void {
  if (parts.pieces.length >= maxPieces) refuse('it holds more pieces than any vocabulary');
  let piece = '';
  let score = 0;
  let kind: number = pieceKinds.normal;
  for (const field of fieldsOf(message, refuse)) {
    if (field.number === 1) {
      if (field.type !== 'bytes' || field.bytes.length > maxPieceBytes) refuse('a piece is no text');
      try {
        piece = utf8.decode(field.bytes);
      } catch {
        refuse('a piece is no text');
      }
    }
    if (field.number === 2) {
      if (field.type !== 'fixed' || field.bytes.length !== 4) refuse('a score is no number');
      score = new DataView(field.bytes.buffer, field.bytes.byteOffset, 4).getFloat32(0, true);
    }
    if (field.number === 3) {
      if (field.type !== 'varint') refuse('a kind is no number');
      kind = field.value;
    }
  }
  if (piece === '') refuse('a piece is empty');
  if (!Number.isFinite(score)) refuse(`the score of the piece ${JSON.stringify(piece)} is no number`);
  if (kind < pieceKinds.normal || kind > pieceKinds.byte)
    refuse(`the piece ${JSON.stringify(piece)} is of no known kind`);
  parts.pieces.push(piece);
  parts.scores.push(score);
  parts.kinds.push(kind);
}

function checkBytes({ pieces, kinds }: Parts, isFallback: boolean, refuse: (why: string) => never): void {
  const seen = new Set<string>();
  const bytes = new Set<string>();
  for (const [id, piece] of pieces.entries()) {
    if (seen.has(piece)) refuse(`the piece ${JSON.stringify(piece)} stands in it twice`);
    seen.add(piece);
    if (kinds[id] !== pieceKinds.byte) continue;
    if (!/^<0x[0-9A-F]{2}>$/.test(piece)) refuse(`the piece ${JSON.stringify(piece)} is no byte`);
    bytes.add(piece);
  }
  if (isFallback && bytes.size !== 256) refuse(`it has ${bytes.size} of the 256 bytes`);
  if (!isFallback && bytes.size > 0) refuse('it has pieces for bytes, and does not use them');
}

/** XLM-R's ids are its trainer's, not SentencePiece's: `<s> <pad> </s> <unk>`, the pieces one further, `<mask>` last. */
function toFairseqIds(parts: Parts): void {
  const rest = parts.pieces.flatMap((piece, id) =>
    id < 3 ? [] : [{ piece, score: parts.scores[id]!, kind: parts.kinds[id]! }],
  );
  const { control, unknown } = pieceKinds;
  const all = [
    ...[
      ['<s>', control] as const,
      ['<pad>', control] as const,
      ['</s>', control] as const,
      ['<unk>', unknown] as const,
    ].map(([piece, kind]) => ({ piece, score: 0, kind: kind as number })),
    ...rest,
    { piece: '<mask>', score: 0, kind: control as number },
  ];
  parts.pieces = all.map(({ piece }) => piece);
  parts.scores = all.map(({ score }) => score);
  parts.kinds = all.map(({ kind }) => kind);
}

/** The control tokens that tokenizer_config.json adds, in place or behind the others. */
function addTokens(parts: Parts, settings: Record<string, unknown>, refuse: (why: string) => never) {
  const strips = { stripLeftIds: [] as number[], stripRightIds: [] as number[] };
  const limit = parts.pieces.length + maxAddedTokens;
  for (const [key, value] of Object.entries(asObject(settings.added_tokens_decoder) ?? {})) {
    const token = asObject(value);
    const id = Number(key);
    const content = token?.content;
    if (!Number.isInteger(id) || id < 0 || id >= limit || typeof content !== 'string' || content === '') {
      return refuse('the tokens that tokenizer_config.json adds are none');
    }
    while (parts.pieces.length <= id) {
      parts.pieces.push('');
      parts.scores.push(0);
      parts.kinds.push(pieceKinds.unused);
    }
    // What stands there already keeps its kind, unless it is one that any text could spell.
    if (parts.pieces[id] !== content || parts.kinds[id] === pieceKinds.normal) {
      parts.pieces[id] = content;
      parts.kinds[id] = token?.special === false ? pieceKinds.userDefined : pieceKinds.control;
    }
    if (token?.lstrip === true) strips.stripLeftIds.push(id);
    if (token?.rstrip === true) strips.stripRightIds.push(id);
  }
  return strips;
}
