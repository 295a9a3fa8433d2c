/** BERT's WordPiece: words and marks, the longest known beginning first, then the longest known `##` continuation. */
import { pieceKinds, type TokenizerModel, type WordPieceJson } from './types.ts';
import { ideograph, invisible, nonSpacingMark, punctuation, toNormalForm } from './unicode.ts';

const dropped = new RegExp(invisible, 'gv');
const ideographs = new RegExp(ideograph, 'gv');
const punctuations = new RegExp(punctuation, 'gv');
const accents = new RegExp(nonSpacingMark, 'gv');

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
      normal = normal.replace(ideographs, ' $& ');
      if (json.stripAccents ?? json.lowerCase) normal = toNormalForm(normal, 'NFD').replace(accents, '');
      // Letter by letter: a sigma at a word's end is no other than one within.
      if (json.lowerCase) normal = normal.replaceAll('Σ', 'σ').toLowerCase();
      const words = normal.replace(punctuations, ' $& ').split(/\p{White_Space}+/u);
      return words.flatMap((word) => (word === '' ? [] : encodeWord(word)));
    },
    bytesOf: (id) => bytes[id]!,
    dropsFirstSpace: true,
  };
}

const utf8 = new TextEncoder();
