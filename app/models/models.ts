/** The models: what is offered, what lies on the disk, which are in use, and the engines that run them. */
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import type { Engine } from '../../native/index.ts';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { EngineReport, ModelId, ModelSummary } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { SettingsTable } from '../store/settings-table.ts';
import { describeEngine } from './describe-engine.ts';
import { hashFile } from './download.ts';
import { install } from './install.ts';
import { createLoaded, isEngineDeath } from './loaded.ts';
import { isLocked, modelFolder, readModelFolder, withModelLock } from './model-folder.ts';
import { type BuildOffer, downloadBytesOf, type Offer } from './offer.ts';

type ModelHandlers = Pick<Handlers<QuothContract>, 'listModels' | 'installModel' | 'removeModel' | 'useModel'>;
type Role = Offer['role'];

/** What a role's engine needs to be opened. `Chat`, `Embedder` and `Reranker` are whatever the kit makes of an engine. */
export type ModelKit<Chat, Embedder, Reranker> = {
  offers: readonly Offer[];
  build: BuildOffer;
  openChat: (plan: string, offer: Offer, planSha256: string) => Promise<Chat>;
  openEmbedder: (plan: string, offer: Offer, planSha256: string) => Promise<Embedder>;
  openReranker: (plan: string, offer: Offer, planSha256: string) => Promise<Reranker>;
  closeChat: (chat: Chat) => Promise<void>;
  closeEmbedder: (embedder: Embedder) => Promise<void>;
  closeReranker: (reranker: Reranker) => Promise<void>;
  engineOf: (thing: Chat | Embedder | Reranker) => Engine | null;
};

export type Models<Chat = unknown, Embedder = unknown, Reranker = unknown> = {
  handlers: ModelHandlers;
  /** The chat model in use with its engine, or `null` when none is installed. */
  chat(): Promise<Chat | null>;
  embedder(): Promise<Embedder | null>;
  /** The reranker in use; `null` when none is installed, or the person has set it aside. */
  reranker(): Promise<Reranker | null>;
  /**
   * To be told what a use of `thing` (a model from here) failed with. True when its engine has died: it
   * is forgotten then, and the next one asked for is opened anew.
   */
  noteFailure(error: unknown, thing: Chat | Embedder | Reranker): boolean;
  inUse(): Promise<Record<Role, Offer | null>>;
  /** All models with the paths of their plans: for the command line. */
  listWithPlans(): Promise<ModelSummary[]>;
  /** The engines that are loaded now. */
  describeEngines(): Promise<EngineReport[]>;
  seemsOffline(): boolean;
  close(): Promise<void>;
};

export type ModelsOptions = {
  /** Called when another embedder is in use than before, or the first one. */
  onEmbedderChange: () => void;
};

export function createModels<Chat, Embedder, Reranker>(
  outside: Outside,
  settings: SettingsTable,
  kit: ModelKit<Chat, Embedder, Reranker>,
  options: ModelsOptions,
): Models<Chat, Embedder, Reranker> {
  const running = new Map<string, 'downloading' | 'building'>();
  /** Plans that could not be loaded in this session, by id. */
  const unloadable = new Map<string, string>();
  let offline = false;

  const folderOf = (offer: Offer) => modelFolder(outside.modelsFolder, offer.id);
  const keyOf = (role: Role): string => `models.${role}`;

  function offerOf(id: string): Offer {
    const offer = kit.offers.find((one) => one.id === id);
    if (offer) return offer;
    throw new QuothError('not-found', 'There is no such model. The list of models has the names.');
  }

  async function isInstalled(offer: Offer): Promise<boolean> {
    return (await readModelFolder(folderOf(offer))).type === 'installed';
  }

  /** True for an installed model whose plan is, to the last bit, what was built: installing it again would change nothing. */
  async function isWhole(offer: Offer, signal: AbortSignal): Promise<boolean> {
    const where = folderOf(offer);
    const found = await readModelFolder(where);
    if (found.type !== 'installed' || unloadable.has(offer.id)) return false;
    return (await hashFile(where.plan, 'sha256', signal)) === found.manifest.planSha256;
  }

  /** Whether the person wants no reranker, though one is installed. */
  const asideKey = 'models.reranker.aside';
  const isAside = (role: Role): boolean => role === 'reranker' && settings.readValue(asideKey, z.boolean(), false);

  /** The chosen model of a role if it is installed, else the first installed one of the catalogue's order. */
  async function inUseOf(role: Role): Promise<Offer | null> {
    if (isAside(role)) return null;
    const chosen = settings.readValue(keyOf(role), z.string().nullable(), null);
    const candidates = kit.offers.filter((offer) => offer.role === role);
    candidates.sort((a, b) => Number(b.id === chosen) - Number(a.id === chosen));
    for (const offer of candidates) if (await isInstalled(offer)) return offer;
    return null;
  }

  function loaderOf<Thing>(
    role: Role,
    open: (plan: string, offer: Offer, planSha256: string) => Promise<Thing>,
  ): () => Promise<Thing | null> {
    return async () => {
      const offer = await inUseOf(role);
      if (!offer) return null;
      const where = folderOf(offer);
      const state = await readModelFolder(where);
      if (state.type !== 'installed') return null;
      try {
        const thing = await open(where.plan, offer, state.manifest.planSha256);
        unloadable.delete(offer.id);
        return thing;
      } catch (error) {
        throw toLoadError(error, offer);
      }
    };
  }

  function toLoadError(error: unknown, offer: Offer): unknown {
    const code = (error as { code?: unknown } | null)?.code;
    outside.log('error', 'a model could not be loaded', { model: offer.id, error: String(error) });
    if (code === 'invalid-plan' || code === 'io') {
      unloadable.set(offer.id, 'Its file is damaged. Please install it again.');
      return new QuothError('unreadable', `The model "${offer.name}" is damaged. Please install it again.`, {
        cause: error,
      });
    }
    if (code === 'out-of-memory')
      return new QuothError(
        'out-of-memory',
        `There is not enough memory for "${offer.name}". ${shortage(error)}Close other programs, or use a smaller model.`,
        { cause: error },
      );
    if (code === 'unsupported')
      return new QuothError('unsupported', `"${offer.name}" cannot run on this machine. Please use another model.`, {
        cause: error,
      });
    if (isEngineDeath(error))
      return new QuothError('engine-died', 'The engine ended and is being started again. Please try once more.', {
        cause: error,
      });
    return error;
  }

  const chat = createLoaded(loaderOf('chat', kit.openChat), kit.closeChat);
  const embedder = createLoaded(loaderOf('embedder', kit.openEmbedder), kit.closeEmbedder);
  const reranker = createLoaded(loaderOf('reranker', kit.openReranker), kit.closeReranker);
  const loaded = { chat, embedder, reranker };
  const forget = async (role: Role): Promise<void> => {
    await loaded[role].forget();
    if (role === 'embedder') options.onEmbedderChange();
  };

  async function summaryOf(offer: Offer, inUse: Record<Role, Offer | null>): Promise<ModelSummary> {
    const where = folderOf(offer);
    const found = await readModelFolder(where);
    const busy = running.get(offer.id) ?? ((await isLocked(where)) ? 'downloading' : undefined);
    const why = found.type === 'broken' ? found.why : unloadable.get(offer.id);
    const atRest = why ? 'broken' : found.type === 'installed' ? 'installed' : 'available';
    const installed = found.type === 'installed';
    return {
      id: offer.id as ModelId,
      name: offer.name,
      role: offer.role,
      licence: offer.licence,
      downloadBytes: downloadBytesOf(offer),
      planBytes: installed ? found.manifest.planBytes : offer.planBytes,
      state: busy ?? atRest,
      inUse: installed && inUse[offer.role]?.id === offer.id,
      plan: installed ? where.plan : null,
      note: why ?? offer.note,
    };
  }

  async function inUse(): Promise<Record<Role, Offer | null>> {
    const [chat, embedder, reranker] = await Promise.all([inUseOf('chat'), inUseOf('embedder'), inUseOf('reranker')]);
    return { chat, embedder, reranker };
  }

  async function listWithPlans(): Promise<ModelSummary[]> {
    const using = await inUse();
    return Promise.all(kit.offers.map((offer) => summaryOf(offer, using)));
  }

  async function* installModel(id: string, signal: AbortSignal): ReturnType<ModelHandlers['installModel']> {
    const offer = offerOf(id);
    if (running.has(id)) throw new QuothError('busy', 'This model is being installed already.');
    if (await isWhole(offer, signal)) {
      const { planBytes } = offer;
      yield { step: 'done', doneBytes: planBytes, totalBytes: planBytes, bytesPerSecond: 0, secondsLeft: 0 };
      return;
    }
    const before = (await inUseOf(offer.role))?.id;
    running.set(id, 'downloading');
    try {
      // A plan that an engine has open cannot be replaced on every system.
      if (before === id) await loaded[offer.role].forget();
      for await (const progress of install(offer, kit.build, outside, signal)) {
        if (progress.step === 'build') running.set(id, 'building');
        if (progress.step === 'done') {
          offline = false;
          unloadable.delete(id);
          running.delete(id);
          // Who fetches one wants it used.
          if (isAside(offer.role)) settings.writeValue(asideKey, false);
          if (before === undefined || before === id) await forget(offer.role);
        }
        yield progress;
      }
    } catch (error) {
      if (error instanceof QuothError && error.code === 'offline') offline = true;
      throw error;
    } finally {
      running.delete(id);
    }
  }

  return {
    handlers: {
      listModels: async () => ({ models: (await listWithPlans()).map((model) => ({ ...model, plan: null })) }),
      installModel: ({ modelId }, signal) => installModel(modelId, signal),
      removeModel: async ({ modelId }) => {
        const offer = offerOf(modelId);
        const wasInUse = (await inUseOf(offer.role))?.id === modelId;
        if (wasInUse) await loaded[offer.role].forget();
        const where = folderOf(offer);
        await withModelLock(where, async () => {
          await rm(where.manifest, { force: true });
          await rm(where.plan, { force: true });
          await rm(where.download, { recursive: true, force: true });
        });
        unloadable.delete(modelId);
        if (wasInUse) await forget(offer.role);
        return {};
      },
      useModel: async ({ modelId, inUse: wanted = true }) => {
        const offer = offerOf(modelId);
        if (!wanted && offer.role !== 'reranker')
          throw new QuothError(
            'unsupported',
            'Quoth always uses one such model. Please choose another one, or remove it.',
          );
        if (!(await isInstalled(offer)))
          throw new QuothError('no-model', `"${offer.name}" is not installed yet. Please install it first.`);
        const before = (await inUseOf(offer.role))?.id;
        if (!wanted && before !== modelId) return {};
        if (wanted) settings.writeValue(keyOf(offer.role), modelId);
        if (isAside(offer.role) === wanted) settings.writeValue(asideKey, !wanted);
        if (!wanted || before !== modelId) await forget(offer.role);
        return {};
      },
    },
    chat: () => chat.get(),
    embedder: () => embedder.get(),
    reranker: () => reranker.get(),
    noteFailure(error, thing) {
      if (!isEngineDeath(error)) return false;
      chat.forgetIf(thing);
      embedder.forgetIf(thing);
      reranker.forgetIf(thing);
      return true;
    },
    inUse,
    listWithPlans,
    async describeEngines() {
      const offerOfRole = await inUse();
      const reports = await Promise.all([
        describeEngine(kit.engineOf, chat.current(), offerOfRole.chat),
        describeEngine(kit.engineOf, embedder.current(), offerOfRole.embedder),
        describeEngine(kit.engineOf, reranker.current(), offerOfRole.reranker),
      ]);
      return reports.filter((report) => report !== null);
    },
    seemsOffline: () => offline,
    async close() {
      await Promise.all([chat.forget(), embedder.forget(), reranker.forget()]);
    },
  };
}

/** The planner's own sentence, which has the numbers; empty when the memory ended at another place. */
function shortage(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  return message.startsWith('The model needs') ? `${message} ` : '';
}
