/** Byte-level BPE as GPT-2, NeoX, Falcon, BLOOM, Llama 3 and Qwen 2 use it: text is cut into words, a word's bytes are merged by rank. */
import { type Merge, mergeSymbols } from './merge.ts';
import { type ByteBpeJson, pieceKinds, type TokenizerModel } from './types.ts';
import { toNormalForm } from './unicode.ts';
import { partsOfWord, wordsOf } from './words.ts';

/** Words are remembered up to this many: a text repeats its words. */
const maxRemembered = 50_000;

export function createByteBpe(json: ByteBpeJson): TokenizerModel {
  const ids = new Map<string, number>();
  // Control tokens are no words: nothing that text is merged to may become one.
  json.pieces.forEach((piece, id) => {
    const kind = json.kinds?.[id] ?? pieceKinds.normal;
    if (kind !== pieceKinds.control && !ids.has(piece)) ids.set(piece, id);
  });
  const ranks = new Map(json.merges.map((merge, rank) => [merge, rank]));
  const bytes = json.pieces.map((piece, id) => {
    const kind = json.kinds?.[id] ?? pieceKinds.normal;
    return kind === pieceKinds.normal ? bytesOfCharacters(piece) : utf8.encode(piece);
  });
  const find = (left: string, right: string): Merge | null => {
    const rank = ranks.get(`${left} ${right}`);
    return rank === undefined ? null : { rank, piece: left + right };
  };
  const remembered = new Map<string, number[]>();

  const encodeWord = (word: string): number[] => {
    const known = remembered.get(word);
    if (known !== undefined) return known;
    const mapped = Array.from(utf8.encode(word), (byte) => characterOfByte[byte]!).join('');
    const found: number[] = [];
    for (const part of partsOfWord(json.split, mapped)) {
      const whole = json.ignoreMerges ? ids.get(part) : undefined;
      if (whole !== undefined) found.push(whole);
      else {
        for (const piece of mergeSymbols([...part], find)) {
          const id = ids.get(piece);
          if (id !== undefined) found.push(id);
        }
      }
    }
    if (remembered.size < maxRemembered && word.length <= 64) remembered.set(word, found);
    return found;
  };

  return {
    encodeText(text) {
      const wellFormed = text.toWellFormed();
      const normal = json.normalization === undefined ? wellFormed : toNormalForm(wellFormed, json.normalization);
      const spaced = json.addSpacePrefix === true && !normal.startsWith(' ') ? ` ${normal}` : normal;
      const found: number[] = [];
      for (const word of wordsOf(json.split, spaced)) {
        for (const id of encodeWord(word)) found.push(id);
      }
      return found;
    },
    bytesOf: (id) => bytes[id]!,
    dropsFirstSpace: false,
  };
}

const utf8 = new TextEncoder();

/** GPT-2's letters for bytes: visible Latin-1 as it is, the others from U+0100 on. */
const characterOfByte: string[] = (() => {
  const isVisible = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isVisible(byte) ? byte : next++));
})();
const byteOfCharacter = new Map(characterOfByte.map((character, byte) => [character, byte]));

function bytesOfCharacters(piece: string): Uint8Array {
  const bytes = Array.from(piece, (character) => byteOfCharacter.get(character));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : utf8.encode(piece);
}
