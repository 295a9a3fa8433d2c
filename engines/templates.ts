/**
 * Chat templates: from roles and texts to the prompt that a model was trained on.
 *
 * A checkpoint's template is Jinja and mixes its control tokens with people's texts into one string. So it is rendered
 * with a random word in the place of each text, and cut at those words: what the template wrote may hold control tokens,
 * what people wrote never becomes one.
 */
import { randomBytes } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { ModelError } from './model-error.ts';
import type { PromptPiece } from './tokenizer/types.ts';

export type ChatMessage = { readonly role: 'system' | 'user' | 'assistant'; readonly content: string };

export type ChatTemplateOptions = {
  /** The plan's template, or null for a model that has none: then `plainTemplate`. */
  template: string | null;
  messages: readonly ChatMessage[];
  /** What the template calls `bos_token` and `eos_token`: the pieces of the plan's first start and stop id. */
  startToken: string;
  endToken: string;
};

/** For chat models without a template: no control tokens but the end, words that most models have seen. */
export const plainTemplate =
  "{% for message in messages %}{{ '### ' + message['role']|capitalize + ':\\n' + message['content'] + '\\n\\n' }}{% endfor %}{{ '### Assistant:\\n' }}";

/** Longer than any known template by ten. */
const maxTemplateCharacters = 200_000;

/** A template is a program of somebody else's: it gets this long. The known ones take a few milliseconds. */
const maxRenderMs = 2000;

type Program = ReturnType<typeof parse>;

/** What a template itself may write around people's texts; and how far it may count in one go. */
const maxRenderedCharacters = 1_000_000;
const maxRange = 10_000;

/** Characters that no tokenizer and no person puts there; around a text's word they show whether the template trims. */
const padding = '\u2003';

/**
 * The prompt in pieces, for `Tokenizer.encodePieces`. Where the template knows no system role, the system's text goes
 * before the first of the user's. Fails with `unsupported-model` for a template that cannot be rendered.
 */
export function renderChat(options: ChatTemplateOptions): PromptPiece[] {
  const source = options.template ?? plainTemplate;
  if (source.length > maxTemplateCharacters) {
    throw new ModelError('unsupported-model', "The model's chat template is too long to be one.");
  }
  let template: Program;
  try {
    template = withDeadline(() => parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })));
  } catch (cause) {
    throw new ModelError('unsupported-model', "The model's chat template cannot be read.", { cause });
  }
  try {
    return render(template, options);
  } catch (cause) {
    const folded = foldSystem(options.messages);
    if (folded === null || isTooLong(cause)) throw notRendered(cause);
    try {
      return render(template, { ...options, messages: folded });
    } catch (second) {
      throw notRendered(second);
    }
  }
}

function notRendered(cause: unknown): ModelError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ModelError('unsupported-model', `The model's chat template refused the conversation: ${why}`, { cause });
}

function render(template: Program, { messages, startToken, endToken }: ChatTemplateOptions): PromptPiece[] {
  const nonce = randomBytes(12).toString('hex');
  const marked = messages.map(({ role }, index) => ({ role, content: `${padding}${nonce}x${index}x${padding}` }));
  const environment = new Environment();
  const names = {
    ...{ true: true, True: true, false: false, False: false, none: null, None: null },
    raise_exception: (message: string) => {
      throw new Error(message);
    },
    range: rangeWithin,
    strftime_now: dateOfToday,
    messages: marked,
    add_generation_prompt: true,
    bos_token: startToken,
    eos_token: endToken,
  };
  for (const [name, value] of Object.entries(names)) environment.set(name, value);
  const rendered = String(withDeadline(() => new Interpreter(environment).run(template)).value);
  if (rendered.length > maxRenderedCharacters) throw new Error('it writes without end');

  const pieces: PromptPiece[] = [];
  const shown = new Set<number>();
  let end = 0;
  for (const match of rendered.matchAll(new RegExp(`(${padding}?)${nonce}x(\\d+)x(${padding}?)`, 'gi'))) {
    if (match.index > end) pieces.push({ type: 'special', text: rendered.slice(end, match.index) });
    const index = Number(match[2]);
    let text = messages[index]!.content;
    if (match[1] === '') text = text.trimStart();
    if (match[3] === '') text = text.trimEnd();
    if (text !== '') pieces.push({ type: 'text', text });
    shown.add(index);
    end = match.index + match[0].length;
  }
  if (end < rendered.length) pieces.push({ type: 'special', text: rendered.slice(end) });
  const lost = messages.findIndex((_, index) => !shown.has(index));
  if (lost >= 0) throw new Error(`it leaves out the ${messages[lost]!.role}'s text`);
  return pieces;
}

/** Jinja's `range`, but for lists that only an attack would want. */
function rangeWithin(first: number, end?: number, step = 1): number[] {
  const [from, to] = end === undefined ? [0, first] : [first, end];
  const length = Math.ceil((to - from) / step);
  if (!(length <= maxRange)) throw new Error('it counts without end');
  return Array.from({ length: Math.max(0, length) }, (_, at) => from + at * step);
}

/** `strftime_now` of the published templates, which ask for a day ("%d %b %Y", "%Y-%m-%d"); other marks stay as they are. */
function dateOfToday(format: string): string {
  const now = new Date();
  const part = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en', options).format(now);
  const two = (number: number) => String(number).padStart(2, '0');
  const parts: Readonly<Record<string, string>> = {
    '%d': two(now.getDate()),
    '%m': two(now.getMonth() + 1),
    '%Y': String(now.getFullYear()),
    '%b': part({ month: 'short' }),
    '%B': part({ month: 'long' }),
    '%A': part({ weekday: 'long' }),
  };
  return String(format).replace(/%[a-zA-Z]/g, (mark) => parts[mark] ?? mark);
}

/** Runs a function and stops it when it takes too long: `vm` can interrupt what nothing else on this thread can. */
function withDeadline<Result>(body: () => Result): Result {
  return runInNewContext('body()', { body }, { timeout: maxRenderMs }) as Result;
}

function isTooLong(cause: unknown): boolean {
  return (cause as { code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

/** The system's text in front of the user's first, or null when there is none to move. */
function foldSystem(messages: readonly ChatMessage[]): ChatMessage[] | null {
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => content);
  const rest = messages.filter(({ role }) => role !== 'system');
  const first = rest[0];
  if (system.length === 0 || first?.role !== 'user') return null;
  return [{ role: 'user', content: [...system, first.content].join('\n\n') }, ...rest.slice(1)];
}
