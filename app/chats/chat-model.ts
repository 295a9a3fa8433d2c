import type { Engine } from '../../native/index.ts';

/** A chat model in use: its engine, and the way from text to its tokens and back. */
export type ChatModel = {
  id: string;
  name: string;
  engine: Engine;
  contextTokens: number;
  /** Ids that end an answer. */
  stopIds: number[];
  /** Texts that end an answer when they appear, such as the template's own marks written out as text. */
  stopStrings: string[];
  /** The ids of a text that stands inside a prompt. Nothing in it becomes a control token. */
  encode(text: string): number[];
  /** The template around a person's message: ids up to it, and from its end to where the answer begins. */
  frame(system: string): { before: number[]; after: number[] };
  createDecoder(): Decoder;
};

export type Decoder = {
  /** The text of the next ids; bytes of an unfinished character are held back. */
  push(ids: Iterable<number>): string;
  flush(): string;
};
