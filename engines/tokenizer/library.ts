/** A tokenizer.json that is none of our kinds, through the published library. Slower; never for the built-in models. */
import { createRequire } from 'node:module';
import type { Tokenizer as LibraryClass } from '@huggingface/tokenizers';
import { patternOf } from './special.ts';
import type { LibraryJson, Tokenizer } from './types.ts';

/** Loaded when a plan asks for it: no other needs a package. */
const loadLibrary = (): { Tokenizer: typeof LibraryClass } =>
  createRequire(import.meta.url)('@huggingface/tokenizers') as { Tokenizer: typeof LibraryClass };

type AddedToken = { readonly id: number; readonly content: string; readonly special: boolean };

export function createLibraryTokenizer(json: LibraryJson): Tokenizer {
  const { Tokenizer: LibraryTokenizer } = loadLibrary();
  const added = Array.isArray(json.tokenizer.added_tokens) ? (json.tokenizer.added_tokens as AddedToken[]) : [];
  const controls = new Map(added.map((token) => [token.content, token.id]));
  const controlIds = new Set(controls.values());
  const withControls = new LibraryTokenizer(json.tokenizer, json.config);
  // Without its added tokens a tokenizer cannot make one, whatever the text holds.
  const plain = new LibraryTokenizer({ ...json.tokenizer, added_tokens: [], post_processor: null }, json.config);

  const model = json.tokenizer.model as { unk_id?: unknown; unk_token?: unknown } | undefined;
  const unknownId = typeof model?.unk_id === 'number' ? model.unk_id : controls.get(String(model?.unk_token));
  const names = patternOf([...controls.keys()]);
  // Some vocabularies hold the control tokens as words too: their names are cut in two, and what is left of them dropped.
  const encodeText = (text: string): number[] =>
    (names === null ? text : text.replace(names, (name) => `${name[0]}\0${name.slice(1)}`))
      .split('\0')
      .flatMap((part) => (part === '' ? [] : plain.encode(part, { add_special_tokens: false }).ids))
      .filter((id) => !controlIds.has(id) || id === unknownId);
  const encodeTemplate = (text: string): number[] => withControls.encode(text, { add_special_tokens: false }).ids;
  const decode = (ids: ArrayLike<number>): string =>
    ids.length === 0 ? '' : withControls.decode(Array.from(ids), { skip_special_tokens: true });

  return {
    vocabularySize: json.vocabularySize,
    encode(text, options) {
      const body = options?.parseSpecial === true ? encodeTemplate(text) : encodeText(text);
      if (options?.addSpecial === false) return Int32Array.from(body);
      // What the post-processor puts around an empty text: the start ids, then the end ids.
      const around = withControls.encode('').ids;
      const ends = withControls.encode('a').ids.at(-1) === around.at(-1) && around.length > 1 ? 1 : 0;
      return Int32Array.from([
        ...around.slice(0, around.length - ends),
        ...body,
        ...around.slice(around.length - ends),
      ]);
    },
    encodePieces(pieces, options) {
      const start = options?.addSpecial === false ? [] : withControls.encode('').ids.slice(0, 1);
      return Int32Array.from([
        ...start,
        ...pieces.flatMap(({ type, text }) => (type === 'special' ? encodeTemplate(text) : encodeText(text))),
      ]);
    },
    decode,
    streamDecoder() {
      const ids: number[] = [];
      let shown = '';
      return {
        push(more) {
          for (let i = 0; i < more.length; i++) ids.push(more[i]!);
          const text = decode(ids);
          if (text.endsWith('\uFFFD')) return '';
          const fresh = text.slice(shown.length);
          shown = text;
          return fresh;
        },
        end: () => decode(ids).slice(shown.length),
      };
    },
    idOf: (piece) => controls.get(piece) ?? null,
    pieceOf: (id) =>
      id >= 0 && id < json.vocabularySize ? withControls.decode([id], { skip_special_tokens: false }) : '',
    isControl: (id) => controlIds.has(id),
  };
}
