import type { ChatMessage } from '../../engines/templates.ts';
import type { Engine } from '../../native/index.ts';
import type { RemoteHost } from '../contract/types.ts';

/** A chat model in use: its engine, and the way from text to its tokens and back. */
export type ChatModel = {
  id: string;
  name: string;
  /** Of a model elsewhere, one that asks it; its `generate` fails with `QuothError`. */
  engine: Engine;
  /** Where it runs, if not here: what it is asked is sent there. */
  remote?: RemoteHost;
  contextTokens: number;
  /** Ids that end an answer. */
  stopIds: number[];
  /** Texts that end an answer when they appear, such as the template's own marks written out letter by letter. */
  stopStrings: string[];
  /** Tokens of a text inside a prompt; where texts meet, a sum of such counts may be a few too high. */
  countTokens(text: string): number;
  /** The whole prompt in the model's template. Nothing in `system` or `user` becomes a control token. */
  encodePrompt(system: string, user: string): Int32Array;
  /** A whole conversation in the model's template, as `encodePrompt`. Fails where the template knows no such order of roles. */
  encodeChat(messages: readonly ChatMessage[]): Int32Array;
  streamDecoder(): Decoder;
};

export type Decoder = {
  /** The text of the next ids; bytes of an unfinished character are held back. */
  push(ids: ArrayLike<number>): string;
  end(): string;
};
