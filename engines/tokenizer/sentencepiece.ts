/** SentencePiece's BPE as Llama 1 and 2, Mistral and TinyLlama use it: spaces are U+2581, unknown characters become bytes. */
import { type Merge, mergeSymbols } from './merge.ts';
import { pieceKinds, type SentencePieceJson, type TokenizerModel } from './types.ts';

const space = '\u2581';

export function createSentencePiece(json: SentencePieceJson): TokenizerModel {
  const ids = new Map<string, number>();
  const byteIds = new Map<number, number>();
  const bytes = json.pieces.map((piece, id) => {
    const kind = json.kinds?.[id] ?? pieceKinds.normal;
    const byte = kind === pieceKinds.byte ? /^<0x([0-9A-Fa-f]{2})>$/.exec(piece) : null;
    if (byte !== null) {
      const value = Number.parseInt(byte[1]!, 16);
      byteIds.set(value, id);
      return Uint8Array.of(value);
    }
    if (kind === pieceKinds.normal || kind === pieceKinds.userDefined) {
      if (!ids.has(piece)) ids.set(piece, id);
    }
    return utf8.encode(piece.replaceAll(space, ' '));
  });
  const find = json.merges === undefined ? byScore(ids, json.scores) : byMerges(ids, json.merges);

  return {
    encodeText(text, first) {
      const escaped = (first && json.addSpacePrefix ? space : '') + text.replaceAll(' ', space);
      // Lone surrogates are no text: as everywhere in UTF-8 they become U+FFFD.
      const symbols = [...escaped.toWellFormed()];
      return mergeSymbols(symbols, find).flatMap((piece) => {
        const id = ids.get(piece);
        if (id !== undefined) return [id];
        return [...utf8.encode(piece)].map((byte) => byteIds.get(byte) ?? json.unknownId);
      });
    },
    bytesOf: (id) => bytes[id]!,
    dropsFirstSpace: json.addSpacePrefix,
  };
}

const utf8 = new TextEncoder();

function byScore(ids: ReadonlyMap<string, number>, scores: readonly number[]) {
  return (left: string, right: string): Merge | null => {
    const piece = left + right;
    const id = ids.get(piece);
    return id === undefined ? null : { rank: -scores[id]!, piece };
  };
}

function byMerges(ids: ReadonlyMap<string, number>, merges: readonly string[]) {
  const ranks = new Map(merges.map((merge, rank) => [merge, rank]));
  return (left: string, right: string): Merge | null => {
    const rank = ranks.get(`${left} ${right}`);
    const piece = left + right;
    return rank === undefined || !ids.has(piece) ? null : { rank, piece };
  };
}
