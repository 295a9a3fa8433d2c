/** What the person may choose, and what this machine has. */
import { totalmem } from 'node:os';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { Settings } from '../contract/types.ts';
import { freeBytes } from '../free-bytes.ts';
import type { Models } from '../models/models.ts';
import type { Outside } from '../outside.ts';
import type { ConnectionTable } from '../store/connection-table.ts';
import type { SettingsTable } from '../store/settings-table.ts';

type SettingsHandlers = Pick<
  Handlers<QuothContract>,
  | 'readSettings'
  | 'changeSettings'
  | 'readLedger'
  | 'clearLedger'
  | 'forgetEverything'
  | 'describeMachine'
  | 'describeEngines'
>;

export type SettingsParts = {
  outside: Pick<Outside, 'native' | 'profileFolder' | 'version' | 'log'>;
  table: SettingsTable;
  ledger: ConnectionTable;
  models: Models;
  /** Told of all settings after every change. */
  onChange: (settings: Settings) => void;
  forget: ((what: { modelsToo: boolean }) => Promise<void>) | undefined;
};

/** After this the machine is described without the engine: its process may be starting again. */
const describeDeadlineMs = 10_000;

export function createSettings({ outside, table, ledger, models, onChange, forget }: SettingsParts): SettingsHandlers {
  return {
    readSettings: async () => table.read(),
    changeSettings: async (changed) => {
      const settings = table.change(changed);
      onChange(settings);
      return settings;
    },
    readLedger: async ({ before, limit }) => ({
      connections: ledger.list(limit, before),
      numConnections: ledger.count(),
    }),
    clearLedger: async () => {
      ledger.clear();
      return {};
    },
    forgetEverything: async ({ modelsToo }) => {
      if (!forget) throw new QuothError('unsupported', 'This Quoth cannot forget its profile while it runs.');
      await forget({ modelsToo });
      return {};
    },
    describeEngines: async () => ({ engines: await models.describeEngines() }),
    describeMachine: async () => {
      const [device, freeDiskBytes, inUse] = await Promise.all([
        describeDevice(outside),
        freeBytes(outside.profileFolder),
        models.inUse(),
      ]);
      return {
        version: outside.version,
        ...device,
        memoryBytes: totalmem(),
        freeDiskBytes: freeDiskBytes ?? 0,
        chatModel: inUse.chat?.name ?? null,
        embedder: inUse.embedder?.name ?? null,
        reranker: inUse.reranker?.name ?? null,
        // Only an install or a video can tell; nothing is sent anywhere to find out.
        offline: table.read().offline || models.seemsOffline(),
        profileFolder: outside.profileFolder,
      };
    },
  };
}

type Device = {
  device: 'cpu' | 'cuda';
  deviceName: string;
  deviceReason: string;
  numThreads: number;
  deviceBytes: number | null;
  vectorIndex: 'faiss' | 'exact';
  vectorIndexReason: string;
};

async function describeDevice(outside: SettingsParts['outside']): Promise<Device> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the engine does not answer')), describeDeadlineMs);
  });
  try {
    const report = await Promise.race([outside.native.describe(), late]);
    const { device, deviceName, reason, numThreads, totalBytes, vectorIndex, vectorIndexReason } = report;
    return {
      device,
      deviceName,
      deviceReason: reason,
      numThreads: Math.max(1, numThreads),
      deviceBytes: totalBytes ?? null,
      vectorIndex,
      vectorIndexReason,
    };
  } catch (error) {
    outside.log('warn', 'the engine could not describe the machine', { error: String(error) });
    return {
      device: 'cpu',
      deviceName: 'unknown',
      deviceReason: 'The engine does not answer at the moment; it is being started again.',
      numThreads: 1,
      deviceBytes: null,
      vectorIndex: 'exact',
      vectorIndexReason: 'The engine does not answer at the moment.',
    };
  } finally {
    clearTimeout(timer);
  }
}
