/** BERT's WordPiece: words and marks, the longest known beginning first, then the longest known `##` continuation. */
import { pieceKinds, type TokenizerModel, type WordPieceJson } from './types.ts';

/** White space, control characters (dropped but for line breaks and tabs), and what stands as a word of its own. */
const dropped = /[\0\uFFFD]|(?![\t\n\r])[\p{Cc}\p{Cf}]/gu;
const alone =
  /[\p{P}!-/:-@[-`{-~\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;
const accents = /\p{Mn}/gu;

export function createWordPiece(json: WordPieceJson): TokenizerModel {
  // Control tokens are no words: text that spells one stays text.
  const ids = new Map(
    json.pieces.flatMap((piece, id) => (json.kinds?.[id] === pieceKinds.control ? [] : [[piece, id] as const])),
  );
  const bytes = json.pieces.map((piece) => utf8.encode(piece.startsWith('##') ? piece.slice(2) : ` ${piece}`));

  const encodeWord = (word: string): number[] => {
    const characters = [...word];
    if (characters.length > json.maxWordCharacters) return [json.unknownId];
    const found: number[] = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length;
      let id: number | undefined;
      for (; end > start; end--) {
        id = ids.get((start > 0 ? '##' : '') + characters.slice(start, end).join(''));
        if (id !== undefined) break;
      }
      if (id === undefined) return [json.unknownId];
      found.push(id);
      start = end;
    }
    return found;
  };

  return {
    encodeText(text) {
      let normal = text.toWellFormed().replace(dropped, '');
      if (json.lowerCase) normal = normal.normalize('NFD').replace(accents, '').toLowerCase();
      const words = normal.replace(alone, ' $& ').split(/\s+/u);
      return words.flatMap((word) => (word === '' ? [] : encodeWord(word)));
    },
    bytesOf: (id) => bytes[id]!,
    dropsFirstSpace: true,
  };
}

const utf8 = new TextEncoder();
