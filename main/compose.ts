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
import { modelId, type Settings } from '../app/contract/types.ts';
import type { Log, Outside } from '../app/outside.ts';
import { finishWipe, wipeProfile } from '../app/store/wipe.ts';
import { createNodeSpawner } from '../ingest/readers/node-spawner.ts';
import { createReadFile } from '../ingest/run-reader.ts';
import { modelsFolder, samplesFolder } from './folders.ts';
import { createDoor } from './local-api/door.ts';
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
import { createSecrets, type Keychain } from './secrets.ts';
import { createTickets, type Tickets } from './tickets.ts';
import { version } from './version.ts';
import { watchFolder } from './watch-folder.ts';

/** The application, as the shells hold it. */
export type Core = {
  profileFolder: string;
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
  /** True: other programs can be let in, and are if the person wants that. */
  forPrograms?: boolean;
  /** The system's keychain; absent = the keys of servers are kept in a file of the profile. */
  keychain?: Keychain;
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

/** Ends what is on its way, and removes what is installed; the files go when the app is closed. */
async function removeModels({ handlers, listModels }: App): Promise<void> {
  const { signal } = new AbortController();
  for await (const { installs } of handlers.watchInstalls({}, signal)) {
    for (const install of installs) await handlers.cancelInstall({ modelId: modelId.parse(install.modelId) }, signal);
    break;
  }
  for (const { id, state } of await listModels())
    if (state !== 'available') await handlers.removeModel({ modelId: modelId.parse(id) }, signal);
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
    samplesFolder: samplesFolder(),
    native,
    readFile: createReadFile(spawnReader),
    watchFolder,
    fetch: options.fetch ?? globalThis.fetch,
    secrets: createSecrets(profileFolder, options.keychain ?? null),
    packageAddress,
    nowMs: Date.now,
    randomBytes: (numBytes) => randomBytes(numBytes),
    log,
    version,
  };
  let app: App;
  const door = options.forPrograms
    ? createDoor({ app: () => app, profileFolder, version, nowMs: Date.now, log })
    : undefined;
  async function open(): Promise<void> {
    app = await createApp(outside, {
      redeemTicket: tickets.redeem,
      resume: options.resume,
      onSettings: options.onSettings,
      forget,
      door,
    });
    if (door) await app.localApi.start();
  }
  let forgetting = false;
  async function forget({ modelsToo }: { modelsToo: boolean }): Promise<void> {
    if (forgetting) return;
    forgetting = true;
    try {
      if (modelsToo) await removeModels(app);
      await app.close();
      try {
        await wipeProfile(profileFolder);
      } finally {
        await open();
      }
    } finally {
      forgetting = false;
    }
    options.onForgotten?.();
  }
  try {
    await open();
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
