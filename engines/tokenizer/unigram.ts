/**
 * SentencePiece's Unigram as XLM-R and multilingual E5 use it: of all ways to cut a text into pieces the one with the highest
 * sum of scores (Viterbi). A character that no piece covers costs 10 more than the worst piece.
 */
import { createNormalizer, markSpaces, spaceMark } from './normalize.ts';
import { createPieceTrie } from './piece-trie.ts';
import { isMarkup } from './special.ts';
import { pieceKinds, type TokenizerModel, type UnigramJson } from './types.ts';

/** What an unknown character costs beyond the worst piece. */
const unknownPenalty = 10;

/** Words are remembered up to this many, where texts are cut into words. */
const maxRemembered = 50_000;

export function createUnigram(json: UnigramJson): TokenizerModel {
  const { pieces, scores, unknownId, isModelFile } = json;
  const kindOf = (id: number): number => json.kinds?.[id] ?? pieceKinds.normal;
  const byteIds = new Map<number, number>();
  const bytes = pieces.map((piece, id) => {
    const byte = kindOf(id) === pieceKinds.byte ? /^<0x([0-9A-Fa-f]{2})>$/.exec(piece) : null;
    if (byte === null) return utf8.encode(piece.replaceAll(spaceMark, ' '));
    byteIds.set(Number.parseInt(byte[1]!, 16), id);
    return Uint8Array.of(Number.parseInt(byte[1]!, 16));
  });
  // SentencePiece looks at normal pieces for the worst score; a tokenizer.json at all that it lists.
  let worst = Number.POSITIVE_INFINITY;
  // SentencePiece looks for the best from the smallest positive number on: below zero nothing is better.
  let best = 2 ** -126;
  for (const [id, score] of scores.entries()) {
    if (isModelFile && kindOf(id) !== pieceKinds.normal) continue;
    worst = Math.min(worst, score);
    best = Math.max(best, score);
  }
  if (worst === Number.POSITIVE_INFINITY) worst = 0;
  const unknownScore = isModelFile ? Math.fround(worst - unknownPenalty) : worst - unknownPenalty;
  // A piece of the person's choosing is always taken: it is worth more than all others of its length together.
  const costs = Float64Array.from(scores, (score, id) =>
    isModelFile && kindOf(id) === pieceKinds.userDefined
      ? Math.fround(bytes[id]!.length * best - Math.fround(0.1))
      : score,
  );
  const isText = (piece: string, id: number): boolean => {
    const kind = kindOf(id);
    if (piece === '' || id === unknownId) return false;
    if (kind === pieceKinds.userDefined) return !isMarkup(piece);
    return kind === pieceKinds.normal || (!isModelFile && kind === pieceKinds.byte);
  };
  const trie = createPieceTrie(pieces, isText);
  const normalize = createNormalizer(json.normalizer, 'the tokenizer');
  const hasBytes = json.byteFallback && byteIds.size === 256;

  const encodeWord = (word: string): number[] => {
    const size = word.length;
    // [i] the best way that ends before UTF-16 unit i: its sum, its last piece and where that begins.
    const sums = new Float64Array(size + 1);
    const starts = new Int32Array(size + 1).fill(-1);
    const last = new Int32Array(size + 1);
    const offer = (start: number, end: number, id: number, score: number) => {
      const sum = score + sums[start]!;
      if (starts[end] !== -1 && !(sum > sums[end]!)) return;
      sums[end] = sum;
      starts[end] = start;
      last[end] = id;
    };
    for (let start = 0; start < size; ) {
      const unit = word.charCodeAt(start);
      const oneCharacter = start + (unit >= 0xd800 && unit < 0xdc00 && start + 1 < size ? 2 : 1);
      let hasCharacter = false;
      let node = 0;
      for (let end = start + 1; end <= size; end++) {
        node = trie.child(node, word.charCodeAt(end - 1));
        if (node < 0) break;
        const id = trie.idAt(node);
        if (id < 0) continue;
        offer(start, end, id, costs[id]!);
        if (end === oneCharacter) hasCharacter = true;
      }
      if (!hasCharacter) offer(start, oneCharacter, unknownId, unknownScore);
      start = oneCharacter;
    }
    const found: number[] = [];
    for (let end = size; end > 0; end = starts[end]!) {
      const id = last[end]!;
      if (id !== unknownId) found.push(id);
      else if (hasBytes) {
        const spelled = utf8.encode(word.slice(starts[end], end));
        for (let i = spelled.length - 1; i >= 0; i--) found.push(byteIds.get(spelled[i]!)!);
      } else if (found.at(-1) !== unknownId) found.push(id);
    }
    return found.reverse();
  };

  const remembered = new Map<string, number[]>();
  const encodeRemembered = (word: string): number[] => {
    const known = remembered.get(word);
    if (known !== undefined) return known;
    const found = encodeWord(word);
    if (remembered.size < maxRemembered && word.length <= 64) remembered.set(word, found);
    return found;
  };
  const isCut = json.spaces.words !== undefined;

  return {
    encodeText(text, first) {
      const normal = normalize(text.toWellFormed());
      const found: number[] = [];
      for (const word of markSpaces(normal, json.spaces, first)) {
        for (const id of isCut ? encodeRemembered(word) : encodeWord(word)) found.push(id);
      }
      return found;
    },
    bytesOf: (id) => bytes[id]!,
    dropsFirstSpace: json.spaces.prefix !== 'never',
  };
}

const utf8 = new TextEncoder();
