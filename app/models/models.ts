/** The models: what is offered, what is on its way, what lies on the disk and where, which are in use, and their engines. */
import { rm } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { createChannel } from '../channel.ts';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { EngineReport, ModelId, ModelSummary, ModelsWork } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { SettingsTable } from '../store/settings-table.ts';
import { createEngines, type EngineKit, type Engines } from './engines.ts';
import { createMachineFacts, mostMemoryBytes } from './fit.ts';
import { createInstallJobs } from './install-jobs.ts';
import { createInstalls } from './installs.ts';
import { createModelList, type InstalledKit } from './model-list.ts';
import { createModelsHome } from './models-home.ts';
import { createModelsPlace } from './models-place.ts';
import type { BuildOffer, KitRole, Offer, PlanRole, Role } from './offer.ts';
import { gather, look, ownId, refuseTooLarge } from './own-files.ts';
import { createRemovals } from './removals.ts';

type ModelHandlers = Pick<
  Handlers<QuothContract>,
  | 'listModels'
  | 'watchInstalls'
  | 'installModel'
  | 'pauseInstall'
  | 'cancelInstall'
  | 'removeModel'
  | 'restoreModel'
  | 'useModel'
  | 'cancelMove'
>;

export type ModelKit<Chat, Embedder, Reranker> = EngineKit<Chat, Embedder, Reranker> & {
  offers: readonly Offer[];
  build: BuildOffer;
};

export type Models<Chat = unknown, Embedder = unknown, Reranker = unknown> = Pick<
  Engines<Chat, Embedder, Reranker>,
  'chat' | 'embedder' | 'reranker' | 'noteFailure'
> & {
  handlers: ModelHandlers;
  inUse(): Promise<Record<PlanRole, Offer | null>>;
  /** What readers use of a role: the speech model in use, or all languages of scanned pages that are. */
  kitsOf(role: KitRole): Promise<InstalledKit[]>;
  /** All models with the paths of their plans: for the command line. */
  listWithPlans(): Promise<ModelSummary[]>;
  /** Makes a model of files by their paths, which are absolute; see `importModel` of the contract. */
  importPaths(paths: readonly string[], name?: string): Promise<{ modelId: ModelId }>;
  /** Begins to move all models into a folder, which is absolute. */
  moveTo(folder: string): Promise<void>;
  /** Where the models lie now. */
  folder(): string;
  /** The engines that are loaded now. */
  describeEngines(): Promise<EngineReport[]>;
  seemsOffline(): boolean;
  close(): Promise<void>;
};

export type ModelsOptions = {
  /** Called when another embedder is in use than before, or the first one. */
  onEmbedderChange: () => void;
  /** Called when readers have more, less or something else of a role than before. */
  onKitsChange?: ((role: KitRole) => void) | undefined;
  /** Do not go on with what an earlier process left; absent = do. */
  resume?: boolean | undefined;
  /** How long a removed model can be brought back; for tests. */
  undoMs?: number | undefined;
};

export function createModels<Chat, Embedder, Reranker>(
  outside: Outside,
  settings: SettingsTable,
  kit: ModelKit<Chat, Embedder, Reranker>,
  options: ModelsOptions,
): Models<Chat, Embedder, Reranker> {
  const { log } = outside;
  const machine = createMachineFacts(outside);
  const place = createModelsPlace(outside.modelsFolder);
  const list = createModelList({
    offers: kit.offers,
    folder: place.folder,
    settings,
    machine,
    busyWith: (id) => {
      const running = installs.list().find(({ modelId, state }) => modelId === id && state === 'running');
      return running && (running.step === 'build' ? 'building' : 'downloading');
    },
  });
  const engines = createEngines(kit, list, log);
  const removals = createRemovals(log, options.undoMs);
  const watchers = new Set<(work: ModelsWork) => void>();
  let offline = false;

  const work = (): ModelsWork => ({
    installs: installs.list(),
    downloadBytesPerSecond: installs.downloadBytesPerSecond(),
    folder: home.state(),
  });
  const tell = (): void => {
    if (watchers.size === 0) return;
    const now = work();
    for (const watcher of watchers) watcher(now);
  };

  /** Of which model of each role's was in use before an install of it began. */
  const before = new Map<string, string | undefined>();
  const installs = createInstalls({
    outside,
    settings,
    onChange: tell,
    onInstalled: async ({ id, role }) => {
      offline = false;
      list.unloadable.delete(id);
      list.takeUp({ id, role });
      await home.measure();
      const former = before.get(id);
      if (former === undefined || former === id || role === 'scan') await forget(role);
    },
    onFailed: (_job, error) => {
      if (error instanceof QuothError && error.code === 'offline') offline = true;
    },
  });
  const home = createModelsHome({
    place,
    log,
    nowMs: outside.nowMs,
    onChange: tell,
    pauseInstalls: installs.hold,
    letGo: async () => {
      await Promise.all((['chat', 'embedder', 'reranker'] as const).map(engines.forget));
    },
    finishRemovals: removals.close,
  });

  async function forget(role: Role): Promise<void> {
    if (role === 'speech' || role === 'scan') return options.onKitsChange?.(role);
    await engines.forget(role);
    if (role === 'embedder') options.onEmbedderChange();
  }

  async function mustFind(id: string): Promise<Offer> {
    const offer = await list.find(id);
    if (offer) return offer;
    throw new QuothError('not-found', 'There is no such model. The list of models has the names.');
  }

  /** A folder on a drive that is not there is not made anew: the models on it would be forgotten. */
  async function refuseUnreachable(): Promise<void> {
    if (await place.isUnreachable())
      throw new QuothError(
        'not-found',
        'The folder of the models cannot be reached. Please connect its drive, or move the models elsewhere.',
      );
  }

  /** A plan that an engine has open cannot be replaced on every system. */
  async function prepare(offer: Offer): Promise<void> {
    await refuseUnreachable();
    const former = (await list.inUseOf(offer.role))?.id;
    before.set(offer.id, former);
    if (former === offer.id) await engines.forget(offer.role);
  }

  const jobs = createInstallJobs({ outside, list, offers: kit.offers, build: kit.build, prepare });
  const resume = options.resume !== false;
  const started = home.start(() => removals.tidy(place.folder()), resume);
  void installs.restore(jobs.jobOf, resume);

  return {
    handlers: {
      listModels: async () => ({ models: (await list.summaries()).map((model) => ({ ...model, plan: null })) }),
      async *watchInstalls(_input, signal) {
        const channel = createChannel<ModelsWork>({ keyOf: () => 'newest' });
        const leave = (): void => channel.end();
        watchers.add(channel.push);
        signal.addEventListener('abort', leave, { once: true });
        try {
          await started;
          channel.push(work());
          if (!signal.aborted) yield* channel.items;
        } finally {
          watchers.delete(channel.push);
          signal.removeEventListener('abort', leave);
        }
      },
      installModel: async ({ modelId }) => {
        const waiting = installs.find(modelId);
        if (waiting) installs.begin(waiting);
        else {
          const offer = await mustFind(modelId);
          await refuseUnreachable();
          if (offer.own)
            throw new QuothError('unsupported', 'This model was made of your own files. Please import them again.');
          if (!(await removals.restore(list.folderOf(offer)))) installs.begin(jobs.catalogueJob(offer));
        }
        return {};
      },
      pauseInstall: async ({ modelId }) => {
        await installs.pause(modelId);
        return {};
      },
      cancelInstall: async ({ modelId }) => {
        await installs.cancel(modelId);
        return {};
      },
      removeModel: async ({ modelId }) => {
        const offer = await mustFind(modelId);
        await installs.cancel(modelId);
        const wasInUse = await list.isInUse(offer);
        if (wasInUse) await engines.forget(offer.role);
        const freedBytes = await removals.remove(list.folderOf(offer));
        list.unloadable.delete(modelId);
        if (wasInUse) await forget(offer.role);
        await home.measure();
        return { freedBytes };
      },
      restoreModel: async ({ modelId }) => {
        if (!(await removals.restore(list.folderOf({ id: modelId }))))
          throw new QuothError('not-found', 'The files of this model are gone. It can be installed again.');
        const { role } = await mustFind(modelId);
        await forget(role);
        await home.measure();
        return {};
      },
      useModel: async ({ modelId, inUse: wanted = true }) => {
        const offer = await mustFind(modelId);
        if (!wanted && offer.role !== 'reranker' && offer.role !== 'scan')
          throw new QuothError(
            'unsupported',
            'Quoth always uses one such model. Please choose another one, or remove it.',
          );
        if (!(await list.isInstalled(offer)))
          throw new QuothError('no-model', `"${offer.name}" is not installed yet. Please install it first.`);
        const wasInUse = await list.isInUse(offer);
        if (!wanted && !wasInUse) return {};
        list.choose(offer, wanted);
        if (wanted !== wasInUse) await forget(offer.role);
        return {};
      },
      cancelMove: async () => {
        home.cancelMove();
        return {};
      },
    },
    chat: engines.chat,
    embedder: engines.embedder,
    reranker: engines.reranker,
    noteFailure: engines.noteFailure,
    inUse: list.inUse,
    kitsOf: list.kitsOf,
    listWithPlans: list.summaries,
    async importPaths(paths, name) {
      const unnamed = name ?? '';
      const first = paths[0] ?? '';
      const id = ownId(unnamed || basename(first, extname(first)), outside.randomBytes(4));
      const where = list.folderOf({ id });
      await refuseUnreachable();
      try {
        const found = await look(await gather(paths, join(where.download, 'checkpoint')));
        await refuseTooLarge(found, place.folder(), mostMemoryBytes(await machine.get()));
        installs.begin(
          jobs.ownJob(id, { paths: [...paths], name: unnamed || found.name.slice(0, 100), role: found.role }),
        );
      } catch (error) {
        await rm(where.folder, { recursive: true, force: true });
        throw error;
      }
      return { modelId: id as ModelId };
    },
    moveTo: home.moveTo,
    folder: place.folder,
    describeEngines: engines.describe,
    seemsOffline: () => offline,
    async close() {
      await home.close();
      await installs.close();
      await removals.close();
      await Promise.all((['chat', 'embedder', 'reranker'] as const).map(engines.forget));
    },
  };
}
