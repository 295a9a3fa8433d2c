/** The models of this computer and those of others as one: whoever asks for the chat model gets the one in use. */
import type { ChatModel } from '../chats/chat-model.ts';
import type { Models } from '../models/models.ts';
import type { RemoteModels } from './remote-models.ts';

/** A remote model that is in use goes before those of this computer, which stay installed and are a choice away. */
export function withRemote<Embedder, Reranker>(
  local: Models<ChatModel, Embedder, Reranker>,
  remote: RemoteModels,
): Models<ChatModel, Embedder, Reranker> {
  const choose = local.handlers.useModel;
  return {
    ...local,
    chat: async () => (await remote.chat()) ?? local.chat(),
    async inUse() {
      const inUse = await local.inUse();
      const elsewhere = remote.inUse();
      if (!elsewhere) return inUse;
      const { id, name, host } = elsewhere;
      const offer = { id, name: `${name} (${host})`, role: 'chat' as const };
      return { ...inUse, chat: { ...offer, licence: '', planBytes: 0, note: '', checkpoint: null, files: [] } };
    },
    async describeEngines() {
      const reports = await local.describeEngines();
      return remote.inUse() ? reports.filter(({ role }) => role !== 'chat') : reports;
    },
    handlers: {
      ...local.handlers,
      async listModels(input, signal) {
        const { models } = await local.handlers.listModels(input, signal);
        if (!remote.inUse()) return { models };
        return { models: models.map((one) => (one.role === 'chat' ? { ...one, inUse: false } : one)) };
      },
      async useModel(input, signal) {
        const { modelId, inUse = true } = input;
        if (remote.has(modelId)) {
          await remote.use(inUse ? modelId : null);
          return {};
        }
        const done = await choose(input, signal);
        const { models } = await local.handlers.listModels({}, signal);
        const isChat = models.some(({ id, role }) => id === modelId && role === 'chat');
        if (isChat) await remote.use(null);
        return done;
      },
    },
    async close() {
      await Promise.all([remote.close(), local.close()]);
    },
  };
}
