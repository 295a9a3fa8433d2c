/** A question's whole story, top to bottom: from the question to the saved answer. */
import type { FoundPassage, SearchResult } from '../../ingest/search.ts';
import type { Sampling } from '../../native/index.ts';
import type { AskEvent } from '../contract/contract.ts';
import { QuothError, toErrorMessage } from '../contract/errors.ts';
import type { Answer, ChatId, Scope, SentTo, Settings, Turn, TurnId } from '../contract/types.ts';
import type { Log } from '../outside.ts';
import type { ChatTable } from '../store/chat-table.ts';
import { countBandwidth } from './bandwidth.ts';
import type { ChatModel } from './chat-model.ts';
import { type FoundForTurn, titleFrom } from './chats.ts';
import { isDoubtful, type Weighing } from './doubt.ts';
import { finishQuoted, finishSpoken, type ReadPassages, refuse, type Spoken } from './finish.ts';
import { buildPrompt, type Shown } from './prompt.ts';
import { isRelevant } from './relevance.ts';
import { searchText } from './search-text.ts';
import { newSpeech, type Speech, speak } from './speak.ts';
import { toPassage } from './to-passage.ts';
import { createWanderGuard } from './wander.ts';

export type AskParts = {
  search: (
    question: string,
    limit: number,
    options: { signal: AbortSignal; scope?: Scope | undefined },
  ) => Promise<SearchResult>;
  /** What was found for a turn, as far as it is still there. */
  foundFor: (turnId: TurnId) => FoundForTurn;
  chatModel: () => Promise<ChatModel | null>;
  /** What tells whether the passages may not answer; absent or null: nobody can tell. */
  embedder?: () => Promise<Weighing | null>;
  /** Told what a use of the model failed with; true when another one can be had. */
  noteFailure: (error: unknown, model: ChatModel) => boolean;
  chats: Pick<ChatTable, 'create' | 'addTurn' | 'read' | 'saveAnswer'>;
  readPassages: ReadPassages;
  /** What is searched in all, or in a scope. */
  counts: (scope?: Scope) => { numDocuments: number; numPassages: number };
  settings: () => Settings;
  /** What another program wants of the sampling. */
  sampling?: Partial<Sampling>;
  /** Remembered from prompt to prompt: what the last one showed, for the reuse of its KV pages. */
  memory: { lastShown: readonly Shown[] };
  nowMs: () => number;
  log: Log;
};

/** Found for each question: more than any prompt holds, so that quotes have a choice. */
export const numPassages = 12;
const mostPassages = 48;
/** A question leans on those shortly before it; a chat of thousands is not read for each. */
const mostEarlier = 50;
/** A second answer from the same passages must not be the first one again: it is sampled at least this freely. */
const temperatureOfAnother = 0.5;

export type AskRequest = {
  question: string;
  chatId: ChatId | null;
  insteadOf?: TurnId | undefined;
  sources?: 'search' | 'same' | 'more' | undefined;
  /** Null: everything; absent: as the turn before, or the one that is asked again. */
  scope?: Scope | null | undefined;
};

export async function* ask(request: AskRequest, parts: AskParts, signal: AbortSignal): AsyncGenerator<AskEvent> {
  const startMs = parts.nowMs();
  const story = begin(request, parts);
  try {
    yield { type: 'started', chatId: story.chatId, turnId: story.turnId, siblings: story.siblings };
    const { passages, embedderId } = await find(story, request, parts, signal);
    story.found = passages;
    story.embedderId = embedderId;
    story.retrieveMs = parts.nowMs() - startMs;
    const { found, retrieveMs } = story;
    yield { type: 'sources', passages: found.map(toPassage), retrieveMs, ...searchedFor(story) };

    if (isRelevant(story.about, story.found, embedderId)) {
      // Beside the writing: the chat model has its prompt to read.
      const doubt = doubtOf(story, parts, signal);
      for await (const text of write(story, parts, signal)) {
        if (story.ttftMs === 0) story.ttftMs = parts.nowMs() - startMs;
        yield { type: 'text', text };
      }
      story.isDoubtful = await doubt;
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
  /** The question, with what it leans on where it cannot stand alone. */
  about: string;
  chatId: ChatId;
  turnId: TurnId;
  siblings: TurnId[];
  /** What is searched; absent: everything. */
  scope: Scope | undefined;
  earlier: Turn[];
  found: FoundPassage[];
  /** Whose cosines they carry. */
  embedderId: string | null;
  /** The model is to be shown more of what was found than usual. */
  wide: boolean;
  /** 1, or another for each further answer from the same passages. */
  seed: number;
  shown: Spoken['shown'];
  speech: Speech;
  /** Who answers: the model, the quotes alone (`why` says why), or nobody. */
  way: 'model' | 'quotes' | 'refuse';
  why: string;
  cut: boolean;
  /** Where the prompt went, if not to a model of this computer's own. */
  sentTo: SentTo | undefined;
  retrieveMs: number;
  ttftMs: number;
  isDoubtful: boolean;
  /** Of the memory, while the answer was written; null where nobody can tell. */
  bandwidthFraction: number | null;
  saved: boolean;
};

/** Opens the turn in its chat, or in a new one that is named after the question. What came before it is its own branch. */
function begin({ question, chatId, insteadOf, sources, scope }: AskRequest, { chats }: AskParts): Story {
  if (insteadOf !== undefined && chatId === null)
    throw new QuothError('invalid-input', 'A question can be asked again in its own chat only.');
  const chat = chatId ?? chats.create(titleFrom(question));
  const turnId = chats.addTurn(chat, question, insteadOf, scope);
  const branch = chats.read(chat, { numTurns: mostEarlier }).turns;
  const earlier = branch.slice(0, -1);
  const siblings = branch.at(-1)?.siblings ?? [];
  return {
    question,
    about: searchText(question, earlier),
    chatId: chat,
    turnId,
    siblings,
    scope: branch.at(-1)?.scope,
    earlier,
    found: [],
    embedderId: null,
    wide: sources === 'more',
    seed: sources === 'same' ? siblings.length : 1,
    shown: [],
    speech: newSpeech(),
    way: 'quotes',
    why: '',
    cut: false,
    sentTo: undefined,
    retrieveMs: 0,
    ttftMs: 0,
    isDoubtful: false,
    bandwidthFraction: null,
    saved: false,
  };
}

/** The passages to answer from: of a new search, those of the turn that is asked again, or of a search for twice as many. */
async function find(
  story: Story,
  { insteadOf, sources }: AskRequest,
  parts: AskParts,
  signal: AbortSignal,
): Promise<FoundForTurn> {
  const before = insteadOf === undefined || sources === undefined ? null : parts.foundFor(insteadOf);
  const numBefore = before?.passages.length ?? 0;
  if (sources === 'same' && before && numBefore > 0) return before;
  const limit = sources === 'more' ? Math.min(mostPassages, 2 * Math.max(numPassages, numBefore)) : numPassages;
  return parts.search(story.about, limit, { signal, scope: story.scope });
}

/** A remark that cannot be made is none: it never fails. */
async function doubtOf({ about, found }: Story, parts: AskParts, signal: AbortSignal): Promise<boolean> {
  try {
    return await isDoubtful(about, found, (await parts.embedder?.()) ?? null, signal);
  } catch (error) {
    if (!signal.aborted)
      parts.log('warn', 'whether the passages may not answer cannot be told', { error: String(error) });
    return false;
  }
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
      const { answerTokens, temperature, systemPrompt } = parts.settings();
      const prompt = buildPrompt(model, {
        question: story.question,
        passages: story.found.map(toPassage),
        earlier: story.earlier,
        lastShown: parts.memory.lastShown,
        answerTokens,
        wish: systemPrompt,
        wide: story.wide,
      });
      parts.memory.lastShown = prompt.shown;
      story.shown = prompt.passages;
      story.sentTo = toSentTo(model, prompt.passages.length);
      // The same question gives the same answer: what changes it is the temperature, not the hour. No repetition penalty: it
      // would count the prompt's tokens, and an answer is to repeat the passages' names and numbers.
      const sampling = {
        temperature: story.seed === 1 ? temperature : Math.max(temperature, temperatureOfAnother),
        topK: 40,
        topP: 0.95,
        minP: 0.05,
        repetitionPenalty: 1,
        seed: story.seed,
        ...parts.sampling,
      };
      const wanders = createWanderGuard(story.about, prompt.passages);
      const bandwidth = countBandwidth(model.engine);
      yield* speak(model, prompt, sampling, story.speech, wanders, parts.nowMs, signal);
      story.bandwidthFraction = await bandwidth();
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

/** What the person is told of a model elsewhere; undefined for one of this computer. */
export function toSentTo(model: Pick<ChatModel, 'name' | 'remote'>, numPassages: number): SentTo | undefined {
  if (!model.remote) return undefined;
  const { host, isLoopback } = model.remote;
  return { model: model.name, host, isLoopback, numPassages };
}

/** What the person is shown of the search, where it was not for the question as it is. */
function searchedFor({ question, about }: Story): { searchedFor?: string } {
  return about === question ? {} : { searchedFor: about };
}

function save(story: Story, parts: AskParts, elapsedMs: number): Answer {
  const { speech } = story;
  const spoken: Spoken = {
    question: story.about,
    text: speech.text.trim(),
    end: story.cut ? 'cut' : speech.end,
    shown: story.shown,
    found: story.found.map(toPassage),
    searched: parts.counts(story.scope),
    isScoped: story.scope !== undefined,
    timings: {
      retrieveMs: story.retrieveMs,
      ttftMs: story.ttftMs || elapsedMs,
      ...(speech.prefillMs > 0 ? { prefillMs: speech.prefillMs } : {}),
      decodeTokensPerSecond: speech.decodeTokensPerSecond,
      ...(story.bandwidthFraction === null ? {} : { bandwidthFraction: story.bandwidthFraction }),
      numPromptTokens: speech.numPromptTokens,
      numCachedTokens: speech.numCachedTokens,
      numOutputTokens: speech.numOutputTokens,
    },
  };
  const finish = { model: finishSpoken, quotes: finishQuoted, refuse };
  const finished =
    story.way === 'quotes'
      ? finish.quotes(spoken, story.why, parts.readPassages)
      : finish[story.way](spoken, parts.readPassages);
  const { sentTo } = story;
  const doubtful = story.isDoubtful && !finished.refused ? { doubtful: true } : {};
  const answer: Answer = { ...finished, ...doubtful, ...searchedFor(story), ...(sentTo ? { sentTo } : {}) };
  const passages = story.found.map(({ passageId, score, similarity, wordScore, rerankScore, alsoIn = [] }) => {
    const twins = alsoIn.map((twin) => twin.passageId);
    return { passageId, score, similarity, wordScore, rerankScore, ...(twins.length > 0 ? { alsoIn: twins } : {}) };
  });
  parts.chats.saveAnswer(story.turnId, answer, { embedderId: story.embedderId, passages });
  story.saved = true;
  return answer;
}
