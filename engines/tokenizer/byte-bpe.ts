/** Byte-level BPE as GPT-2, NeoX, Falcon, BLOOM, Llama 3 and Qwen 2 use it: text is cut into words, a word's bytes are merged by rank. */
import { createPairTable, mergeIds } from './merge-ids.ts';
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
  // Made when they are asked for: a vocabulary of 150,000 pieces is opened with every model.
  const bytes = new Map<number, Uint8Array>();
  const bytesOf = (id: number): Uint8Array => {
    const known = bytes.get(id);
    if (known !== undefined) return known;
    const kind = json.kinds?.[id] ?? pieceKinds.normal;
    const spelled = kind === pieceKinds.normal ? bytesOfCharacters(json.pieces[id]!) : utf8.encode(json.pieces[id]!);
    bytes.set(id, spelled);
    return spelled;
  };
  const pairs = createPairTable(idsOfMerges(json.merges, ids));
  const idOfByte = Int32Array.from(characterOfByte, (character) => ids.get(character) ?? -1);
  const remembered = new Map<string, number[]>();

  const encodeWord = (word: string): number[] => {
    const known = remembered.get(word);
    if (known !== undefined) return known;
    const spelled = utf8.encode(word);
    const found: number[] = [];
    const needsText = json.ignoreMerges || json.split === 'falcon';
    const mapped = needsText ? Array.from(spelled, (byte) => characterOfByte[byte]!).join('') : '';
    let start = 0;
    for (const part of needsText ? partsOfWord(json.split, mapped) : [word]) {
      // A letter for a byte: as long as its bytes.
      const end = needsText ? start + part.length : spelled.length;
      const whole = json.ignoreMerges ? ids.get(part) : undefined;
      if (whole !== undefined) found.push(whole);
      else {
        const symbols = Int32Array.from(spelled.subarray(start, end), (byte) => idOfByte[byte]!);
        const left = mergeIds(symbols, pairs);
        for (let i = 0; i < left; i++) if (symbols[i]! >= 0) found.push(symbols[i]!);
      }
      start = end;
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
    bytesOf,
    dropsFirstSpace: false,
  };
}

/** Left, right and result of each merge; merges of pieces that are none, or are control tokens, fall away. */
function idsOfMerges(merges: readonly string[], ids: ReadonlyMap<string, number>): Int32Array {
  const found = new Int32Array(3 * merges.length);
  let count = 0;
  for (const merge of merges) {
    const space = merge.indexOf(' ');
    const [left, right] = [merge.slice(0, space), merge.slice(space + 1)];
    const [leftId, rightId, result] = [ids.get(left), ids.get(right), ids.get(left + right)];
    if (space < 1 || leftId === undefined || rightId === undefined || result === undefined) continue;
    found.set([leftId, rightId, result], 3 * count++);
  }
  return found.subarray(0, 3 * count);
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
