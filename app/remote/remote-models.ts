/** The models of other computers that the person has added: kept, asked after, tried, put to use. */
import { z } from 'zod';
import type { ChatModel } from '../chats/chat-model.ts';
import { greedySampling } from '../chats/speak.ts';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { ModelId, RemoteModel } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { SettingsTable } from '../store/settings-table.ts';
import { describeHost, toBaseAddress, under } from './address.ts';
import { countByteTokens, createByteDecoder, encodeMessages } from './byte-tokens.ts';
import { malformed } from './faults.ts';
import { createRemoteEngine } from './remote-engine.ts';
import { createAskRemote } from './request.ts';

const stored = z.array(
  z.object({
    id: z.string().max(100),
    name: z.string().max(300),
    address: z.string().max(2_000),
    hasKey: z.boolean(),
    contextTokens: z.number().int().positive(),
  }),
);
type Stored = z.infer<typeof stored>[number];

type RemoteHandlers = Pick<
  Handlers<QuothContract>,
  'listRemoteModels' | 'probeRemote' | 'testRemote' | 'addRemoteModel' | 'removeRemoteModel'
>;

export type RemoteModels = {
  handlers: RemoteHandlers;
  /** The one in use, or null: then a model of this computer is. */
  inUse(): RemoteModel | null;
  chat(): Promise<ChatModel | null>;
  has(id: string): boolean;
  /** Null: none. */
  use(id: string | null): Promise<void>;
  close(): Promise<void>;
};

const listDeadlineMs = 15_000;
const maxListBytes = 4 << 20;
const maxListed = 500;
const maxModels = 50;
/** Enough to see that it speaks. */
const testTokens = 16;

const listKey = 'remote.models';
const inUseKey = 'remote.inUse';
/** The desk's switch, by the name under which settings are stored. */
const offlineKey = 'settings.offline';

const context = z.number().int().positive().nullish().catch(null);
/** The servers' own additions: vLLM and SGLang, llama-server, others. */
const listed = z.object({
  id: z.string().min(1).max(300),
  max_model_len: context,
  context_length: context,
  context_window: context,
  max_context_length: context,
  meta: z.object({ n_ctx: context, n_ctx_train: context }).nullish().catch(null),
});

export function createRemoteModels(outside: Omit<Outside, 'packageAddress'>, settings: SettingsTable): RemoteModels {
  const { nowMs, secrets } = outside;
  const askRemote = createAskRemote(outside, () => settings.readValue(offlineKey, z.boolean(), false));
  const list = (): Stored[] => settings.readValue(listKey, stored, []);
  const idInUse = (): string | null => settings.readValue(inUseKey, z.string().nullable(), null);
  const secretOf = (id: string): string => `remote/${id}`;
  let open: { id: string; model: ChatModel } | null = null;

  const toModel = ({ hasKey, ...kept }: Stored): RemoteModel => ({
    ...kept,
    ...describeHost(new URL(kept.address)),
    id: kept.id as ModelId,
    hasKey,
    inUse: kept.id === idInUse(),
  });

  function find(id: string): Stored {
    const found = list().find((one) => one.id === id);
    if (found) return found;
    throw new QuothError('not-found', 'This model is not in the list any more.');
  }

  /** The key that was typed; else that of the model it is for, if it is of the same server. */
  async function keyFor(base: URL, key: string | undefined, keyOf: string | undefined): Promise<string | null> {
    if (key) return checkedKey(key);
    if (keyOf === undefined) return null;
    const owner = find(keyOf);
    return new URL(owner.address).origin === base.origin ? secrets.read(secretOf(keyOf)) : null;
  }

  function openModel(base: URL, key: string | null, kept: Pick<Stored, 'id' | 'name' | 'contextTokens'>): ChatModel {
    const { id, name, contextTokens } = kept;
    return {
      id,
      name,
      engine: createRemoteEngine({ base, key, name, contextTokens, askRemote, nowMs }),
      remote: describeHost(base),
      contextTokens,
      stopIds: [],
      stopStrings: [],
      countTokens: countByteTokens,
      encodePrompt: (system, user) =>
        encodeMessages([
          { role: 'system', content: system },
          { role: 'user', content: user },
        ]),
      encodeChat: encodeMessages,
      streamDecoder: createByteDecoder,
    };
  }

  async function forget(): Promise<void> {
    const old = open;
    open = null;
    await old?.model.engine.close();
  }

  const models: RemoteModels = {
    inUse() {
      const found = list().find((one) => one.id === idInUse());
      return found ? toModel(found) : null;
    },
    async chat() {
      const found = models.inUse();
      if (!found) return null;
      if (open?.id === found.id) return open.model;
      await forget();
      const key = found.hasKey ? await secrets.read(secretOf(found.id)) : null;
      if (found.hasKey && key === null)
        throw new QuothError('denied', `The key for ${found.host} cannot be read any more. Enter it again in Models.`);
      open = { id: found.id, model: openModel(new URL(found.address), key, found) };
      return open.model;
    },
    has: (id) => list().some((one) => one.id === id),
    async use(id) {
      if (id !== null) find(id);
      if (id === idInUse()) return;
      settings.writeValue(inUseKey, id);
      await forget();
    },
    close: forget,
    handlers: {
      listRemoteModels: async () => ({ models: list().map(toModel), keyProtection: await secrets.protection() }),
      async probeRemote({ address, key, keyOf }, signal) {
        const base = toBaseAddress(address);
        const { host } = describeHost(base);
        const answer = await askRemote({
          url: under(base, 'models'),
          key: await keyFor(base, key, keyOf),
          headDeadlineMs: listDeadlineMs,
          model: null,
          signal,
        });
        const whole = z
          .object({ data: z.array(z.unknown()) })
          .safeParse(await answer.json(maxListBytes, listDeadlineMs));
        if (!whole.success) throw malformed(host, whole.error);
        const found = whole.data.data.slice(0, maxListed).flatMap((one) => listed.safeParse(one).data ?? []);
        return {
          ...describeHost(base),
          address: base.href,
          models: found.map((one) => ({ name: one.id, contextTokens: contextOf(one) })),
        };
      },
      async testRemote({ address, key, keyOf, name }, signal) {
        const base = toBaseAddress(address);
        const model = openModel(base, await keyFor(base, key, keyOf), { id: 'test', name, contextTokens: 2048 });
        const ids = model.encodePrompt('You answer in one short sentence.', 'Say hello.');
        const decoder = model.streamDecoder();
        let text = '';
        let firstWordMs = 0;
        const leave = (): void => void model.engine.close();
        signal.addEventListener('abort', leave, { once: true });
        try {
          const request = { ids, maxTokens: testTokens, stopIds: [], sampling: greedySampling, priority: 10 };
          for await (const event of model.engine.generate(request)) {
            if (event.type === 'tokens') text += decoder.push(event.ids);
            if (event.type === 'finished') firstWordMs = event.ttftMs;
          }
        } finally {
          signal.removeEventListener('abort', leave);
        }
        return { text: text.trim().slice(0, 500), firstWordMs };
      },
      async addRemoteModel({ address, key, keyOf, name, contextTokens }) {
        const base = toBaseAddress(address);
        const secret = await keyFor(base, key, keyOf);
        const others = list();
        const same = others.find((one) => one.name === name && one.address === base.href);
        if (!same && others.length >= maxModels)
          throw new QuothError('invalid-input', `Quoth keeps ${maxModels} such models at most. Remove one first.`);
        const id = same?.id ?? `remote-${Buffer.from(outside.randomBytes(8)).toString('hex')}`;
        await secrets.write(secretOf(id), secret);
        const kept: Stored = { id, name, address: base.href, hasKey: secret !== null, contextTokens };
        settings.writeValue(listKey, [...others.filter((one) => one.id !== id), kept]);
        await forget();
        await models.use(id);
        return { model: toModel(kept) };
      },
      async removeRemoteModel({ modelId }) {
        find(modelId);
        if (idInUse() === modelId) await models.use(null);
        settings.writeValue(
          listKey,
          list().filter(({ id }) => id !== modelId),
        );
        await secrets.write(secretOf(modelId), null);
        return {};
      },
    },
  };
  return models;
}

/** A key goes into a header: what cannot stand there would throw where nobody understands it. */
function checkedKey(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new QuothError('invalid-input', 'The key has characters that no key has. Copy it once more.');
}

function contextOf(one: z.infer<typeof listed>): number | null {
  const { max_model_len, context_length, context_window, max_context_length, meta } = one;
  return (
    max_model_len ?? context_length ?? context_window ?? max_context_length ?? meta?.n_ctx ?? meta?.n_ctx_train ?? null
  );
}
