/** The forms of a tokenizer: the JSON object of a plan, what it becomes, and what each kind of it must do. */

/** SentencePiece's kinds of pieces, as GGUF has them too. */
export const pieceKinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

type Common = {
  /** The pieces by id. */
  readonly pieces: readonly string[];
  /** For each id one of `pieceKinds`; absent = all normal. */
  readonly kinds?: readonly number[];
  /** Ids before and after a text when `addSpecial` is asked for. */
  readonly startIds: readonly number[];
  readonly endIds: readonly number[];
  /** Control and user-defined pieces that swallow the white space before (`<mask>`) or after them (Phi-3's). */
  readonly stripLeftIds?: readonly number[];
  readonly stripRightIds?: readonly number[];
};

/** What is done to a text before it is cut into words, in this order. */
export type NormalizerStep =
  | {
      /** SentencePiece's compiled replacements: base64 of `precompiled_charsmap`. */
      readonly type: 'charsmap';
      readonly charsmap: string;
      /** SentencePiece replaces the longest key that begins at a place; a tokenizer.json a whole grapheme or character. */
      readonly by: 'longest' | 'grapheme';
    }
  | { readonly type: 'nfc' | 'nfd' | 'nfkc' | 'nfkd' | 'lowercase' }
  | { readonly type: 'strip'; readonly left: boolean; readonly right: boolean }
  | { readonly type: 'replace'; readonly from: string; readonly to: string }
  /** Runs of two or more spaces. */
  | { readonly type: 'collapse'; readonly to: string };

/** Where spaces go in SentencePiece's kinds: they become U+2581, which also marks where a text begins. */
export type SpaceRule = {
  /** U+2581 in front: of every text between control tokens, only where nothing stands before it, or nowhere. */
  readonly prefix: 'always' | 'first' | 'never';
  /** Not where the text begins with a space anyhow. */
  readonly unlessSpace: boolean;
  /** SentencePiece's `remove_extra_whitespaces`: none at the ends, one between words. */
  readonly removeExtra: boolean;
  /** How a tokenizer.json cuts words; absent = not at all, as in SentencePiece itself. */
  readonly words?: 'white-space' | 'spaces';
};

export type SentencePieceJson = Common & {
  readonly type: 'sentencepiece';
  /** [pieces.length] the higher, the sooner a piece is made; unless `merges` says so. */
  readonly scores: readonly number[];
  /** "left right" in the order of their making, as tokenizer.json has them. */
  readonly merges?: readonly string[];
  readonly unknownId: number;
  /** A text gets a space in front of it, at its start and after a control token. */
  readonly addSpacePrefix: boolean;
  /** Overrides `addSpacePrefix` where it is more than yes or no. */
  readonly spaces?: SpaceRule;
  readonly normalizer?: readonly NormalizerStep[];
  /** The pieces that a person's text may hold whole stand fast inside a text, as in a `tokenizer.model`. */
  readonly userDefinedInside?: boolean;
};
export type UnigramJson = Common & {
  readonly type: 'unigram';
  /** [pieces.length] log-probabilities. */
  readonly scores: readonly number[];
  readonly unknownId: number;
  /** Unknown characters become their UTF-8 bytes. */
  readonly byteFallback: boolean;
  readonly spaces: SpaceRule;
  readonly normalizer: readonly NormalizerStep[];
  /** From a tokenizer.model: what the unknown and the person's own pieces cost is reckoned as SentencePiece does. */
  readonly isModelFile: boolean;
};
/** How byte-level kinds cut text into words: a family's published rule. */
export type WordRule = 'gpt-2' | 'llama-3' | 'qwen-2' | 'falcon' | 'bloom' | 'tekken' | 'gpt-4o' | 'whole';
export type ByteBpeJson = Common & {
  readonly type: 'byte-bpe';
  readonly merges: readonly string[];
  readonly split: WordRule;
  readonly normalization?: 'NFC';
  /** A space in front of a text that does not begin with one (RoBERTa's). */
  readonly addSpacePrefix?: boolean;
  /** A word that is a piece is taken whole, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
};
export type WordPieceJson = Common & {
  readonly type: 'wordpiece';
  readonly unknownId: number;
  readonly lowerCase: boolean;
  /** Absent = as `lowerCase`. */
  readonly stripAccents?: boolean;
  /** Words of more characters than this are unknown. */
  readonly maxWordCharacters: number;
};
export type LibraryJson = {
  readonly type: 'huggingface';
  readonly tokenizer: Record<string, unknown>;
  readonly config: Record<string, unknown>;
  readonly vocabularySize: number;
};
/** The kinds that are ours. */
export type OwnTokenizerJson = SentencePieceJson | UnigramJson | ByteBpeJson | WordPieceJson;
export type TokenizerJson = OwnTokenizerJson | LibraryJson;

/** A part of a prompt: what the template wrote (may hold control tokens), or somebody's text (never does). */
export type PromptPiece = { readonly type: 'special' | 'text'; readonly text: string };

export type EncodeOptions = {
  /** Put the model's start and end ids around the text. Default true. */
  addSpecial?: boolean;
  /** Let names of control tokens in the text become them. Default false; never for text from outside. */
  parseSpecial?: boolean;
};

export type StreamDecoder = {
  /** The text that is certain after these ids: characters whose bytes are not all there yet are held back. */
  push(ids: ArrayLike<number>): string;
  /** What was held back; broken characters become U+FFFD. */
  end(): string;
};

export type Tokenizer = {
  readonly vocabularySize: number;
  encode(text: string, options?: EncodeOptions): Int32Array;
  /**
   * A prompt of template and texts, as one: pieces may merge into one token where they meet, control tokens may not.
   * A start id that the template wrote itself is not put there twice.
   */
  encodePieces(pieces: readonly PromptPiece[], options?: { addSpecial?: boolean }): Int32Array;
  /** The text of the ids; control tokens are left out. */
  decode(ids: ArrayLike<number>): string;
  streamDecoder(): StreamDecoder;
  /** The id of a piece by its exact name ("</s>"), or null. */
  idOf(piece: string): number | null;
  /** A piece's name, '' for an id that is none. */
  pieceOf(id: number): string;
  isControl(id: number): boolean;
};

/** What a kind of tokenizer must do; the rest is the same for all. */
export type TokenizerModel = {
  /** A text between control tokens; `first`: nothing stands before it, not even a control token. */
  encodeText(text: string, first: boolean): number[];
  /** UTF-8 of a piece, as it stands inside a text. */
  bytesOf(id: number): Uint8Array;
  /** Whether decoding drops one space at the start. */
  readonly dropsFirstSpace: boolean;
};
