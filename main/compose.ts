/**
 * The one place where real things are wired together. Which process a thing lives in is decided here alone: the engine in
 * a supervised child, each untrusted file in a reader of its own, everything else in this process.
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type App, createApp } from '../app/app.ts';
import { contract, type QuothContract } from '../app/contract/contract.ts';
import { QuothError } from '../app/contract/errors.ts';
import type { Port } from '../app/contract/port.ts';
import type { Handlers } from '../app/contract/procedure.ts';
import { serve } from '../app/contract/server.ts';
import type { Settings } from '../app/contract/types.ts';
import type { Log, Outside } from '../app/outside.ts';
import { finishWipe, wipeProfile } from '../app/store/wipe.ts';
import { createNodeSpawner } from '../ingest/readers/node-spawner.ts';
import { createReadFile } from '../ingest/run-reader.ts';
import { modelsFolder } from './folders.ts';
import { createLogFile } from './log-file.ts';
import { packageAddress } from './package-address.ts';
import {
  childEnvironment,
  createReaderSpawner,
  type EngineSupervisor,
  entryPath,
  forkProcess,
  type StartProcess,
  superviseEngine,
} from './processes.ts';
import { createTickets, type Tickets } from './tickets.ts';
import { version } from './version.ts';
import { watchFolder } from './watch-folder.ts';

/** The application, as the shells hold it. */
export type Core = {
  profileFolder: string;
  modelsFolder: string;
  readonly app: App;
  /** Every procedure of the contract, for the command line; the shells `connect` a port instead. */
  handlers: Handlers<QuothContract>;
  tickets: Tickets;
  /** The engine's process; the benchmarks speak with it directly. */
  native: EngineSupervisor;
  /** Answers the contract on a port until it closes. */
  connect(port: Port): void;
  log: Log;
  /** To be called when the computer has slept: what may have changed meanwhile is looked at. */
  wake(): Promise<void>;
  /** Gives the profile free and ends all children. May be called twice. */
  close(): Promise<void>;
};

export type ComposeOptions = {
  profileFolder: string;
  /** False: do not take up unfinished documents; for a command that only looks. */
  resume?: boolean;
  /** Where models lie; absent = this user's. */
  modelsFolder?: string;
  /** Told of all settings, at the opening and after every change. */
  onSettings?: (settings: Settings) => void;
  /** Told when the whole profile was removed and opened anew: what else belongs to it is to go, too. */
  onForgotten?: () => void;
  /** How the engine and the readers are started; absent = as forks of this process. */
  startProcess?: StartProcess;
  /** The runtime's own, where a shell has taken it away from the rest of its process; absent = `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch;
};

/** The engine's supervisor without a profile: for commands that only run a plan. */
export function composeEngine(log: Log = () => undefined, startProcess = forkProcess): EngineSupervisor {
  return superviseEngine({ startProcess, nowMs: Date.now, wait: (ms) => pause(ms), log });
}

/** Opens a profile. Fails with one sentence for the person when another Quoth has it open or the disk does not allow it. */
export async function compose(options: ComposeOptions): Promise<Core> {
  const profileFolder = path.resolve(options.profileFolder);
  await mkdir(profileFolder, { recursive: true, mode: 0o700 });
  await finishWipe(profileFolder);
  const log = createLogFile(profileFolder, Date.now);
  const tickets = createTickets({ randomBytes, nowMs: Date.now });
  const native = composeEngine(log, options.startProcess);
  const models = options.modelsFolder ?? modelsFolder();

  const spawnReader = options.startProcess
    ? createReaderSpawner(options.startProcess)
    : createNodeSpawner({ readerMain: entryPath('reader-main'), env: childEnvironment(process.env) });
  const outside: Outside = {
    profileFolder,
    modelsFolder: models,
    native,
    readFile: createReadFile(spawnReader),
    watchFolder,
    fetch: options.fetch ?? globalThis.fetch,
    packageAddress,
    nowMs: Date.now,
    randomBytes: (numBytes) => randomBytes(numBytes),
    log,
    version,
  };
  const open = (): Promise<App> =>
    createApp(outside, {
      redeemTicket: tickets.redeem,
      resume: options.resume,
      onSettings: options.onSettings,
      forget,
    });
  let app: App;
  let forgetting = false;
  async function forget({ modelsToo }: { modelsToo: boolean }): Promise<void> {
    if (forgetting) return;
    forgetting = true;
    try {
      if (modelsToo)
        for (const { id, state } of await app.listModels())
          if (state !== 'available') await app.handlers.removeModel({ modelId: id }, new AbortController().signal);
      await app.close();
      try {
        await wipeProfile(profileFolder);
      } finally {
        app = await open();
      }
    } finally {
      forgetting = false;
    }
    options.onForgotten?.();
  }
  try {
    app = await open();
  } catch (error) {
    native.close();
    throw error;
  }
  log('info', 'Quoth opened', { version, node: process.versions.node, platform: process.platform });

  // The application behind them may be opened anew: each call goes to the one that is open.
  const handlers = Object.fromEntries(
    Object.keys(contract).map((name) => [
      name,
      (input: never, signal: AbortSignal) => {
        if (forgetting) throw new QuothError('busy', 'Everything is being removed; please wait a moment.');
        return app.handlers[name as keyof QuothContract](input, signal);
      },
    ]),
  ) as unknown as Handlers<QuothContract>;
  let closing: Promise<void> | undefined;
  return {
    profileFolder,
    modelsFolder: models,
    get app() {
      return app;
    },
    handlers,
    tickets,
    native,
    connect: (port) =>
      serve(contract, handlers, port, {
        onFault: (procedure, error) => log('error', `The procedure ${procedure} failed`, { error }),
      }),
    log,
    async wake() {
      log('info', 'the computer has woken');
      app.library.lookAgain();
      await native.recheck();
    },
    close() {
      closing ??= app.close().finally(() => native.close());
      return closing;
    },
  };
}
