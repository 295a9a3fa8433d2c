/** The engines of the models in use: loaded when they are first asked for, closed when another model takes their place. */
import type { Engine } from '../../native/index.ts';
import { QuothError } from '../contract/errors.ts';
import type { EngineReport } from '../contract/types.ts';
import type { Log } from '../outside.ts';
import { describeEngine } from './describe-engine.ts';
import { createLoaded, isEngineDeath } from './loaded.ts';
import { readModelFolder } from './model-folder.ts';
import type { ModelList } from './model-list.ts';
import type { Offer, PlanRole, Role } from './offer.ts';

/** What a role's engine needs to be opened. `Chat`, `Embedder` and `Reranker` are whatever the kit makes of an engine. */
export type EngineKit<Chat, Embedder, Reranker> = {
  openChat: (plan: string, offer: Offer, planSha256: string) => Promise<Chat>;
  openEmbedder: (plan: string, offer: Offer, planSha256: string) => Promise<Embedder>;
  openReranker: (plan: string, offer: Offer, planSha256: string) => Promise<Reranker>;
  closeChat: (chat: Chat) => Promise<void>;
  closeEmbedder: (embedder: Embedder) => Promise<void>;
  closeReranker: (reranker: Reranker) => Promise<void>;
  engineOf: (thing: Chat | Embedder | Reranker) => Engine | null;
};

export type Engines<Chat, Embedder, Reranker> = {
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
  /** Lets go of a role's engine, if it has one: the next one asked for is that of the model in use then. */
  forget(role: Role): Promise<void>;
  describe(): Promise<EngineReport[]>;
};

export function createEngines<Chat, Embedder, Reranker>(
  kit: EngineKit<Chat, Embedder, Reranker>,
  list: ModelList,
  log: Log,
): Engines<Chat, Embedder, Reranker> {
  function loaderOf<Thing>(
    role: PlanRole,
    open: (plan: string, offer: Offer, planSha256: string) => Promise<Thing>,
  ): () => Promise<Thing | null> {
    return async () => {
      const offer = await list.inUseOf(role);
      if (!offer) return null;
      const where = list.folderOf(offer);
      const state = await readModelFolder(where);
      if (state.type !== 'installed') return null;
      try {
        const thing = await open(where.plan, offer, state.manifest.planSha256);
        list.unloadable.delete(offer.id);
        return thing;
      } catch (error) {
        throw toLoadError(error, offer);
      }
    };
  }

  function toLoadError(error: unknown, offer: Offer): unknown {
    const code = (error as { code?: unknown } | null)?.code;
    log('error', 'a model could not be loaded', { model: offer.id, error: String(error) });
    if (code === 'invalid-plan' || code === 'io') {
      const again = offer.own ? 'Please import it again.' : 'Please install it again.';
      list.unloadable.set(offer.id, `Its file is damaged. ${again}`);
      return new QuothError('unreadable', `The model "${offer.name}" is damaged. ${again}`, { cause: error });
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

  return {
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
    forget: async (role) => {
      if (role !== 'speech' && role !== 'scan') await loaded[role].forget();
    },
    async describe() {
      const offerOfRole = await list.inUse();
      const reports = await Promise.all([
        describeEngine(kit.engineOf, chat.current(), offerOfRole.chat),
        describeEngine(kit.engineOf, embedder.current(), offerOfRole.embedder),
        describeEngine(kit.engineOf, reranker.current(), offerOfRole.reranker),
      ]);
      return reports.filter((report) => report !== null);
    },
  };
}

/** The planner's own sentence, which has the numbers; empty when the memory ended at another place. */
function shortage(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  return message.startsWith('The model needs') ? `${message} ` : '';
}
