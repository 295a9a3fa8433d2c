/**
 * What a procedure is: a `call` answers once, a `stream` yields items until it is done. Both check what crosses the
 * border against a zod schema, on the side that receives it.
 *
 * On the wire, every procedure is the same small conversation, started by the client:
 *
 *     client → {type: 'open', id, procedure, input}          server → {type: 'item', id, item} *
 *     client → {type: 'cancel', id}                          server → {type: 'done', id} | {type: 'error', id, error}
 */
import { z } from 'zod';
import { errorCodes } from './errors.ts';

export type Call<Input extends z.ZodType, Output extends z.ZodType> = { type: 'call'; input: Input; output: Output };
export type Stream<Input extends z.ZodType, Item extends z.ZodType> = { type: 'stream'; input: Input; item: Item };
export type Procedure = Call<z.ZodType, z.ZodType> | Stream<z.ZodType, z.ZodType>;
export type Contract = { readonly [name: string]: Procedure };

/** A procedure that answers once. */
export function call<Input extends z.ZodType, Output extends z.ZodType>(
  input: Input,
  output: Output,
): Call<Input, Output> {
  return { type: 'call', input, output };
}

/** A procedure that yields items. Leaving the loop on the client's side cancels it on the server's. */
export function stream<Input extends z.ZodType, Item extends z.ZodType>(input: Input, item: Item): Stream<Input, Item> {
  return { type: 'stream', input, item };
}

/** The functions a client gets from a contract. An aborted `signal` cancels the work and throws `cancelled`. */
export type Client<C extends Contract> = {
  readonly [Name in keyof C]: C[Name] extends Call<infer Input, infer Output>
    ? (input: z.input<Input>, signal?: AbortSignal) => Promise<z.output<Output>>
    : C[Name] extends Stream<infer Input, infer Item>
      ? (input: z.input<Input>, signal?: AbortSignal) => AsyncIterable<z.output<Item>>
      : never;
};

/** The functions a server must bring. `signal` aborts when the caller cancels or its connection closes. */
export type Handlers<C extends Contract> = {
  readonly [Name in keyof C]: C[Name] extends Call<infer Input, infer Output>
    ? (input: z.output<Input>, signal: AbortSignal) => Promise<z.input<Output>>
    : C[Name] extends Stream<infer Input, infer Item>
      ? (input: z.output<Input>, signal: AbortSignal) => AsyncIterable<z.input<Item>>
      : never;
};

const id = z.number().int().nonnegative();

export const clientMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('open'), id, procedure: z.string().max(100), input: z.unknown() }),
  z.object({ type: z.literal('cancel'), id }),
]);

export const serverMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('item'), id, item: z.unknown() }),
  z.object({ type: z.literal('done'), id }),
  z.object({ type: z.literal('error'), id, error: z.object({ code: z.enum(errorCodes), message: z.string() }) }),
]);

export type ClientMessage = z.infer<typeof clientMessage>;
export type ServerMessage = z.infer<typeof serverMessage>;
