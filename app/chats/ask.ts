/** A question's whole story, top to bottom: from the question to the saved answer. */
import type { FoundPassage, SearchResult } from '../../ingest/search.ts';
import type { AskEvent } from '../contract/contract.ts';
import { toErrorMessage } from '../contract/errors.ts';
import type { Answer, ChatId, Settings, Turn, TurnId } from '../contract/types.ts';
import type { Log } from '../outside.ts';
import type { ChatTable } from '../store/chat-table.ts';
import type { ChatModel } from './chat-model.ts';
import { titleFrom } from './chats.ts';
import { finishQuoted, finishSpoken, type ReadPassages, refuse, type Spoken } from './finish.ts';
import { buildPrompt, type Shown } from './prompt.ts';
import { isRelevant } from './relevance.ts';
import { searchText } from './search-text.ts';
import { newSpeech, type Speech, speak } from './speak.ts';
import { toPassage } from './to-passage.ts';
import { createWanderGuard } from './wander.ts';

export type AskParts = {
  search: (question: string, limit: number, options: { signal: AbortSignal }) => Promise<SearchResult>;
  chatModel: () => Promise<ChatModel | null>;
  /** Told what a use of the model failed with; true when another one can be had. */
  noteFailure: (error: unknown, model: ChatModel) => boolean;
  chats: ChatTable;
  readPassages: ReadPassages;
  counts: () => { numDocuments: number; numPassages: number };
  settings: () => Settings;
  /** Remembered from prompt to prompt: what the last one showed, for the reuse of its KV pages. */
  memory: { lastShown: readonly Shown[] };
  nowMs: () => number;
  log: Log;
};

/** Found for each question: more than any prompt holds, so that quotes have a choice. */
const numPassages = 12;

export async function* ask(
  request: { question: string; chatId: ChatId | null },
  parts: AskParts,
  signal: AbortSignal,
): AsyncGenerator<AskEvent> {
  const startMs = parts.nowMs();
  const story = begin(request, parts);
  try {
    yield { type: 'started', chatId: story.chatId, turnId: story.turnId };
    const { passages, embedderId } = await parts.search(story.about, numPassages, { signal });
    story.found = passages;
    story.retrieveMs = parts.nowMs() - startMs;
    yield { type: 'sources', passages: story.found.map(toPassage), retrieveMs: story.retrieveMs };

    if (isRelevant(story.about, story.found, embedderId)) {
      for await (const text of write(story, parts, signal)) {
        if (story.ttftMs === 0) story.ttftMs = parts.nowMs() - startMs;
        yield { type: 'text', text };
      }
    } else story.way = 'refuse';
    if (signal.aborted) story.speech.end = 'stopped';
    else if (story.way !== 'model') story.speech.end = 'complete';
    const answer = save(story, parts, parts.nowMs() - startMs);
    if (story.way !== 'model') yield { type: 'text', text: answer.text };
    yield { type: 'answer', answer };
  } finally {
    // The loop was left, or the search failed: what was said is kept.
    if (!story.saved && story.speech.text !== '') save(story, parts, parts.nowMs() - startMs);
  }
}

type Story = {
  question: string;
  /** The question, with the one before it where it cannot stand alone. */
  about: string;
  chatId: ChatId;
  turnId: TurnId;
  earlier: Turn[];
  found: FoundPassage[];
  shown: Spoken['shown'];
  speech: Speech;
  /** Who answers: the model, the quotes alone (`why` says why), or nobody. */
  way: 'model' | 'quotes' | 'refuse';
  why: string;
  cut: boolean;
  retrieveMs: number;
  ttftMs: number;
  saved: boolean;
};

/** Opens the turn in its chat, or in a new one that is named after the question. */
function begin({ question, chatId }: { question: string; chatId: ChatId | null }, { chats }: AskParts): Story {
  const earlier = chatId ? chats.read(chatId).turns : [];
  const chat = chatId ?? chats.create(titleFrom(question));
  const turnId = chats.addTurn(chat, question);
  return {
    question,
    about: searchText(question, earlier),
    chatId: chat,
    turnId,
    earlier,
    found: [],
    shown: [],
    speech: newSpeech(),
    way: 'quotes',
    why: '',
    cut: false,
    retrieveMs: 0,
    ttftMs: 0,
    saved: false,
  };
}

const noModel = 'No chat model is installed, so here is what your documents say, word for word:';

/** The model's text. Where there is none, or it fails before its first word, the quotes answer. */
async function* write(story: Story, parts: AskParts, signal: AbortSignal): AsyncGenerator<string> {
  for (let round = 0; round < 2; round++) {
    let model: ChatModel | null = null;
    try {
      model = await parts.chatModel();
      story.way = model ? 'model' : 'quotes';
      story.why = noModel;
      if (!model) return;
      const { answerTokens, temperature } = parts.settings();
      const prompt = buildPrompt(model, {
        question: story.question,
        passages: story.found.map(toPassage),
        earlier: story.earlier,
        lastShown: parts.memory.lastShown,
        answerTokens,
      });
      parts.memory.lastShown = prompt.shown;
      story.shown = prompt.passages;
      // The same question gives the same answer: what changes it is the temperature, not the hour. No repetition penalty: it
      // would count the prompt's tokens, and an answer is to repeat the passages' names and numbers.
      const sampling = { temperature, topK: 40, topP: 0.95, minP: 0.05, repetitionPenalty: 1, seed: 1 };
      const wanders = createWanderGuard(story.about, prompt.passages);
      yield* speak(model, prompt, sampling, story.speech, wanders, parts.nowMs, signal);
      return;
    } catch (error) {
      parts.log('error', 'an answer broke off', { error: String(error) });
      const died = model !== null && parts.noteFailure(error, model);
      story.cut = story.speech.text !== '';
      if (story.cut) return;
      if (died && round === 0) continue; // nothing was said yet: once more with a fresh engine
      story.way = 'quotes';
      story.why = `The chat model could not answer (${toErrorMessage(error).message}) Here is what your documents say, word for word:`;
      return;
    }
  }
}

function save(story: Story, parts: AskParts, elapsedMs: number): Answer {
  const { speech } = story;
  const spoken: Spoken = {
    question: story.about,
    text: speech.text.trim(),
    end: story.cut ? 'cut' : speech.end,
    shown: story.shown,
    found: story.found.map(toPassage),
    searched: parts.counts(),
    timings: {
      retrieveMs: story.retrieveMs,
      ttftMs: story.ttftMs || elapsedMs,
      decodeTokensPerSecond: speech.decodeTokensPerSecond,
      numPromptTokens: speech.numPromptTokens,
      numCachedTokens: speech.numCachedTokens,
      numOutputTokens: speech.numOutputTokens,
    },
  };
  const finish = { model: finishSpoken, quotes: finishQuoted, refuse };
  const answer =
    story.way === 'quotes'
      ? finish.quotes(spoken, story.why, parts.readPassages)
      : finish[story.way](spoken, parts.readPassages);
  parts.chats.saveAnswer(story.turnId, answer);
  story.saved = true;
  return answer;
}
