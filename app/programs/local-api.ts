/** The switch and the key of the door for other programs. It is shut unless the person opens it. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError, toErrorMessage } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import { type LocalApi, localApi as localApiSchema } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { SettingsTable } from '../store/settings-table.ts';

/** The shell that listens. It serves whoever has a key that `accepts`; what it serves it knows itself. */
export type LocalDoor = {
  /** Fails with `busy` and one sentence where the port is taken. */
  open(options: { port: number; accepts: (key: string) => boolean }): Promise<{ address: string }>;
  close(): Promise<void>;
};

export type LocalApiSwitch = {
  handlers: Pick<Handlers<QuothContract>, 'readLocalApi' | 'setLocalApi' | 'renewLocalApiKey'>;
  /** Opens it if the person wants it open. Never fails: what is wrong is told when it is asked for. */
  start(): Promise<void>;
  /** Opens it for this start only. `key`: one that was made, for there was none or a new one is wanted. */
  open(options: { port?: number; newKey?: boolean }): Promise<{ address: string; key: string | null }>;
  close(): Promise<void>;
};

/** The letters on a telephone's keys: QUOT. Not registered to anybody. */
const defaultPort = 7868;
/** 256 bits: not to be guessed, so a plain hash keeps it. */
const keyBytes = 32;

const key = 'localApi';
const stored = z.object({
  on: z.boolean(),
  port: localApiSchema.shape.port,
  keyHash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  keyMadeAtMs: z.number().nullable(),
});
type Stored = z.infer<typeof stored>;

export function createLocalApi(parts: {
  door: LocalDoor | undefined;
  settings: SettingsTable;
  outside: Pick<Outside, 'randomBytes' | 'nowMs' | 'log'>;
}): LocalApiSwitch {
  const { door, settings, outside } = parts;
  let address: string | null = null;
  let problem: string | null = null;
  /** One opening or shutting at a time. */
  let turn: Promise<unknown> = Promise.resolve();

  const read = (): Stored =>
    settings.readValue(key, stored, { on: false, port: defaultPort, keyHash: null, keyMadeAtMs: null });
  const write = (change: Partial<Stored>): void => settings.writeValue(key, { ...read(), ...change });

  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = turn.then(work, work);
    turn = mine.catch(() => {});
    return mine;
  }

  function accepts(given: string): boolean {
    const { keyHash } = read();
    return keyHash !== null && timingSafeEqual(Buffer.from(hashOf(given), 'hex'), Buffer.from(keyHash, 'hex'));
  }

  function makeKey(): string {
    const made = `quoth-${Buffer.from(outside.randomBytes(keyBytes)).toString('base64url')}`;
    write({ keyHash: hashOf(made), keyMadeAtMs: outside.nowMs() });
    return made;
  }

  function describe(): LocalApi {
    const { on, port, keyMadeAtMs } = read();
    return { on, port, address, problem: on ? problem : null, keyMadeAtMs };
  }

  async function shut(): Promise<void> {
    address = null;
    await door?.close();
  }

  async function reopen(port: number): Promise<string> {
    if (!door) throw new QuothError('unsupported', 'Only the window and "quoth serve" can let other programs in.');
    await shut();
    const opened = await door.open({ port, accepts });
    address = opened.address;
    return opened.address;
  }

  /** Makes the door what the person wants it to be, and keeps in mind why it cannot. */
  async function settle(): Promise<void> {
    const { on, port } = read();
    problem = null;
    try {
      if (on) await reopen(port);
      else await shut();
    } catch (error) {
      outside.log('warn', 'the local API could not be opened', { port, error: String(error) });
      problem = toErrorMessage(error).message;
    }
  }

  return {
    handlers: {
      readLocalApi: async () => describe(),
      setLocalApi: ({ on, port }) =>
        inTurn(async () => {
          if (on && !door)
            throw new QuothError('unsupported', 'Only the window and "quoth serve" can let other programs in.');
          write({ on, ...(port === undefined ? {} : { port }) });
          const made = on && read().keyHash === null ? makeKey() : null;
          await settle();
          return { localApi: describe(), key: made };
        }),
      renewLocalApiKey: () =>
        inTurn(async () => {
          const made = makeKey();
          return { localApi: describe(), key: made };
        }),
    },
    start: () =>
      inTurn(async () => {
        if (read().on) await settle();
      }),
    open: ({ port, newKey = false }) =>
      inTurn(async () => {
        const made = newKey || read().keyHash === null ? makeKey() : null;
        return { address: await reopen(port ?? read().port), key: made };
      }),
    close: () => inTurn(shut),
  };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
