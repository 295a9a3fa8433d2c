/** The chat model without the library, for other programs: a conversation goes in, its next words come out. */
import type { ChatMessage } from '../../engines/templates.ts';
import type { GenerateEvent, Sampling } from '../../native/index.ts';
import type { ChatModel } from '../chats/chat-model.ts';
import { untilAborted } from '../chats/speak.ts';
import { createStopFilter } from '../chats/stop-strings.ts';
import { QuothError } from '../contract/errors.ts';
import { isEngineDeath } from '../models/loaded.ts';

export type CompletionRequest = {
  /** At least one. */
  messages: readonly ChatMessage[];
  /** Null: as many as fit. */
  maxTokens: number | null;
  sampling: Sampling;
  /** Texts that end the answer; they are not part of it. */
  stop: readonly string[];
  /** Of each token, and of so many of the likeliest in its place: 0 to 20. Null: none. */
  logProbabilities: number | null;
};

/** `bytes`: null for a token that is no whole character by itself. */
export type TokenWords = { token: string; bytes: number[] | null; logProbability: number };
export type TokenReport = TokenWords & { top: TokenWords[] };

export type CompletionEvent =
  | { type: 'started'; model: string; numPromptTokens: number; numCachedTokens: number }
  /** `tokens`: of the words in `text`, where they were asked for. */
  | { type: 'text'; text: string; tokens: TokenReport[] }
  | { type: 'finished'; reason: 'stop' | 'length'; numOutputTokens: number };

export type CompletionParts = {
  chatModel: () => Promise<ChatModel | null>;
  noteFailure: (error: unknown, model: ChatModel) => boolean;
};

/** The cause of the error for a conversation that is longer than the model's context. */
export const tooLong = { reason: 'the context is too short' } as const;

/** A person in the window goes first, a job that reads whole documents last. */
const programWaits = 5;

/**
 * Leaving the loop ends the generation, and so does an abort, after which nothing more comes. Fails with `no-model`, and with
 * `tooLong` as its cause where the context ends.
 */
export async function* complete(
  request: CompletionRequest,
  parts: CompletionParts,
  signal: AbortSignal,
): AsyncGenerator<CompletionEvent> {
  for (let round = 0; ; round++) {
    const model = await parts.chatModel();
    if (!model) throw new QuothError('no-model', 'No chat model is installed. Install one in Quoth, under Models.');
    let said = false;
    try {
      for await (const event of completeWith(model, request, signal)) {
        said ||= event.type === 'text';
        yield event;
      }
      return;
    } catch (thrown) {
      const died = parts.noteFailure(thrown, model);
      if (died && !said && round === 0) continue; // once more with a fresh engine
      if (isEngineDeath(thrown))
        throw new QuothError('engine-died', 'The engine ended while it was answering. Please ask again.', {
          cause: thrown,
        });
      throw thrown;
    }
  }
}

async function* completeWith(
  model: ChatModel,
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<CompletionEvent> {
  if (request.logProbabilities !== null && model.remote)
    throw new QuothError('unsupported', `The model on ${model.remote.host} gives no log-probabilities.`);
  const ids = encode(model, request.messages);
  const room = model.contextTokens - ids.length;
  if (room < 1)
    throw new QuothError(
      'invalid-input',
      `The conversation has ${ids.length} tokens, and ${model.name} takes ${model.contextTokens} with its answer. Please shorten it.`,
      { cause: tooLong },
    );
  const decoder = model.streamDecoder();
  const filter = createStopFilter([...model.stopStrings, ...request.stop]);
  const reports = createReports(model);
  const { logProbabilities } = request;
  const events = model.engine.generate({
    ids,
    maxTokens: Math.min(request.maxTokens ?? room, room),
    stopIds: model.stopIds,
    sampling: request.sampling,
    ...(logProbabilities === null ? {} : { logProbabilities }),
    priority: programWaits,
  });
  let numOutputTokens = 0;
  let reason: 'stop' | 'length' = 'stop';
  const show = (text: string): CompletionEvent => ({ type: 'text', text, tokens: reports.shown(text.length) });
  for await (const event of untilAborted(events, signal)) {
    if (event.type === 'started')
      yield { type: 'started', model: model.id, numPromptTokens: ids.length, numCachedTokens: event.numCachedTokens };
    if (event.type === 'tokens') {
      numOutputTokens += event.ids.length;
      let text = '';
      for (const [at, id] of event.ids.entries()) {
        const piece = decoder.push([id]);
        reports.add(id, piece, event.logProbabilities?.[at]);
        text += piece;
      }
      const shown = filter.push(text);
      if (shown !== '') yield show(shown);
      if (filter.stopped) break; // leaving the loop cancels the rest
    }
    if (event.type === 'finished') {
      reason = event.reason;
      numOutputTokens = event.numOutputTokens;
      const shown = filter.push(decoder.end());
      if (shown !== '') yield show(shown);
    }
  }
  if (signal.aborted) return;
  const rest = filter.flush();
  if (rest !== '') yield show(rest);
  yield { type: 'finished', reason: filter.stopped ? 'stop' : reason, numOutputTokens };
}

function encode(model: ChatModel, messages: readonly ChatMessage[]): Int32Array {
  try {
    return model.encodeChat(messages);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'unsupported-model') throw cause;
    throw new QuothError(
      'invalid-input',
      'The model does not take such a conversation: most want a system message first, then user and assistant in turn.',
      { cause },
    );
  }
}

type Reported = NonNullable<Extract<GenerateEvent, { type: 'tokens' }>['logProbabilities']>[number];

/** Keeps what is known of each token until its words are shown: some are held back, and some are cut off with a stop text. */
function createReports(model: ChatModel) {
  const waiting: { start: number; report: TokenReport }[] = [];
  let numDecoded = 0;
  let numShown = 0;
  let before: number | null = null;
  /** A token's own words: behind another one, or its space would be taken for the answer's beginning. */
  const wordsOf = (id: number, logProbability: number): TokenWords => {
    const decoder = model.streamDecoder();
    if (before !== null) decoder.push([before]);
    const token = decoder.push([id]) + decoder.end();
    const isWhole = !token.includes('\ufffd');
    return { token, bytes: isWhole ? [...Buffer.from(token)] : null, logProbability };
  };
  return {
    add(id: number, piece: string, reported: Reported | undefined): void {
      if (reported) {
        const top = reported.top.map((one) => wordsOf(one.id, one.logProbability));
        waiting.push({ start: numDecoded, report: { ...wordsOf(id, reported.logProbability), top } });
        before = id;
      }
      numDecoded += piece.length;
    },
    /** The tokens that begin within the next so many characters. */
    shown(numCharacters: number): TokenReport[] {
      numShown += numCharacters;
      const numReady = waiting.findIndex(({ start }) => start >= numShown);
      return waiting.splice(0, numReady === -1 ? waiting.length : numReady).map(({ report }) => report);
    },
  };
}
