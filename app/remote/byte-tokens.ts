/**
 * Tokens for a model whose tokenizer is elsewhere. An id holds three bytes of UTF-8 and how many of them count:
 *
 *   id = numBytes << 24 | first << 16 | second << 8 | third        roles: -1, -2, -3
 *
 * So every text has ids, ids have their text, and nothing has to be remembered between them. The count is an estimate:
 * English has about four letters to a token and Japanese one character of three bytes, so it is too high rather than too low.
 */
import type { ChatMessage } from '../../engines/templates.ts';
import type { Decoder } from '../chats/chat-model.ts';

const bytesOfToken = 3;
const roles = ['system', 'user', 'assistant'] as const;

export function countByteTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / bytesOfToken);
}

export function encodeText(text: string): number[] {
  const bytes = Buffer.from(text);
  const ids: number[] = [];
  for (let at = 0; at < bytes.length; at += bytesOfToken) {
    const [first = 0, second = 0, third = 0] = bytes.subarray(at, at + bytesOfToken);
    ids.push((Math.min(bytesOfToken, bytes.length - at) << 24) | (first << 16) | (second << 8) | third);
  }
  return ids;
}

/** Each message as its role's id and those of its text. */
export function encodeMessages(messages: readonly ChatMessage[]): Int32Array {
  return Int32Array.from(
    messages.flatMap(({ role, content }) => [-1 - roles.indexOf(role), ...encodeText(content.toWellFormed())]),
  );
}

/** The messages that ids stand for. */
export function decodeMessages(ids: ArrayLike<number>): ChatMessage[] {
  const messages: { role: ChatMessage['role']; bytes: number[] }[] = [];
  for (const id of Array.from(ids)) {
    const role = id < 0 ? roles[-1 - id] : undefined;
    if (role) messages.push({ role, bytes: [] });
    else messages.at(-1)?.bytes.push(...bytesOf(id));
  }
  return messages.map(({ role, bytes }) => ({ role, content: Buffer.from(bytes).toString() }));
}

export function createByteDecoder(): Decoder {
  const decoder = new TextDecoder();
  return {
    push: (ids) => decoder.decode(Uint8Array.from(Array.from(ids).flatMap(bytesOf)), { stream: true }),
    end: () => decoder.decode(),
  };
}

function bytesOf(id: number): number[] {
  return [(id >> 16) & 255, (id >> 8) & 255, id & 255].slice(0, id >> 24);
}
