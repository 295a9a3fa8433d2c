/** Forms of the prompt that were tried. The one in use is `app/chats/prompt.ts`; `README.md` says why. */
import type { ChatModel } from '../../app/chats/chat-model.ts';
import { focusOn } from '../../app/chats/focus.ts';
import type { Prompt } from '../../app/chats/prompt.ts';
import type { Passage } from '../../app/contract/types.ts';

type Form = {
  system: string;
  /** Before the passages, in the user's text. */
  before: string;
  /** After them; `{question}` stands for it. */
  after: string;
  passage: (passage: Passage, number: number) => string;
  maxPassages: number;
  order: 'document' | 'best first' | 'best last';
  repetitionPenalty: number;
  /** Only the sentences about the question, up to so many tokens; absent = whole passages. */
  focusTokens?: number;
  /** After the whole passages, once more the sentences about the question, up to so many tokens. */
  againTokens?: number;
};

const instruction =
  'Answer the question in one or two short sentences, using only the passages. If they do not say, answer: Not found.';
const numbered = ({ title, text }: Passage, number: number): string => `[${number}] ${title}\n${text}\n\n`;
const bare = ({ text }: Passage): string => `${text}\n\n`;
const titled = ({ title, text }: Passage): string => `${title}: ${text}\n\n`;

const before: Form = {
  system: instruction,
  before: '',
  after: 'Question: {question}',
  passage: numbered,
  maxPassages: 5,
  order: 'document',
  repetitionPenalty: 1.1,
};
const plainForm: Form = {
  ...before,
  system: 'You answer questions from the given text.',
  passage: bare,
  maxPassages: 3,
  after: 'Using only the text above, answer in one full sentence.\nQuestion: {question}',
};
const example =
  'Text: The mill at Weston was built in 1803 by John Carr. It burned down twice.\nQuestion: Who built the mill?\nAnswer: The mill at Weston was built by John Carr.\n\n';

/** Its repetition penalty counts the prompt's tokens, too: names that the passages hold come out misspelt. */
const greedyForm: Form = { ...before, maxPassages: 3, repetitionPenalty: 1 };
const plainGreedy: Form = { ...plainForm, repetitionPenalty: 1 };

export const variants: { [name: string]: Form } = {
  before,
  plain3: plainForm,
  greedy3: greedyForm,
  greedy5: { ...greedyForm, maxPassages: 5 },
  greedy3last: { ...greedyForm, order: 'best last' },
  greedy3bare: { ...greedyForm, passage: bare },
  greedy3answer: { ...greedyForm, after: 'Question: {question}\nAnswer:' },
  plain3greedy: plainGreedy,
  user3greedy: {
    ...plainGreedy,
    system: instruction,
    after: 'Question: {question}\nAnswer in one full sentence, with the words of the text above.',
  },
  titled3: { ...plainGreedy, system: instruction, passage: titled, after: 'Question: {question}' },
  focus150: { ...greedyForm, maxPassages: 5, focusTokens: 150 },
  focus250: { ...greedyForm, maxPassages: 5, focusTokens: 250 },
  focus400: { ...greedyForm, maxPassages: 5, focusTokens: 400 },
  focus250bare: { ...greedyForm, maxPassages: 5, focusTokens: 250, passage: bare },
  focus250answer: {
    ...greedyForm,
    maxPassages: 5,
    focusTokens: 250,
    passage: bare,
    system: 'You answer questions from the given text, in one full sentence.',
    after: 'Question: {question}\nAnswer:',
  },
  focus250short: {
    ...greedyForm,
    maxPassages: 5,
    focusTokens: 250,
    passage: bare,
    system: 'You answer questions from the given text.',
    after: 'Question: {question}\nAnswer:',
  },
  focus150answer: {
    ...greedyForm,
    maxPassages: 5,
    focusTokens: 150,
    passage: bare,
    system: 'You answer questions from the given text, in one full sentence.',
    after: 'Question: {question}\nAnswer:',
  },
  focus200words: {
    ...greedyForm,
    maxPassages: 5,
    focusTokens: 200,
    passage: bare,
    system: 'Answer the question with the words of the text.',
    after: 'Question: {question}\nAnswer:',
  },
  focus250answerlast: {
    ...greedyForm,
    maxPassages: 5,
    focusTokens: 250,
    passage: bare,
    order: 'best last',
    system: 'You answer questions from the given text, in one full sentence.',
    after: 'Question: {question}\nAnswer:',
  },
  focus250example: {
    ...greedyForm,
    maxPassages: 5,
    focusTokens: 250,
    passage: bare,
    before: example,
    after: 'Question: {question}\nAnswer:',
  },
  whole5again150: {
    ...greedyForm,
    maxPassages: 5,
    againTokens: 150,
    passage: bare,
    system: 'You answer questions from the given text, in one full sentence.',
    after: 'Question: {question}\nAnswer:',
  },
  whole5answer: {
    ...greedyForm,
    maxPassages: 5,
    passage: bare,
    system: 'You answer questions from the given text, in one full sentence.',
    after: 'Question: {question}\nAnswer:',
  },
  focus250last: { ...greedyForm, maxPassages: 5, focusTokens: 250, order: 'best last' },
  focus250plain: { ...plainGreedy, maxPassages: 5, focusTokens: 250, order: 'best last', after: '{question}' },
  example3: { ...plainGreedy, before: example, after: 'Question: {question}\nAnswer:' },
};

/** A prompt of at most 3072 characters a passage, as `buildPrompt` makes it but for its fitting. */
export function buildVariant(model: ChatModel, form: Form, question: string, found: Passage[]): Prompt {
  const { maxPassages, focusTokens } = form;
  const best = focusTokens
    ? focusOn(question, found, maxPassages, focusTokens, model.countTokens)
    : found.slice(0, maxPassages);
  const passages =
    form.order === 'best first'
      ? best
      : form.order === 'best last'
        ? best.toReversed()
        : best.toSorted((a, b) => a.passageId - b.passageId);
  const again = form.againTokens
    ? focusOn(question, found, maxPassages, form.againTokens, model.countTokens).toReversed()
    : [];
  const write = (): string =>
    form.before +
    passages.map((passage, index) => form.passage(passage, index + 1)).join('') +
    again.map((passage, index) => form.passage(passage, index + 1)).join('') +
    form.after.replace('{question}', question);
  const maxTokens = 96;
  let ids = model.encodePrompt(form.system, write());
  while (ids.length + maxTokens > model.contextTokens) {
    passages.pop();
    ids = model.encodePrompt(form.system, write());
  }
  const whole = new Map(found.map((passage) => [passage.passageId, passage]));
  return { ids, shown: passages, passages: passages.map(({ passageId }) => whole.get(passageId)!), maxTokens };
}
