/** The catalogue's models, made to run: from a plan on the disk to what chats and search work with. */
import { join } from 'node:path';
import { buildPlan } from '../../engines/build/build.ts';
import { type PlanHeader, readPlanHeader, readPlanTokenizer } from '../../engines/plan/format.ts';
import { type ChatMessage, renderChat } from '../../engines/templates.ts';
import { encodePair } from '../../engines/tokenizer/pair.ts';
import { loadTokenizer, type Tokenizer } from '../../engines/tokenizer/tokenizer.ts';
import { createEmbedder, type Embedder } from '../../ingest/embedder.ts';
import { createReranker, type Reranker } from '../../ingest/reranker.ts';
import type { Engine, EngineOptions } from '../../native/index.ts';
import type { ChatModel } from '../chats/chat-model.ts';
import { QuothError } from '../contract/errors.ts';
import type { Outside } from '../outside.ts';
import type { ModelKit } from './models.ts';
import type { BuildOffer, Offer } from './offer.ts';
import { offers } from './offers.ts';
import { type ChatMemory, chooseRoom } from './room.ts';
import { tuningFileFor } from './tuning-file.ts';

/** A chat model as it is kept; closing it closes its engine. */
type OpenChat = ChatModel;
type OpenEmbedder = Embedder & { engine: Engine };
type OpenReranker = Reranker & { engine: Engine };
export type AppKit = ModelKit<OpenChat, Embedder, Reranker>;

/** Marks of the usual templates, should a model write them out letter by letter. */
const templateMarks = [
  '</s>',
  '<|user|>',
  '<|system|>',
  '<|assistant|>',
  '<|im_end|>',
  '<|im_start|>',
  '<|eot_id|>',
  '[INST]',
];

export function createKit(
  outside: Pick<Outside, 'native'>,
  from: readonly Offer[] = offers,
  chatMemory: () => ChatMemory = () => ({ contextTokens: null, kvPrecision: 'auto' }),
  /** Of tuning files whose plans' folders cannot be written to; null = these are not kept. */
  tuningFolder: string | null = null,
): AppKit {
  const { native } = outside;
  const loadEngine = async (options: EngineOptions): Promise<Engine> => {
    const where = tuningFolder === null ? {} : await tuningFileFor(options.plan, tuningFolder);
    return native.loadEngine({ ...options, ...where });
  };
  const build: BuildOffer = async ({ offer, folder, plan, signal, onProgress }) => {
    const checkpoint = offer.checkpoint === null ? folder : join(folder, offer.checkpoint);
    await buildPlan({
      checkpoint,
      out: plan,
      builder: native.builder,
      name: offer.name,
      ...(offer.prompts === undefined ? {} : { prompts: offer.prompts }),
      signal,
      // A pause goes on with what is whole.
      keepUnfinished: true,
      onProgress: ({ doneBytes, totalBytes }) => onProgress(doneBytes, totalBytes),
    });
  };

  return {
    offers: from,
    build,
    openChat: async (plan, offer) => openChat(await openPlan(plan), plan, offer),
    openEmbedder: async (plan, offer, planSha256) => {
      const { header, tokenizer } = await openPlan(plan);
      const engine = await loadEngine({ plan });
      const around = [...tokenizer.encode('')];
      const prefixIds = around.slice(0, header.startIds.length);
      const encode = (text: string): Int32Array => tokenizer.encode(text, { addSpecial: false });
      const suffixIds = around.slice(prefixIds.length);
      // Vectors of another build are other vectors: the plan's hash is part of the name.
      const id = `${offer.id}@${planSha256.slice(0, 16)}`;
      return { ...createEmbedder(engine, { encode, prefixIds, suffixIds }, id, header.prompts ?? undefined), engine };
    },
    openReranker: async (plan, offer): Promise<OpenReranker> => {
      const { header, tokenizer } = await openPlan(plan);
      const { pair } = header;
      if (header.role !== 'reranker' || pair === undefined)
        throw new QuothError('unreadable', `The model "${offer.name}" is no reranker. Please install it again.`);
      const engine = await loadEngine({ plan });
      const encode: Parameters<typeof createReranker>[1] = (first, second, maxTokens) =>
        encodePair(tokenizer, pair, first, second, maxTokens);
      return { ...createReranker(engine, encode, offer.name), engine };
    },
    closeChat: ({ engine }) => engine.close(),
    closeEmbedder: (embedder) => (embedder as OpenEmbedder).engine.close(),
    closeReranker: (reranker) => (reranker as OpenReranker).engine.close(),
    engineOf: (thing) => (thing as OpenChat | OpenEmbedder | OpenReranker).engine,
  };

  async function openChat({ header, tokenizer }: OpenPlan, plan: string, offer: Offer): Promise<OpenChat> {
    const memory = chatMemory();
    const load = async (wish: ChatMemory) => {
      const { contextTokens, options } = await chooseRoom(native, plan, header.contextTokens, wish);
      return { wantedTokens: contextTokens, engine: await loadEngine(options) };
    };
    // Some devices keep some models in their own precision only: a wish must not cost the model.
    const { wantedTokens, engine } = await load(memory).catch((error: unknown) => {
      if (memory.kvPrecision === 'auto' || (error as { code?: unknown }).code !== 'unsupported') throw error;
      return load({ ...memory, kvPrecision: 'auto' });
    });
    const contextTokens = Math.min(wantedTokens, engine.info.kvTokens);
    return {
      id: offer.id,
      name: offer.name,
      engine,
      contextTokens,
      stopIds: [...header.stopIds],
      stopStrings: templateMarks,
      countTokens: (text) => tokenizer.encode(text, { addSpecial: false }).length,
      encodePrompt: (system, user) =>
        encodePrompt(tokenizer, header, [
          { role: 'system', content: system },
          { role: 'user', content: user },
        ]),
      encodeChat: (messages) => encodePrompt(tokenizer, header, messages),
      streamDecoder: () => tokenizer.streamDecoder(),
    };
  }
}

type OpenPlan = { header: PlanHeader; tokenizer: Tokenizer };

async function openPlan(plan: string): Promise<OpenPlan> {
  const header = await readPlanHeader(plan);
  return { header, tokenizer: loadTokenizer(await readPlanTokenizer(plan, header)) };
}

/** The conversation in the plan's own template. The tokenizer adds the start; what people said becomes no control token. */
function encodePrompt(tokenizer: Tokenizer, header: PlanHeader, messages: readonly ChatMessage[]): Int32Array {
  const nameOf = (id: number | undefined): string => (id === undefined ? '' : tokenizer.pieceOf(id));
  const [start] = header.startIds;
  const pieces = renderChat({
    template: header.template,
    messages,
    startToken: nameOf(start),
    endToken: nameOf(header.stopIds[0]),
  });
  // Many templates write the start themselves: it stands once.
  const ids = tokenizer.encodePieces(pieces, { addSpecial: false });
  return ids[0] === start ? ids : Int32Array.from([...header.startIds, ...ids]);
}
