/**
 * The prompt, fitted to the model's context.
 *
 * The order is: instruction, passages between marks that no document can write, earlier question, question. What stays the same between questions comes first, so
 * that a second question about the same passages finds their KV pages in the cache.
 */
import type { Passage, Turn } from '../contract/types.ts';
import type { ChatModel } from './chat-model.ts';
import { focusOn } from './focus.ts';
import { searchText } from './search-text.ts';

/** Short: a model of one billion weights follows one plain sentence, and repeats the third. test/eval/README.md has others. */
const instruction = 'You answer questions from the given text, in one full sentence.';

/** Of so many passages at most; more text makes a small model wander and a long prompt slow. */
const maxPassages = 5;
const maxPassageTokens = 200;
/** Where the person asked for more: the first answer was not enough for them, and they wait for this one. */
const wide = { maxPassages: 12, maxPassageTokens: 600 };
/** An earlier turn is only there to make sense of "and how high is it?". */
const maxHistoryTokens = 120;
/** Counts of parts do not add up exactly where parts meet. */
const slackTokens = 24;

/** Around what the documents say. */
const opening = '<text>\n';
const closing = '</text>\n\n';

/** What a prompt shows of a passage: all of it, or the sentences about the question. */
export type Shown = Pick<Passage, 'passageId' | 'text'>;

export type Prompt = {
  ids: Int32Array;
  /** In the prompt's order. A passage can stand there twice, with other sentences. */
  shown: Shown[];
  /** The same passages, each once and whole: citations are looked for in these. */
  passages: Passage[];
  maxTokens: number;
};

export type PromptRequest = {
  question: string;
  /** Best first. */
  passages: Passage[];
  /** The chat so far, oldest first. */
  earlier: Turn[];
  /** What the last prompt showed: repeated at the beginning when its passages are found again. */
  lastShown: readonly Shown[];
  answerTokens: number;
  /** The person's own instruction. It stands after ours, as theirs; what is quoted and checked is not up to the model. */
  wish?: string;
  /** Shows more of the passages. */
  wide?: boolean;
};

/** Builds the prompt from the sentences of the best passages that speak of the question. */
export function buildPrompt(model: ChatModel, request: PromptRequest): Prompt {
  const maxTokens = Math.min(request.answerTokens, Math.floor(model.contextTokens / 4));
  const limit = model.contextTokens - maxTokens;
  const system = systemText(request.wish ?? '', Math.floor(limit / 4), model);
  const frameTokens = model.encodePrompt(system, '').length;
  const room = limit - frameTokens - model.countTokens(opening + closing) - slackTokens;
  const about = searchText(request.question, request.earlier);
  // With what it leans on: a small model does not look it up in the chat.
  const question = `${cutTo(`Question: ${about}`, Math.floor(room / 2), model)}\nAnswer:`;
  let budget = room - model.countTokens(question);

  const most = request.wide ? wide : { maxPassages, maxPassageTokens };
  const textTokens = Math.max(0, Math.min(most.maxPassageTokens, budget - slackTokens));
  const chosen = focusOn(about, request.passages, most.maxPassages, textTokens, model.countTokens);
  // With what the last prompt showed before it: so much text is read again for nothing but the cache.
  const mostTokens = Math.min(2 * most.maxPassageTokens, budget - slackTokens);
  const shown = continueFrom(request.lastShown, chosen, request.passages, mostTokens, model.countTokens);
  for (const passage of shown) budget -= model.countTokens(passageText(passage));
  const history = historyText(request.earlier);
  const fits = history !== '' && model.countTokens(history) <= Math.min(budget, maxHistoryTokens);
  const write = (): string =>
    (shown.length > 0 ? opening + shown.map(passageText).join('') + closing : '') + (fits ? history : '') + question;
  let ids = model.encodePrompt(system, write());
  while (ids.length > limit && shown.length > 0) {
    shown.pop();
    ids = model.encodePrompt(system, write());
  }
  const inOrder = new Set(shown.map(({ passageId }) => passageId));
  const passages = [...inOrder].flatMap((id) => request.passages.filter(({ passageId }) => passageId === id));
  return { ids, shown, passages, maxTokens };
}

/** Our instruction comes first, whatever the person wishes: an answer is made of the text that is given. */
function systemText(wish: string, maxTokens: number, model: ChatModel): string {
  if (wish.trim() === '') return instruction;
  return `${instruction}\nThe person who asks also wishes: ${cutTo(asData(wish.trim()), maxTokens, model)}`;
}

/** No number and no title: a small model copies them into its answer. Which passage backs what, the program finds out. */
function passageText({ text }: Shown): string {
  return `${asData(text)}\n\n`;
}

/**
 * A document's words for a prompt: they cannot end the text that they stand in, nor write the labels of the prompt's own
 * form. (No control token comes of any words: `ChatModel.encodePrompt`.)
 */
export function asData(text: string): string {
  return text
    .replace(/<(?=\s*\/?\s*text\s*>)/gi, '‹')
    .replace(
      /^([ \t]*(?:#{1,6}[ \t]*)?(?:earlier )?(?:question|answer|system|user|assistant|instructions?))[ \t]*:/gim,
      '$1 -',
    );
}

/** The beginning of a text that has at most so many tokens, cut at a word. */
function cutTo(text: string, maxTokens: number, model: ChatModel): string {
  let cut = text;
  for (let tokens = model.countTokens(cut); tokens > Math.max(1, maxTokens) && cut !== ''; ) {
    const length = Math.floor(cut.length * Math.min(0.95, Math.max(1, maxTokens) / tokens));
    const space = cut.lastIndexOf(' ', length);
    cut = cut.slice(0, space > length / 2 ? space : length).toWellFormed();
    tokens = model.countTokens(cut);
  }
  return cut;
}

function historyText(earlier: Turn[]): string {
  const last = earlier.findLast(({ answer }) => answer !== null && !answer.refused && answer.end === 'complete');
  if (!last?.answer) return '';
  const said = last.answer.text.replace(/\s*\[\d+\]/g, '');
  return `Earlier question: ${last.question}\nEarlier answer: ${asData(said)}\n\n`;
}

/**
 * What to show, in an order in which the last prompt's beginning is found again in the cache: if all its passages were found
 * for this question too, what it showed comes first, as it was, and only what is new comes after it. The rest stands in
 * the documents' order (passage ids grow with it): rank does not decide.
 */
function continueFrom(
  last: readonly Shown[],
  chosen: readonly Shown[],
  found: readonly Passage[],
  maxTokens: number,
  countTokens: (text: string) => number,
): Shown[] {
  const inDocumentOrder = (pieces: readonly Shown[]): Shown[] =>
    pieces.map(({ passageId, text }) => ({ passageId, text })).sort((a, b) => a.passageId - b.passageId);
  const isFound = ({ passageId }: Shown): boolean => found.some((passage) => passage.passageId === passageId);
  if (last.length === 0 || !last.every(isFound)) return inDocumentOrder(chosen);
  const isThere = (piece: Shown): boolean =>
    last.some(({ passageId, text }) => passageId === piece.passageId && text.includes(piece.text));
  const all = [...last, ...inDocumentOrder(chosen.filter((piece) => !isThere(piece)))];
  const numTokens = all.reduce((sum, piece) => sum + countTokens(passageText(piece)), 0);
  return numTokens <= maxTokens ? all : inDocumentOrder(chosen);
}
