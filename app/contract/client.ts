import { QuothError } from './errors.ts';
import type { Port } from './port.ts';
import { type Client, type ClientMessage, type Contract, type Procedure, serverMessage } from './procedure.ts';

type Outcome = { type: 'done' } | { type: 'failed'; error: QuothError };

/** One conversation as the client sees it: items wait here until the loop asks for them. */
class Conversation {
  private items: unknown[] = [];
  private outcome: Outcome | undefined;
  private wake: (() => void) | undefined;

  push(item: unknown): void {
    this.items.push(item);
    this.wake?.();
  }

  end(outcome: Outcome): void {
    this.outcome ??= outcome;
    this.wake?.();
  }

  /** Nobody listens any more: what was not fetched is dropped, and a waiting `next` ends. */
  leave(): void {
    this.items = [];
    this.end({ type: 'done' });
  }

  get ended(): boolean {
    return this.outcome !== undefined;
  }

  /** The next item, or `undefined` at the end; throws what the server answered with. */
  async next(): Promise<{ item: unknown } | undefined> {
    for (;;) {
      if (this.items.length > 0) return { item: this.items.shift() };
      if (this.outcome?.type === 'failed') throw this.outcome.error;
      if (this.outcome) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

function cancelled(): QuothError {
  return new QuothError('cancelled', 'The work was stopped before it ended.');
}

/**
 * Typed functions for every procedure of a contract, over a port.
 *
 * A call resolves with its answer; a stream is an async iterable, and leaving its loop cancels the work on the other
 * side. The second argument is a signal: its abort cancels at once, also what waits, which then throws `cancelled`. When
 * the port closes, everything still open throws `closed`. What arrives is checked against the schema.
 */
export function createClient<C extends Contract>(contract: C, port: Port): Client<C> {
  const conversations = new Map<number, Conversation>();
  let nextId = 0;
  let closed = false;

  port.onMessage((message) => {
    const parsed = serverMessage.safeParse(message);
    if (!parsed.success) return;
    const conversation = conversations.get(parsed.data.id);
    if (!conversation) return;
    if (parsed.data.type === 'item') conversation.push(parsed.data.item);
    else if (parsed.data.type === 'done') conversation.end({ type: 'done' });
    else {
      const { code, message: text } = parsed.data.error;
      conversation.end({ type: 'failed', error: new QuothError(code, text) });
    }
  });
  port.onClose(() => {
    closed = true;
    const error = new QuothError('closed', 'The connection to Quoth ended. Please reload the window.');
    for (const conversation of conversations.values()) conversation.end({ type: 'failed', error });
  });

  /** One conversation as an iterator. `return` cancels at once, also while `next` waits: that one then ends. */
  function converse(
    name: string,
    procedure: Procedure,
    input: unknown,
    signal?: AbortSignal,
  ): AsyncIterableIterator<unknown, undefined> {
    const id = nextId++;
    const conversation = new Conversation();
    const schema = procedure.type === 'call' ? procedure.output : procedure.item;
    const send = (message: ClientMessage): void => port.send(message);
    let state: 'new' | 'open' | 'left' = 'new';

    const abort = (): void => {
      if (!conversation.ended) send({ type: 'cancel', id });
      conversation.end({ type: 'failed', error: cancelled() });
    };
    const leave = (): void => {
      if (state === 'open') {
        signal?.removeEventListener('abort', abort);
        conversations.delete(id);
        if (!conversation.ended) send({ type: 'cancel', id });
        conversation.leave();
      }
      state = 'left';
    };
    const open = (): void => {
      if (signal?.aborted) throw cancelled();
      if (closed) throw new QuothError('closed', 'The connection to Quoth ended. Please reload the window.');
      state = 'open';
      conversations.set(id, conversation);
      send({ type: 'open', id, procedure: name, input });
      signal?.addEventListener('abort', abort, { once: true });
    };
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        if (state === 'new') open();
        if (state === 'left') return { done: true, value: undefined };
        try {
          const next = await conversation.next();
          if (!next) {
            leave();
            return { done: true, value: undefined };
          }
          const item = schema.safeParse(next.item);
          if (!item.success)
            throw new QuothError('internal', `The answer to "${name}" is malformed.`, { cause: item.error });
          return { done: false, value: item.data };
        } catch (thrown) {
          leave();
          throw thrown;
        }
      },
      async return() {
        leave();
        return { done: true, value: undefined };
      },
    };
  }

  const functions: Record<string, unknown> = {};
  for (const [name, procedure] of Object.entries(contract)) {
    functions[name] =
      procedure.type === 'stream'
        ? (input: unknown, signal?: AbortSignal) => converse(name, procedure, input, signal)
        : async (input: unknown, signal?: AbortSignal) => {
            for await (const answer of converse(name, procedure, input, signal)) return answer;
            throw new QuothError('internal', `"${name}" ended without an answer.`);
          };
  }
  return functions as Client<C>;
}
