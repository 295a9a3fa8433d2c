/** SentencePiece's BPE as Llama 1 and 2, Mistral, Gemma and Phi-3 use it: spaces are U+2581, unknown characters become bytes. */
import { type Merge, mergeSymbols } from './merge.ts';
import { createNormalizer, markSpaces, spaceMark } from './normalize.ts';
import { isMarkup, patternOf } from './special.ts';
import { pieceKinds, type SentencePieceJson, type SpaceRule, type TokenizerModel } from './types.ts';

/** Words are remembered up to this many: a text repeats its words. */
const maxRemembered = 50_000;

export function createSentencePiece(json: SentencePieceJson): TokenizerModel {
  const ids = new Map<string, number>();
  const unused = new Map<string, number>();
  const byteIds = new Map<number, number>();
  const fixed: string[] = [];
  const bytes = json.pieces.map((piece, id) => {
    const kind = json.kinds?.[id] ?? pieceKinds.normal;
    const byte = kind === pieceKinds.byte ? /^<0x([0-9A-Fa-f]{2})>$/.exec(piece) : null;
    if (byte !== null) {
      const value = Number.parseInt(byte[1]!, 16);
      byteIds.set(value, id);
      return Uint8Array.of(value);
    }
    if (kind === pieceKinds.normal && !ids.has(piece)) ids.set(piece, id);
    // What looks like markup is a control token to us, whatever the file says, and no text may become one.
    if (kind === pieceKinds.userDefined && !isMarkup(piece)) {
      if (!ids.has(piece)) ids.set(piece, id);
      if (json.userDefinedInside === true) fixed.push(piece);
    }
    if (kind === pieceKinds.unused) unused.set(piece, id);
    return utf8.encode(piece.replaceAll(spaceMark, ' '));
  });
  const normalize = createNormalizer(json.normalizer ?? [], 'the tokenizer');
  const prefix = json.addSpacePrefix ? 'always' : 'never';
  const spaces: SpaceRule = json.spaces ?? { prefix, unlessSpace: false, removeExtra: false };
  const fixedPattern = patternOf(fixed);
  // Where no piece goes on after a word, words are independent, and can be remembered.
  const isCut = ![...ids.keys(), ...unused.keys()].some((piece) => /[^\u2581]\u2581/u.test(piece));
  const hasBytes = byteIds.size === 256;

  const halves = new Map<string, readonly [string, string]>();
  const rankOf = json.merges === undefined ? rankByScore(json, ids, unused) : rankByMerges(json.merges, ids);
  const find = (left: string, right: string): Merge | null => {
    const piece = left + right;
    const rank = rankOf(left, right, piece);
    if (rank === null) return null;
    if (unused.has(piece)) halves.set(piece, [left, right]);
    return { rank, piece };
  };
  /** An unused piece may be made on the way to others, but is never left: it falls back into its halves. */
  const idsOf = (piece: string): number[] => {
    const id = ids.get(piece);
    if (id !== undefined) return [id];
    const parts = unused.has(piece) ? halves.get(piece) : undefined;
    if (parts !== undefined) return parts.flatMap(idsOf);
    const characters = [...piece];
    if (!hasBytes && byteIds.size === 0) return characters.map(() => json.unknownId);
    return [...utf8.encode(piece)].map((byte) => byteIds.get(byte) ?? json.unknownId);
  };
  const remembered = new Map<string, number[]>();
  const encodeWord = (word: string): number[] => {
    const known = remembered.get(word);
    if (known !== undefined) return known;
    const whole = mergeSymbols([...word], find).flatMap(idsOf);
    if (remembered.size < maxRemembered && word.length <= 64) remembered.set(word, whole);
    return whole;
  };

  return {
    encodeText(text, first) {
      // Lone surrogates are no text: as everywhere in UTF-8 they become U+FFFD.
      const normal = normalize(text.toWellFormed());
      const found: number[] = [];
      for (const word of markSpaces(normal, spaces, first)) {
        for (const part of fixedPattern === null ? [word] : partsOf(word, fixedPattern)) {
          if (typeof part !== 'string') found.push(ids.get(part.fixed)!);
          else if (isCut) for (const cut of wordsOf(part)) push(found, encodeWord(cut));
          else push(found, encodeWord(part));
        }
      }
      if (hasBytes) return found;
      return found.filter((id, at) => id !== json.unknownId || found[at - 1] !== id);
    },
    bytesOf: (id) => bytes[id]!,
    dropsFirstSpace: spaces.prefix !== 'never',
  };
}

const utf8 = new TextEncoder();

function push(found: number[], more: readonly number[]): void {
  for (const id of more) found.push(id);
}

/** Cuts before each first space mark of a run. */
function* wordsOf(text: string): Generator<string> {
  let start = 0;
  for (let at = text.indexOf(spaceMark, 1); at >= 0; at = text.indexOf(spaceMark, at + 1)) {
    if (text[at - 1] === spaceMark) continue;
    yield text.slice(start, at);
    start = at;
  }
  if (start < text.length) yield text.slice(start);
}

function* partsOf(text: string, pattern: RegExp): Generator<string | { fixed: string }> {
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) yield text.slice(end, match.index);
    yield { fixed: match[0] };
    end = match.index + match[0].length;
  }
  if (end < text.length) yield text.slice(end);
}

type Rank = (left: string, right: string, piece: string) => number | null;

function rankByScore(
  { scores }: SentencePieceJson,
  ids: ReadonlyMap<string, number>,
  unused: ReadonlyMap<string, number>,
): Rank {
  return (_left, _right, piece) => {
    const id = ids.get(piece) ?? unused.get(piece);
    return id === undefined ? null : -scores[id]!;
  };
}

function rankByMerges(merges: readonly string[], ids: ReadonlyMap<string, number>): Rank {
  const ranks = new Map(merges.map((merge, rank) => [merge, rank]));
  return (left, right, piece) => {
    const rank = ranks.get(`${left} ${right}`);
    return rank === undefined || !ids.has(piece) ? null : rank;
  };
}
