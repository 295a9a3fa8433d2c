/**
 * The prompt, fitted to the model's context.
 *
 * The order is: instruction, passages, earlier question, question. What stays the same between questions comes first and
 * is encoded piece by piece, so that a second question about the same passages finds their KV pages in the cache.
 */
import type { Passage, Turn } from '../contract/types.ts';
import type { ChatModel } from './chat-model.ts';

/** Short: a model of one billion weights follows one plain sentence, and forgets the third. */
const instruction =
  'Answer the question in one or two short sentences, using only the passages. If they do not say, answer: Not found.';

/** More passages make a small model wander and a long prompt slow. */
const maxPassages = 6;
/** Kept free of the earlier turn: it is only there to make sense of "and how high is it?". */
const maxHistoryTokens = 120;
const minPassageTokens = 64;

export type Prompt = {
  ids: Int32Array;
  /** In the prompt's order: number n stands at index n - 1. */
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

/** Builds the prompt. At least one passage is in it, cut if need be; the question is cut before that. */
export function buildPrompt(model: ChatModel, request: PromptRequest): Prompt {
  const { before, after } = model.frame(instruction);
  const maxTokens = Math.min(request.answerTokens, Math.floor(model.contextTokens / 4));
  let budget = model.contextTokens - maxTokens - before.length - after.length;
  const question = model.encode(`Question: ${request.question}`).slice(0, Math.floor(budget / 2));
  budget -= question.length;

  const chosen: { passage: Passage; ids: number[] }[] = [];
  for (const passage of request.passages.slice(0, maxPassages)) {
    const ids = model.encode(passageText(passage, maxPassages));
    if (ids.length <= budget) chosen.push({ passage, ids });
    else if (chosen.length === 0 && budget >= minPassageTokens) chosen.push({ passage, ids: ids.slice(0, budget) });
    else continue;
    budget -= chosen.at(-1)!.ids.length;
  }
  const passages = inStableOrder(
    chosen.map(({ passage }) => passage),
    request.lastPassageIds,
  );
  const passageIds = passages.flatMap((passage, index) => {
    const fitted = chosen.find((one) => one.passage === passage)!.ids.length;
    return model.encode(passageText(passage, index + 1)).slice(0, fitted);
  });
  const history = model.encode(historyText(request.earlier));
  const fits = history.length <= Math.min(budget, maxHistoryTokens);
  const ids = [...before, ...passageIds, ...(fits ? history : []), ...question, ...after];
  return { ids: Int32Array.from(ids), passages, maxTokens };
}

function passageText({ title, text }: Passage, number: number): string {
  return `[${number}] ${title}\n${text}\n\n`;
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
