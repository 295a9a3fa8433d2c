import { QuothError, toErrorMessage } from './errors.ts';
import type { Port } from './port.ts';
import { type Contract, clientMessage, type Handlers, type ServerMessage } from './procedure.ts';

export type ServeOptions = {
  /** Told of every error that is a fault of ours (code `internal`), for the log. */
  onFault?: (procedure: string, thrown: unknown) => void;
  /** The most conversations one connection may hold open; one more is answered `busy`. */
  maxOpen?: number;
};

/**
 * Answers a contract's procedures on a port: checks each input, runs its handler, streams its items, maps what it throws
 * to the closed list of codes, and aborts what still runs when the caller cancels or the connection closes.
 */
export function serve<C extends Contract>(
  contract: C,
  handlers: Handlers<C>,
  port: Port,
  options: ServeOptions = {},
): void {
  const running = new Map<number, AbortController>();
  const maxOpen = options.maxOpen ?? 256;
  const send = (message: ServerMessage): void => port.send(message);

  async function run(id: number, name: string, input: unknown, signal: AbortSignal): Promise<void> {
    const procedure = Object.hasOwn(contract, name) ? contract[name] : undefined;
    const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
    if (!procedure || !handler) throw new QuothError('invalid-input', `There is no procedure "${name}".`);
    const parsed = procedure.input.safeParse(input);
    if (!parsed.success)
      throw new QuothError('invalid-input', `The request "${name}" is malformed.`, { cause: parsed.error });
    if (procedure.type === 'call') {
      const answer = await (handler as (input: unknown, signal: AbortSignal) => Promise<unknown>)(parsed.data, signal);
      if (!signal.aborted) send({ type: 'item', id, item: answer });
      return;
    }
    const items = (handler as (input: unknown, signal: AbortSignal) => AsyncIterable<unknown>)(parsed.data, signal);
    for await (const item of items) {
      if (signal.aborted) return;
      send({ type: 'item', id, item });
    }
  }

  async function open(id: number, name: string, input: unknown): Promise<void> {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      await run(id, name, input, controller.signal);
      if (!controller.signal.aborted) send({ type: 'done', id });
    } catch (thrown) {
      const error = toErrorMessage(thrown);
      if (error.code === 'internal') options.onFault?.(name, thrown);
      if (!controller.signal.aborted) send({ type: 'error', id, error });
    } finally {
      running.delete(id);
    }
  }

  port.onMessage((message) => {
    const parsed = clientMessage.safeParse(message);
    if (!parsed.success) return;
    const { id } = parsed.data;
    if (parsed.data.type === 'cancel') {
      running.get(id)?.abort();
      return;
    }
    if (running.has(id)) return;
    if (running.size >= maxOpen) {
      send({ type: 'error', id, error: { code: 'busy', message: 'Too much at once; please wait a moment.' } });
      return;
    }
    void open(id, parsed.data.procedure, parsed.data.input);
  });
  port.onClose(() => {
    for (const controller of running.values()) controller.abort();
  });
}
