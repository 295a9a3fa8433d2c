/** What other programs on this computer may do, once the person has opened the door: ask models, and ask the library. */
import type { Embedder } from '../../ingest/embedder.ts';
import type { AskParts } from '../chats/ask.ts';
import type { ChatModel } from '../chats/chat-model.ts';
import type { AskEvent } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Courtesy } from '../jobs/courtesy.ts';
import { isEngineDeath } from '../models/loaded.ts';
import type { Models } from '../models/models.ts';
import { askForProgram, type ProgramQuestion } from './ask-for-program.ts';
import { type CompletionEvent, type CompletionRequest, complete } from './complete.ts';
import { createQuoteBoxes, type QuoteBoxes, type QuoteBoxesParts } from './quote-boxes.ts';

export type ProgramModel = { id: string; name: string };

/** `numTokens`: of all texts, without the model's own marks. */
export type Embedded = { model: string; vectors: Float32Array; dimension: number; numTokens: number };

export type Programs = {
  /** The models in use; null where none is installed. Loads none. */
  inUse(): Promise<{ chat: ProgramModel | null; embedder: ProgramModel | null }>;
  /** See `complete`. */
  complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<CompletionEvent>;
  /** One unit vector for each text; longer texts than the model takes are cut. Fails with `no-model`. */
  embed(texts: readonly string[], as: 'passage' | 'query', signal: AbortSignal): Promise<Embedded>;
  /** See `askForProgram`. */
  ask(request: ProgramQuestion, signal: AbortSignal): AsyncIterable<AskEvent>;
  quoteBoxes: QuoteBoxes;
};

export type ProgramParts = {
  models: Models<ChatModel, Embedder, unknown>;
  ask: AskParts;
  courtesy: Courtesy;
  boxes: QuoteBoxesParts;
};

export function createPrograms({ models, ask, courtesy, boxes }: ProgramParts): Programs {
  const memory: AskParts['memory'] = { lastShown: [] };

  /** Jobs give way while it runs. */
  async function* asWork<Item>(items: AsyncGenerator<Item>): AsyncGenerator<Item> {
    const done = courtesy.begin();
    try {
      yield* items;
    } finally {
      done();
    }
  }

  return {
    async inUse() {
      const { chat, embedder } = await models.inUse();
      const named = (offer: typeof chat): ProgramModel | null => offer && { id: offer.id, name: offer.name };
      return { chat: named(chat), embedder: named(embedder) };
    },
    complete: (request, signal) =>
      asWork(complete(request, { chatModel: models.chat, noteFailure: models.noteFailure }, signal)),
    async embed(texts, as, signal) {
      for (let round = 0; ; round++) {
        const embedder = await models.embedder();
        if (!embedder)
          throw new QuothError('no-model', 'No embedder is installed. Install one in Quoth, under Models.');
        try {
          const numTokens = texts.reduce((sum, text) => sum + embedder.countTokens(text), 0);
          const vectors = await embedder.embed(texts, signal, as);
          const id = (await models.inUse()).embedder?.id ?? embedder.id;
          return { model: id, vectors, dimension: embedder.dimension, numTokens };
        } catch (thrown) {
          const died = models.noteFailure(thrown, embedder);
          if (died && round === 0 && !signal.aborted) continue;
          if (isEngineDeath(thrown))
            throw new QuothError('engine-died', 'The engine ended and is being started again. Please try once more.', {
              cause: thrown,
            });
          throw thrown;
        }
      }
    },
    quoteBoxes: createQuoteBoxes(boxes),
    ask: (request, signal) => asWork(askForProgram(request, { ...ask, memory }, signal)),
  };
}
