import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createClient } from '../../../app/contract/client.ts';
import { QuothError } from '../../../app/contract/errors.ts';
import { createMemoryPorts, type Port } from '../../../app/contract/port.ts';
import { call, type Handlers, stream } from '../../../app/contract/procedure.ts';
import { serve } from '../../../app/contract/server.ts';

const contract = {
  double: call(z.object({ value: z.number() }), z.object({ value: z.number() })),
  count: stream(z.object({ to: z.number().int() }), z.object({ value: z.number() })),
  forever: stream(z.object({}), z.object({ value: z.number() })),
  fail: call(z.object({ code: z.enum(['busy', 'fault']) }), z.object({})),
  wrong: call(z.object({}), z.object({ value: z.number() })),
} as const;

type Deferred = { promise: Promise<void>; resolve: () => void };

function deferred(): Deferred {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function waitForAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function connect(maxOpen = 256): {
  client: ReturnType<typeof createClient<typeof contract>>;
  clientPort: Port;
  serverPort: Port;
  aborted: Deferred;
  faults: string[];
} {
  const [clientPort, serverPort] = createMemoryPorts();
  const aborted = deferred();
  const faults: string[] = [];
  const handlers: Handlers<typeof contract> = {
    double: async ({ value }) => ({ value: value * 2 }),
    async *count({ to }) {
      for (let value = 1; value <= to; value++) yield { value };
    },
    async *forever(_input, signal) {
      yield { value: 0 };
      await waitForAbort(signal);
      aborted.resolve();
    },
    fail: async ({ code }) => {
      if (code === 'busy') throw new QuothError('busy', 'Another one is at work.');
      throw new TypeError('a secret path /home/someone');
    },
    wrong: async () => ({ value: 'not a number' as unknown as number }),
  };
  serve(contract, handlers, serverPort, { maxOpen, onFault: (procedure) => faults.push(procedure) });
  return { client: createClient(contract, clientPort), clientPort, serverPort, aborted, faults };
}

/** Speaks the wire itself: collects what the server answers, until `count` messages are there. */
function rawWire(port: Port): { send: (message: unknown) => void; take: (count: number) => Promise<unknown[]> } {
  const messages: unknown[] = [];
  let wake = (): void => {};
  port.onMessage((message) => {
    messages.push(message);
    wake();
  });
  return {
    send: (message) => port.send(message),
    take: async (count) => {
      while (messages.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return messages.splice(0, count);
    },
  };
}

describe('a conversation over a port', () => {
  it('answers a call, and yields the items of a stream in order', async () => {
    const { client } = connect();
    expect(await client.double({ value: 21 })).toEqual({ value: 42 });
    const values: number[] = [];
    for await (const item of client.count({ to: 100 })) values.push(item.value);
    expect(values).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  it('cancels on the server when the loop is left', async () => {
    const { client, aborted } = connect();
    for await (const item of client.forever({})) {
      expect(item.value).toBe(0);
      break;
    }
    await aborted.promise;
  });

  it('aborts what runs when the connection closes, and tells the client so', async () => {
    const { client, serverPort, aborted } = connect();
    const loop = (async () => {
      for await (const item of client.forever({})) if (item.value === 0) serverPort.close();
    })();
    await expect(loop).rejects.toMatchObject({ code: 'closed' });
    await aborted.promise;
    await expect(client.double({ value: 1 })).rejects.toMatchObject({ code: 'closed' });
  });

  it('aborts what runs when the client goes away without a word', async () => {
    const { client, clientPort, aborted } = connect();
    const iterator = client.forever({})[Symbol.asyncIterator]();
    await iterator.next();
    clientPort.close();
    await aborted.promise;
  });

  it('keeps the code and the sentence of an error, and hides the words of a fault of ours', async () => {
    const { client, faults } = connect();
    await expect(client.fail({ code: 'busy' })).rejects.toMatchObject({
      code: 'busy',
      message: 'Another one is at work.',
    });
    await expect(client.fail({ code: 'fault' })).rejects.toSatisfy(
      (error: unknown) => error instanceof QuothError && error.code === 'internal' && !error.message.includes('/home'),
    );
    expect(faults).toEqual(['fail']);
  });

  it('refuses an input that does not match, and an answer that does not', async () => {
    const { client } = connect();
    await expect(client.double({ value: 'two' as unknown as number })).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(client.wrong({})).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('a server that is sent rubbish', () => {
  it.each(['nothing', '__proto__', 'constructor', 'toString', ''])('knows no procedure %j', async (procedure) => {
    const { clientPort } = connect();
    const wire = rawWire(clientPort);
    wire.send({ type: 'open', id: 1, procedure, input: {} });
    expect(await wire.take(1)).toMatchObject([{ type: 'error', id: 1, error: { code: 'invalid-input' } }]);
  });

  it('goes on after messages that are no messages', async () => {
    const { clientPort } = connect();
    const wire = rawWire(clientPort);
    const rubbish = [
      null,
      7,
      'open',
      [],
      {},
      { type: 'open' },
      { type: 'open', id: -1, procedure: 'double', input: {} },
      { type: 'open', id: 1.5, procedure: 'double', input: {} },
      { type: 'open', id: 1, procedure: 'd'.repeat(1000), input: {} },
      { type: 'cancel', id: 'x' },
      { type: 'cancel', id: 99 },
    ];
    for (const message of rubbish) wire.send(message);
    wire.send({ type: 'open', id: 5, procedure: 'double', input: { value: 1 } });
    expect(await wire.take(2)).toEqual([
      { type: 'item', id: 5, item: { value: 2 } },
      { type: 'done', id: 5 },
    ]);
  });

  it('answers busy for one conversation too many, and is free again when one ends', async () => {
    const { clientPort } = connect(2);
    const wire = rawWire(clientPort);
    for (const id of [1, 2, 3]) wire.send({ type: 'open', id, procedure: 'forever', input: {} });
    const first = await wire.take(3);
    expect(first).toContainEqual(
      expect.objectContaining({ type: 'error', id: 3, error: expect.objectContaining({ code: 'busy' }) }),
    );
    wire.send({ type: 'cancel', id: 1 });
    // The place is free once the handler has ended: ask until it is.
    let answered: unknown;
    for (let id = 10; answered === undefined; id++) {
      wire.send({ type: 'open', id, procedure: 'double', input: { value: 4 } });
      const [message] = (await wire.take(1)) as { type: string; item?: unknown }[];
      if (message?.type === 'item') answered = message.item;
    }
    expect(answered).toEqual({ value: 8 });
  });

  it('lets a cancelled conversation say nothing more', async () => {
    const { clientPort, aborted } = connect();
    const wire = rawWire(clientPort);
    wire.send({ type: 'open', id: 1, procedure: 'forever', input: {} });
    await wire.take(1);
    wire.send({ type: 'cancel', id: 1 });
    await aborted.promise;
    wire.send({ type: 'open', id: 2, procedure: 'double', input: { value: 1 } });
    expect((await wire.take(2)).map((message) => (message as { id: number }).id)).toEqual([2, 2]);
  });

  it('does not start a second conversation under the id of one that runs', async () => {
    const { clientPort } = connect();
    const wire = rawWire(clientPort);
    wire.send({ type: 'open', id: 1, procedure: 'forever', input: {} });
    await wire.take(1);
    wire.send({ type: 'open', id: 1, procedure: 'double', input: { value: 1 } });
    wire.send({ type: 'open', id: 2, procedure: 'double', input: { value: 1 } });
    expect((await wire.take(1))[0]).toMatchObject({ id: 2 });
  });
});
