/**
 * A model behind an OpenAI-compatible address, as an engine: what is asked of it goes there as a chat completion, and its words
 * come back as they are written. Its ids are those of `byte-tokens.ts`.
 */
import { z } from 'zod';
import type { ChatMessage } from '../../engines/templates.ts';
import type { Engine, GenerateEvent, GenerateRequest } from '../../native/index.ts';
import { QuothError } from '../contract/errors.ts';
import { describeHost, under } from './address.ts';
import { decodeMessages, encodeText } from './byte-tokens.ts';
import { cutOff, fromStatus, malformed, messageOf } from './faults.ts';
import { type AskRemote, Refusal, type RemoteAnswer } from './request.ts';
import { readServerEvents } from './server-events.ts';
import { createThoughtFilter } from './thoughts.ts';

export type RemoteEngineOptions = {
  base: URL;
  key: string | null;
  /** What the server calls the model. */
  name: string;
  contextTokens: number;
  askRemote: AskRemote;
  nowMs: () => number;
};

/** The head may wait for the model to be loaded and the prompt to be read. */
const headDeadlineMs = 180_000;
const silenceMs = 120_000;
const maxAnswerBytes = 8 << 20;
/** The ways in which servers differ are found out by asking again without what was refused. */
const maxAttempts = 5;

const usage = z.object({ prompt_tokens: z.number().optional(), completion_tokens: z.number().optional() });
const words = z.object({ content: z.string().nullish() });
/** What is read of a chunk, and of a whole answer of servers that do not stream. */
const chunk = z.object({
  choices: z
    .array(z.object({ delta: words.nullish(), message: words.nullish(), finish_reason: z.string().nullish() }))
    .nullish(),
  usage: usage.nullish(),
  error: z.unknown().optional(),
});

type Body = { [name: string]: unknown; messages: readonly ChatMessage[] };

/** Nothing is sent before the first `generate`. */
export function createRemoteEngine(options: RemoteEngineOptions): Engine {
  const { base, name, nowMs } = options;
  const { host } = describeHost(base);
  /** What this server was found not to take. */
  const without = new Set<string>();
  const running = new Set<AbortController>();
  let closed = false;

  const refuse = async (): Promise<never> => {
    throw new QuothError('unsupported', `The model on ${host} can only be talked to.`);
  };

  function bodyOf({ ids, maxTokens, sampling }: GenerateRequest): Body {
    const messages = decodeMessages(ids);
    const isFree = sampling.temperature > 0;
    const body: Body = {
      model: name,
      messages: without.has('system') ? foldSystem(messages) : messages,
      [without.has('max_tokens') ? 'max_completion_tokens' : 'max_tokens']: maxTokens,
      temperature: sampling.temperature,
      ...(isFree && sampling.topP < 1 ? { top_p: sampling.topP } : {}),
      ...(isFree ? { seed: sampling.seed } : {}),
      ...(sampling.presencePenalty ? { presence_penalty: sampling.presencePenalty } : {}),
      ...(sampling.frequencyPenalty ? { frequency_penalty: sampling.frequencyPenalty } : {}),
      stream: true,
      stream_options: { include_usage: true },
    };
    for (const field of without) if (field !== 'max_tokens') delete body[field];
    return body;
  }

  async function ask(request: GenerateRequest, signal: AbortSignal): Promise<RemoteAnswer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await options.askRemote({
          url: under(base, 'chat/completions'),
          key: options.key,
          body: bodyOf(request),
          headDeadlineMs,
          model: name,
          signal,
        });
      } catch (thrown) {
        const field = refusedField(thrown);
        if (field === null || without.has(field) || attempt >= maxAttempts) throw thrown;
        without.add(field);
      }
    }
  }

  async function* run(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    const startMs = nowMs();
    const answer = await ask(request, signal);
    yield { type: 'started', numPromptTokens: request.ids.length, numCachedTokens: 0 };
    const thoughts = createThoughtFilter();
    let firstMs: number | undefined;
    let numPieces = 0;
    let numOutputTokens: number | undefined;
    let reason: string | null = null;
    for await (const part of partsOf(answer, host, name)) {
      for (const { delta, message, finish_reason } of part.choices ?? []) {
        const text = thoughts.push((delta ?? message)?.content ?? '');
        reason = finish_reason ?? reason;
        if (text === '') continue;
        firstMs ??= nowMs();
        numPieces += 1;
        yield { type: 'tokens', ids: Int32Array.from(encodeText(text)) };
      }
      numOutputTokens = part.usage?.completion_tokens ?? numOutputTokens;
    }
    const held = thoughts.end();
    if (held !== '') yield { type: 'tokens', ids: Int32Array.from(encodeText(held)) };
    const endMs = nowMs();
    yield {
      type: 'finished',
      reason: reason === 'length' ? 'length' : 'stop',
      numOutputTokens: numOutputTokens ?? numPieces,
      ttftMs: (firstMs ?? endMs) - startMs,
      decodeMs: endMs - (firstMs ?? endMs),
    };
  }

  return {
    info: {
      architecture: 'remote',
      role: 'chat',
      device: 'cpu',
      numThreads: 0,
      memoryBytesPerSecond: 0,
      vocabularySize: 0,
      contextTokens: options.contextTokens,
      kvTokens: options.contextTokens,
      embeddingSize: 0,
      weightBytes: 0,
      kvBytes: 0,
      activationBytes: 0,
    },
    generate(request) {
      const controller = new AbortController();
      const loop = run(request, controller.signal);
      const end = (): void => {
        running.delete(controller);
        controller.abort();
      };
      return {
        [Symbol.asyncIterator]: () => ({
          async next() {
            if (closed) throw new QuothError('closed', `The model on ${host} is not in use any more.`);
            running.add(controller);
            const next = await loop.next().catch((thrown: unknown) => {
              end();
              throw thrown;
            });
            if (next.done) end();
            return next;
          },
          // Also while `next` waits for the server: a generator's own `return` would wait with it.
          async return() {
            end();
            loop.return(undefined).catch(() => {});
            return { done: true, value: undefined };
          },
        }),
      };
    },
    score: refuse,
    logits: refuse,
    embed: refuse,
    rerank: refuse,
    stats: refuse,
    async close() {
      closed = true;
      for (const controller of running) controller.abort();
    },
  };
}

/** What of an answer is there, in order. Throws when it was cut: neither a reason for its end came nor the last mark. */
async function* partsOf(answer: RemoteAnswer, host: string, model: string): AsyncGenerator<z.infer<typeof chunk>> {
  if (/^application\/json/i.test(answer.contentType)) {
    const whole = chunk.safeParse(await answer.json(maxAnswerBytes, silenceMs));
    if (!whole.success || !whole.data.choices) throw malformed(host, whole.error);
    return yield whole.data;
  }
  if (!/^text\/event-stream/i.test(answer.contentType)) throw malformed(host);
  let ended = false;
  let numCharacters = 0;
  try {
    for await (const data of readServerEvents(answer.pieces(silenceMs))) {
      numCharacters += data.length;
      if (numCharacters > maxAnswerBytes) throw malformed(host);
      if (data === '[DONE]') return;
      const part = chunk.safeParse(parseJson(data));
      if (!part.success) throw malformed(host, part.error);
      if (part.data.error !== undefined && part.data.error !== null) throw fromEvent(data, host, model);
      ended ||= part.data.choices?.some(({ finish_reason }) => Boolean(finish_reason)) ?? false;
      yield part.data;
    }
  } catch (thrown) {
    if (thrown instanceof RangeError) throw malformed(host, thrown);
    // Some servers close the connection without its last mark, some rudely: the answer was whole.
    if (ended && thrown instanceof QuothError && thrown.code === 'offline') return;
    throw thrown;
  }
  if (!ended) throw cutOff(host);
}

/** An error that came in the middle of a stream, when its status had been 200 already. */
function fromEvent(data: string, host: string, model: string): QuothError {
  const said = messageOf(data);
  const status = /context|too long|token/i.test(said) ? 400 : 500;
  return fromStatus(status, data, host, model);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const fields = [
  'stream_options',
  'max_tokens',
  'seed',
  'top_p',
  'temperature',
  'presence_penalty',
  'frequency_penalty',
];

/** Which part of a request a server has refused, where it says so and another try without it makes sense. */
function refusedField(thrown: unknown): string | null {
  const refusal = thrown instanceof QuothError ? thrown.cause : null;
  if (!(refusal instanceof Refusal) || (refusal.status !== 400 && refusal.status !== 422)) return null;
  if (thrown instanceof QuothError && thrown.code === 'invalid-input') return null; // too long
  const said = refusal.body;
  if (/system[^.]{0,40}(?:role|message|prompt)|role[^.]{0,40}system|roles must alternate/i.test(said)) return 'system';
  return fields.find((field) => new RegExp(`\\b${field}\\b`).test(said)) ?? null;
}

/** The system's text before the first of the user's, for models whose template knows no system. */
function foldSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const said = messages.filter(({ role }) => role === 'system').map(({ content }) => content);
  const others = messages.filter(({ role }) => role !== 'system');
  const [first, ...rest] = others;
  if (!first || said.length === 0) return others;
  return [{ ...first, content: [...said, first.content].join('\n\n') }, ...rest];
}
