/**
 * The prompt, fitted to the model's context.
 *
 * The order is: instruction, passages, earlier question, question. What stays the same between questions comes first, so
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
/** An earlier turn is only there to make sense of "and how high is it?". */
const maxHistoryTokens = 120;
/** Counts of parts do not add up exactly where parts meet. */
const slackTokens = 24;

export type Prompt = {
  ids: Int32Array;
  /** In the prompt's order, whole. */
  passages: Passage[];
  maxTokens: number;
};

export type PromptRequest = {
  question: string;
  /** Best first. */
  passages: Passage[];
  /** The chat so far, oldest first. */
  earlier: Turn[];
  /** Ids of the passages in the last prompt, in its order: repeated as far as they are found again. */
  lastPassageIds: readonly number[];
  answerTokens: number;
};

/** Builds the prompt from the sentences of the best passages that speak of the question. */
export function buildPrompt(model: ChatModel, request: PromptRequest): Prompt {
  const maxTokens = Math.min(request.answerTokens, Math.floor(model.contextTokens / 4));
  const limit = model.contextTokens - maxTokens;
  const frameTokens = model.encodePrompt(instruction, '').length;
  const room = limit - frameTokens - slackTokens;
  const question = `${cutTo(`Question: ${request.question}`, Math.floor(room / 2), model)}\nAnswer:`;
  let budget = room - model.countTokens(question);

  const textTokens = Math.max(0, Math.min(maxPassageTokens, budget - slackTokens));
  const about = searchText(request.question, request.earlier);
  const chosen = focusOn(about, request.passages, maxPassages, textTokens, model.countTokens);
  for (const passage of chosen) budget -= model.countTokens(passageText(passage));
  const history = historyText(request.earlier);
  const fits = history !== '' && model.countTokens(history) <= Math.min(budget, maxHistoryTokens);
  const passages = inStableOrder(chosen, request.lastPassageIds);
  const write = (shown: Passage[]): string => shown.map(passageText).join('') + (fits ? history : '') + question;
  let ids = model.encodePrompt(instruction, write(passages));
  while (ids.length > limit && passages.length > 0) {
    passages.pop();
    ids = model.encodePrompt(instruction, write(passages));
  }
  // Citations are looked for in the whole passage, not in what was left of it.
  const whole = new Map(request.passages.map((passage) => [passage.passageId, passage]));
  return { ids, passages: passages.map((passage) => whole.get(passage.passageId) ?? passage), maxTokens };
}

/** No number and no title: a small model copies them into its answer. Which passage backs what, the program finds out. */
function passageText({ text }: Passage): string {
  return `${text}\n\n`;
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
  return `Earlier question: ${last.question}\nEarlier answer: ${said}\n\n`;
}

/**
 * As the last prompt had them, as far as its beginning is found again; the rest in the documents' order (passage ids grow
 * with it). Rank does not decide: the same passages for another question must give the same beginning.
 */
export function inStableOrder(passages: Passage[], lastPassageIds: readonly number[]): Passage[] {
  const byId = new Map<number, Passage>(passages.map((passage) => [passage.passageId, passage]));
  const repeated: Passage[] = [];
  for (const id of lastPassageIds) {
    const passage = byId.get(id);
    if (!passage) break;
    repeated.push(passage);
    byId.delete(id);
  }
  return [...repeated, ...[...byId.values()].sort((a, b) => a.passageId - b.passageId)];
}
