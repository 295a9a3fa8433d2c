/** A world outside for tests: a profile of its own, real readers, no network and, unless given, no engine. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, type AppOptions, createApp } from '../../app/app.ts';
import { createClient } from '../../app/contract/client.ts';
import { type AddEvent, contract, type QuothContract } from '../../app/contract/contract.ts';
import { createMemoryPorts } from '../../app/contract/port.ts';
import type { Client } from '../../app/contract/procedure.ts';
import { serve } from '../../app/contract/server.ts';
import type { Install, ModelId } from '../../app/contract/types.ts';
import type { AppKit } from '../../app/models/kit.ts';
import type { Outside, Secrets } from '../../app/outside.ts';
import { createNodeSpawner } from '../../ingest/readers/node-spawner.ts';
import { createReadFile } from '../../ingest/run-reader.ts';
import { samplesFolder } from '../../main/folders.ts';
import { watchFolder } from '../../main/watch-folder.ts';
import { type Native, NativeError } from '../../native/index.ts';

/** An engine's process that cannot be started. */
export const noNative: Native = {
  describe: async () => refuse(),
  planMemory: async () => refuse(),
  loadEngine: async () => refuse(),
  openVectorIndex: async () => refuse(),
  builder: { toFloat32: async () => refuse(), pack: async () => refuse() },
};

function refuse(): never {
  throw new NativeError('unsupported', 'There is no engine here.');
}

/** No models at all: words alone are searched, quotes alone answer. */
export const noModels: AppKit = {
  offers: [],
  build: async () => refuse(),
  openChat: async () => refuse(),
  openEmbedder: async () => refuse(),
  openReranker: async () => refuse(),
  closeChat: async () => {},
  closeEmbedder: async () => {},
  closeReranker: async () => {},
  engineOf: () => null,
};

/** Keys that are gone with the test. */
export function createMemorySecrets(): Secrets {
  const kept = new Map<string, string>();
  return {
    protection: async () => 'file',
    read: async (name) => kept.get(name) ?? null,
    async write(name, secret) {
      if (secret === null) kept.delete(name);
      else kept.set(name, secret);
    },
  };
}

export type Scene = {
  /** A folder for the person's files, with a name that is no plain ASCII. */
  files: string;
  outside: Outside;
  logged: string[];
  /** Opens the app on the profile and connects to it through the contract. */
  open(options?: AppOptions): Promise<{ app: App; client: Client<QuothContract>; disconnect: () => void }>;
  /** A ticket for a path. */
  ticket(path: string): string;
  remove(): Promise<void>;
};

export async function createScene(changes: Partial<Outside> = {}): Promise<Scene> {
  const root = await mkdtemp(join(tmpdir(), 'quoth 山田 太郎 '));
  const logged: string[] = [];
  const paths = new Map<string, string>();
  const outside: Outside = {
    profileFolder: join(root, 'profile'),
    modelsFolder: join(root, 'models'),
    samplesFolder: samplesFolder(),
    native: noNative,
    readFile: createReadFile(createNodeSpawner()),
    watchFolder,
    fetch: async () => {
      throw new TypeError('fetch failed');
    },
    secrets: createMemorySecrets(),
    packageAddress: async () => null,
    nowMs: Date.now,
    randomBytes,
    log: (level, message, details) => {
      logged.push(`${level} ${message} ${JSON.stringify(details ?? {})}`);
    },
    version: '0.0.0-test',
    ...changes,
  };
  const opened = new Set<App>();
  return {
    files: root,
    outside,
    logged,
    async open(options = {}) {
      const app = await createApp(outside, { kit: noModels, redeemTicket: (ticket) => paths.get(ticket), ...options });
      opened.add(app);
      const [clientPort, serverPort] = createMemoryPorts();
      serve(contract, app.handlers, serverPort, {
        onFault: (procedure, thrown) => logged.push(`fault ${procedure} ${String(thrown)} ${(thrown as Error).stack}`),
      });
      return { app, client: createClient(contract, clientPort), disconnect: () => clientPort.close() };
    },
    ticket(path) {
      const ticket = randomBytes(24).toString('base64url');
      paths.set(ticket, path);
      return ticket;
    },
    async remove() {
      for (const app of opened) await app.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Asks for a model and follows it to its end: all that was told of it on the way. Throws why it failed. */
export async function installed(client: Client<QuothContract>, id: string, ask = true): Promise<Install[]> {
  if (ask) await client.installModel({ modelId: id as ModelId });
  const told: Install[] = [];
  for await (const { installs } of client.watchInstalls({})) {
    const install = installs.find(({ modelId }) => modelId === id);
    if (!install) break;
    told.push(install);
    if (install.state === 'failed') throw new Error(install.reason ?? 'it failed without a reason');
    if (install.state === 'paused') break;
  }
  return told;
}

export function documentsOf(events: AddEvent[]) {
  return events.flatMap((event) => (event.type === 'document' ? [event.document] : []));
}

export function summaryOf(events: AddEvent[]) {
  const last = events.at(-1);
  if (last?.type !== 'summary') throw new Error(`the last event is ${last?.type ?? 'missing'}`);
  return { numReady: last.numReady, numFailed: last.numFailed };
}
