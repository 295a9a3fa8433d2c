/** `/v1/chat/completions`: of the model alone, or of the library with its citations; whole or streamed. */
import type { ServerResponse } from 'node:http';
import type { App } from '../../app/app.ts';
import type { Answer, Settings } from '../../app/contract/types.ts';
import type { TokenReport } from '../../app/programs/complete.ts';
import type { Programs } from '../../app/programs/programs.ts';
import type { Sampling } from '../../native/index.ts';
import {
  type ChatRequest,
  chatRequest,
  isForLibrary,
  libraryModel,
  messagesOf,
  parseRequest,
  questionOf,
  refuseUnknown,
  samplingOf,
  stopOf,
  toScope,
} from './chat-request.ts';
import { annotationsOf, toApiCitations } from './citations.ts';
import { ApiRefusal, toApiError } from './errors.ts';
import { openEventStream } from './event-stream.ts';
import { sendJson } from './send-json.ts';

export type ChatParts = {
  app: Pick<App, 'handlers' | 'programs'>;
  nowMs: () => number;
  /** A fresh id: "chatcmpl-…". */
  newId: () => string;
};

type Usage = {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
};
type Finish = 'stop' | 'length';
/** One choice's news: words, or the end. */
type Piece =
  | { type: 'text'; text: string; tokens: TokenReport[] }
  | { type: 'end'; reason: Finish; usage: Usage; content: string; extra: Extra | null };
/** What the library's answers have besides. */
type Extra = { annotations: ReturnType<typeof annotationsOf>; quoth: object };

/** Answers one request. `signal` aborts when the program has left. */
export async function answerChat(
  body: unknown,
  response: ServerResponse,
  parts: ChatParts,
  signal: AbortSignal,
): Promise<void> {
  const request = parseRequest(chatRequest, body);
  refuseUnknown(request);
  const { model, pieces } = isForLibrary(request)
    ? { model: libraryModel, pieces: fromLibrary(request, parts, signal) }
    : await fromModel(request, parts, signal);
  const frame = { id: parts.newId(), created: Math.floor(parts.nowMs() / 1000), model };
  if (request.stream) await stream(request, frame, pieces, response, signal);
  else await whole(request, frame, pieces, response, signal);
}

type Frame = { id: string; created: number; model: string };

async function whole(
  request: ChatRequest,
  frame: Frame,
  pieces: AsyncIterable<Piece>,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const tokens: TokenReport[] = [];
  let end: Extract<Piece, { type: 'end' }> | undefined;
  for await (const piece of pieces) {
    if (piece.type === 'text') tokens.push(...piece.tokens);
    else end = piece;
  }
  if (!end || signal.aborted) return; // the program has left
  const message = {
    role: 'assistant',
    content: end.content,
    refusal: null,
    ...(end.extra ? { annotations: end.extra.annotations } : {}),
  };
  const choice = { index: 0, message, logprobs: logprobsOf(request, tokens), finish_reason: end.reason };
  sendJson(response, 200, {
    ...frame,
    object: 'chat.completion',
    choices: [choice],
    usage: end.usage,
    ...(end.extra ? { quoth: end.extra.quoth } : {}),
  });
}

async function stream(
  request: ChatRequest,
  frame: Frame,
  pieces: AsyncIterable<Piece>,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  // The status is sent with the first piece: until then an error can still have its own.
  const iterator = pieces[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (signal.aborted) return void (await iterator.return?.());
  const events = openEventStream(response, signal);
  const withUsage = request.stream_options?.include_usage === true;
  const send = (choices: object[], more: object = {}): Promise<void> =>
    events.send({
      ...frame,
      object: 'chat.completion.chunk',
      choices,
      ...(withUsage ? { usage: null } : {}),
      ...more,
    });
  const choice = (delta: object, reason: Finish | null, tokens: TokenReport[] = []) => [
    { index: 0, delta, logprobs: logprobsOf(request, tokens), finish_reason: reason },
  ];
  await send(choice({ role: 'assistant', content: '', refusal: null }, null));
  try {
    for (let next = first; !next.done; next = await iterator.next()) {
      const piece = next.value;
      if (signal.aborted) break;
      if (piece.type === 'text') await send(choice({ content: piece.text }, null, piece.tokens));
      else {
        const { extra, reason, usage } = piece;
        const delta = extra ? { annotations: extra.annotations } : {};
        await send(choice(delta, reason), extra ? { quoth: extra.quoth } : {});
        if (withUsage) await send([], { usage });
      }
    }
  } catch (thrown) {
    // The status has gone out: the error goes the way of the words.
    await events.send({ error: toApiError(thrown).error });
  } finally {
    await iterator.return?.();
  }
  events.end();
}

/** The first piece is awaited before anything is sent. */
async function fromModel(
  request: ChatRequest,
  { app }: ChatParts,
  signal: AbortSignal,
): Promise<{ model: string; pieces: AsyncGenerator<Piece> }> {
  const { chat } = await app.programs.inUse();
  if (chat && request.model !== chat.id)
    throw new ApiRefusal(
      404,
      'model_not_found',
      `"${request.model.slice(0, 100)}" is not in use. There are "${chat.id}" and "${libraryModel}"; others are chosen in Quoth, under Models.`,
      'model',
    );
  const settings = await app.handlers.readSettings({}, signal);
  const completion = app.programs.complete(
    {
      messages: messagesOf(request),
      maxTokens: request.max_completion_tokens ?? request.max_tokens ?? null,
      sampling: { ...usualSampling(settings), ...samplingOf(request) },
      stop: stopOf(request),
      logProbabilities: request.logprobs ? (request.top_logprobs ?? 0) : null,
    },
    signal,
  );
  async function* pieces(): AsyncGenerator<Piece> {
    let content = '';
    let numPromptTokens = 0;
    let cached_tokens = 0;
    for await (const event of completion) {
      if (event.type === 'started') {
        numPromptTokens = event.numPromptTokens;
        cached_tokens = event.numCachedTokens;
      } else if (event.type === 'text') {
        content += event.text;
        yield event;
      } else {
        const usage = usageOf(numPromptTokens, event.numOutputTokens, cached_tokens);
        yield { type: 'end', reason: event.reason, usage, content, extra: null };
      }
    }
  }
  return { model: chat?.id ?? request.model, pieces: pieces() };
}

/** As in the window, but for the seed, which stays: the same request gives the same words. */
function usualSampling({ temperature }: Settings): Sampling {
  return { temperature, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 1 };
}

async function* fromLibrary(request: ChatRequest, parts: ChatParts, signal: AbortSignal): AsyncGenerator<Piece> {
  const { question, earlier } = questionOf(messagesOf(request));
  const events = parts.app.programs.ask(
    {
      question,
      earlier,
      scope: toScope(request.quoth?.scope),
      answerTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
      sampling: samplingOf(request),
      stop: stopOf(request),
    },
    signal,
  );
  for await (const event of events) {
    if (event.type === 'text') yield { type: 'text', text: event.text, tokens: [] };
    if (event.type === 'answer') yield await libraryEnd(event.answer as Answer, parts.app.programs, signal);
  }
}

async function libraryEnd(answer: Answer, programs: Programs, signal: AbortSignal): Promise<Piece> {
  const { text, timings, end, refused, writtenBy, searchedFor = null, sentTo } = answer;
  const citations = await toApiCitations(answer.citations, programs.quoteBoxes, signal);
  return {
    type: 'end',
    reason: end === 'length' ? 'length' : 'stop',
    usage: usageOf(timings.numPromptTokens, timings.numOutputTokens, timings.numCachedTokens),
    content: text,
    extra: {
      annotations: annotationsOf(answer, citations),
      quoth: {
        // Of a stream, what was written before was a draft: this is what stood the check.
        text,
        refused,
        written_by: writtenBy,
        end,
        searched_for: searchedFor,
        sent_to: sentTo ? { model: sentTo.model, host: sentTo.host, num_passages: sentTo.numPassages } : null,
        citations,
      },
    },
  };
}

function usageOf(prompt_tokens: number, completion_tokens: number, cached_tokens: number): Usage {
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens },
  };
}

function logprobsOf(request: ChatRequest, tokens: TokenReport[]): object | null {
  if (!request.logprobs) return null;
  const words = ({ token, bytes, logProbability }: Omit<TokenReport, 'top'>) => ({
    token,
    logprob: logProbability,
    bytes,
  });
  return { content: tokens.map((one) => ({ ...words(one), top_logprobs: one.top.map(words) })), refusal: null };
}
