/** What Whisper's numbers mean: pieces of words, seconds, languages and its few commands, as the model's own files say. */

export type Vocabulary = {
  numTokens: number;
  startOfTranscript: number;
  endOfText: number;
  transcribe: number;
  noTimestamps: number;
  /** The token of 0.00 s; each one after it is 0.02 s later. */
  firstTimestamp: number;
  /** The model's doubt whether anybody speaks; null for a model without it. */
  noSpeech: number | null;
  /** By language code, "en"; empty for a model of English alone. */
  languages: ReadonlyMap<string, number>;
  /** Never said: notes, brackets, commands. */
  suppressed: readonly number[];
  /** Not said as a stretch's first word: a blank and the end. */
  suppressedAtStart: readonly number[];
  /** The words of tokens; of commands and seconds nothing. */
  textOf(tokens: readonly number[]): string;
};

export const secondsPerTimestamp = 0.02;

const mostTokens = 100_000;

/** `config`, `generation` and `tokenizer` as parsed from the model's JSON files. Throws for files that are not Whisper's. */
export function readVocabulary(config: unknown, generation: unknown, tokenizer: unknown): Vocabulary {
  const numTokens = numberIn(config, 'vocab_size');
  if (!Number.isInteger(numTokens) || numTokens < 1 || numTokens > mostTokens)
    throw new Error('The speech model has no vocabulary of a known size.');
  const pieces = piecesOf(tokenizer, numTokens);
  const special = specialTokens(tokenizer, numTokens);
  const needed = (name: string): number => {
    const id = special.get(name);
    if (id === undefined) throw new Error(`The speech model has no token ${name}.`);
    return id;
  };
  const noTimestamps = needed('<|notimestamps|>');
  const languages = new Map<string, number>();
  for (const [name, id] of Object.entries(objectIn(generation, 'lang_to_id') ?? {})) {
    const code = /^<\|([a-z]{2,3})\|>$/.exec(name)?.[1];
    if (code && isToken(id, numTokens)) languages.set(code === 'jw' ? 'jv' : code, id);
  }
  const decoder = new TextDecoder('utf-8');
  return {
    numTokens,
    startOfTranscript: needed('<|startoftranscript|>'),
    endOfText: needed('<|endoftext|>'),
    transcribe: needed('<|transcribe|>'),
    noTimestamps,
    firstTimestamp: noTimestamps + 1,
    noSpeech: special.get('<|nospeech|>') ?? special.get('<|nocaptions|>') ?? null,
    languages,
    suppressed: tokensIn(config, 'suppress_tokens', numTokens),
    suppressedAtStart: tokensIn(config, 'begin_suppress_tokens', numTokens),
    textOf(tokens) {
      const parts = tokens.flatMap((token) => pieces[token] ?? []);
      const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
      }
      // A character may be cut at a stretch's end: half of one is left out.
      return decoder.decode(bytes).replaceAll('\ufffd', '');
    },
  };
}

/** Bytes of each token. In a byte-level vocabulary each letter of a piece stands for one byte (GPT-2, 2019). */
function piecesOf(tokenizer: unknown, numTokens: number): (Uint8Array | undefined)[] {
  const vocabulary = objectIn(objectIn(tokenizer, 'model'), 'vocab');
  if (!vocabulary) throw new Error('The speech model has no vocabulary.');
  const byteOf = byteOfLetter();
  const pieces: (Uint8Array | undefined)[] = new Array(numTokens);
  for (const [piece, id] of Object.entries(vocabulary)) {
    if (!isToken(id, numTokens) || /^<\|.*\|>$/.test(piece)) continue;
    const bytes = Array.from(piece, (letter) => byteOf.get(letter));
    if (bytes.every((byte) => byte !== undefined)) pieces[id] = Uint8Array.from(bytes);
  }
  return pieces;
}

/** Printable bytes stand for themselves, the others for the letters from 256 on. */
function byteOfLetter(): Map<string, number> {
  const map = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    map.set(String.fromCodePoint(isPrintable ? byte : next++), byte);
  }
  return map;
}

function specialTokens(tokenizer: unknown, numTokens: number): Map<string, number> {
  const added = (tokenizer as { added_tokens?: unknown } | null)?.added_tokens;
  const special = new Map<string, number>();
  if (Array.isArray(added))
    for (const one of added as { id?: unknown; content?: unknown }[])
      if (one && typeof one.content === 'string' && isToken(one.id, numTokens)) special.set(one.content, one.id);
  return special;
}

function isToken(value: unknown, numTokens: number): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < numTokens;
}

function tokensIn(config: unknown, name: string, numTokens: number): number[] {
  const list = (config as Record<string, unknown> | null)?.[name];
  return Array.isArray(list) ? list.filter((id) => isToken(id, numTokens)) : [];
}

function numberIn(config: unknown, name: string): number {
  return Number((config as Record<string, unknown> | null)?.[name]);
}

function objectIn(value: unknown, name: string): Record<string, unknown> | null {
  const inner = (value as Record<string, unknown> | null)?.[name];
  return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : null;
}
