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
};
export type ByteBpeJson = Common & {
  readonly type: 'byte-bpe';
  readonly merges: readonly string[];
  /** Which regular expression cuts text into words. */
  readonly split: 'gpt-2' | 'llama-3' | 'qwen-2';
  readonly normalization?: 'NFC';
  /** A word that is a piece is taken whole, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
};
export type WordPieceJson = Common & {
  readonly type: 'wordpiece';
  readonly unknownId: number;
  readonly lowerCase: boolean;
  /** Words of more characters than this are unknown. */
  readonly maxWordCharacters: number;
};
export type LibraryJson = {
  readonly type: 'huggingface';
  readonly tokenizer: Record<string, unknown>;
  readonly config: Record<string, unknown>;
  readonly vocabularySize: number;
};
export type TokenizerJson = SentencePieceJson | ByteBpeJson | WordPieceJson | LibraryJson;

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
  /** `first`: the text stands at the start or after a control token. */
  encodeText(text: string, first: boolean): number[];
  /** UTF-8 of a piece, as it stands inside a text. */
  bytesOf(id: number): Uint8Array;
  /** Whether decoding drops one space at the start. */
  readonly dropsFirstSpace: boolean;
};
