/** What a chat completion may ask for: OpenAI's fields, and Quoth's own under `quoth`. */
import { z } from 'zod';
import { documentId, documentKind, type Scope } from '../../app/contract/types.ts';
import type { ChatMessage } from '../../engines/templates.ts';
import type { Sampling } from '../../native/index.ts';
import { ApiRefusal } from './errors.ts';

/** The model's name under which the library answers. */
export const libraryModel = 'quoth-library';

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const content = z.union([z.string(), z.array(textPart).max(1000)]);
const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: content.nullish(),
});
const day = z.number().nonnegative();

/** What of the library is searched. An empty list sets no limit. Times in milliseconds since 1970. */
export const apiScope = z
  .object({
    documents: z.array(documentId).max(200).optional(),
    kinds: z.array(documentKind).max(documentKind.options.length).optional(),
    changed_from_ms: day.optional(),
    changed_before_ms: day.optional(),
  })
  .strict();
export type ApiScope = z.infer<typeof apiScope>;

export const chatRequest = z.object({
  model: z.string().min(1).max(300),
  messages: z.array(message).min(1).max(2000),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  /** Not of OpenAI, but of most servers of open models. */
  top_k: z.number().int().min(0).max(100_000).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().min(0.1).max(10).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z.record(z.string().regex(/^\d{1,9}$/), z.number().min(-100).max(100)).nullish(),
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullish(),
  stop: z.union([z.string().min(1).max(1000), z.array(z.string().min(1).max(1000)).max(16)]).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  n: z.number().int().min(1).nullish(),
  response_format: z.object({ type: z.string() }).nullish(),
  tools: z.array(z.unknown()).nullish(),
  quoth: z.object({ library: z.boolean().optional(), scope: apiScope.optional() }).strict().nullish(),
});
export type ChatRequest = z.infer<typeof chatRequest>;

/** Throws with the first thing that is wrong and where it stands. */
export function parseRequest<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const param = issue?.path.join('.') || null;
  const message = `${param ? `"${param}": ` : ''}${issue?.message ?? 'The request is malformed.'}`;
  throw new ApiRefusal(400, 'invalid_value', message, param);
}

/** What OpenAI has and this server has not: said at once, never left out in silence. */
export function refuseUnknown(request: ChatRequest): void {
  const refuse = (param: string, what: string): never => {
    throw new ApiRefusal(400, 'unsupported_parameter', `Quoth does not have ${what}.`, param);
  };
  if ((request.n ?? 1) > 1) refuse('n', 'more than one answer at a time');
  if (request.tools && request.tools.length > 0) refuse('tools', 'tools for its models');
  if (request.response_format && request.response_format.type !== 'text') refuse('response_format', 'forms of answers');
  if (request.logprobs && isForLibrary(request)) refuse('logprobs', 'log-probabilities of checked answers');
}

export function isForLibrary({ model, quoth }: ChatRequest): boolean {
  return model === libraryModel || quoth?.library === true;
}

export function messagesOf({ messages }: ChatRequest): ChatMessage[] {
  return messages.map(({ role, content }) => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : (content ?? []).map(({ text }) => text).join(''),
  }));
}

export function stopOf({ stop }: ChatRequest): string[] {
  return typeof stop === 'string' ? [stop] : (stop ?? []);
}

/** The fields that were given. */
export function samplingOf(request: ChatRequest): Partial<Sampling> {
  const { temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty, frequency_penalty, seed } = request;
  const bias = Object.entries(request.logit_bias ?? {});
  return {
    ...(typeof temperature === 'number' ? { temperature } : {}),
    ...(typeof top_p === 'number' ? { topP: top_p } : {}),
    ...(typeof top_k === 'number' ? { topK: top_k } : {}),
    ...(typeof min_p === 'number' ? { minP: min_p } : {}),
    ...(typeof repetition_penalty === 'number' ? { repetitionPenalty: repetition_penalty } : {}),
    ...(typeof presence_penalty === 'number' ? { presencePenalty: presence_penalty } : {}),
    ...(typeof frequency_penalty === 'number' ? { frequencyPenalty: frequency_penalty } : {}),
    ...(typeof seed === 'number' ? { seed } : {}),
    ...(bias.length > 0 ? { logitBias: bias.map(([id, value]): [number, number] => [Number(id), value]) } : {}),
  };
}

export function toScope(scope: ApiScope | undefined): Scope | undefined {
  if (!scope) return undefined;
  return {
    places: (scope.documents ?? []).map((id) => ({ type: 'document' as const, documentId: id, name: id })),
    kinds: scope.kinds ?? [],
    changedFromMs: scope.changed_from_ms ?? null,
    changedBeforeMs: scope.changed_before_ms ?? null,
  };
}

/** The last question and what was said before it. */
export function questionOf(messages: readonly ChatMessage[]): {
  question: string;
  earlier: { question: string; answer: string }[];
} {
  const last = messages.at(-1);
  const question = last?.role === 'user' ? last.content.trim() : '';
  if (question === '')
    throw new ApiRefusal(400, 'invalid_value', 'The last message must be a question of the user.', 'messages');
  if (question.length > 20_000)
    throw new ApiRefusal(400, 'invalid_value', 'A question to the library has 20,000 characters at most.', 'messages');
  const earlier = messages.slice(0, -1).flatMap(({ role, content }, index) => {
    const before = messages[index - 1];
    return role === 'assistant' && before?.role === 'user' ? [{ question: before.content, answer: content }] : [];
  });
  return { question, earlier };
}
