/** A question of another program to the library: answered as one in the window is, with checked quotes, and kept nowhere. */
import type { Sampling } from '../../native/index.ts';
import { type AskParts, ask } from '../chats/ask.ts';
import type { ChatModel } from '../chats/chat-model.ts';
import type { AskEvent } from '../contract/contract.ts';
import type { Answer, ChatId, Scope, Turn, TurnId } from '../contract/types.ts';

export type ProgramQuestion = {
  question: string;
  /** What was said before, oldest first. */
  earlier: readonly { question: string; answer: string }[];
  /** Absent: everything. */
  scope?: Scope | undefined;
  /** What is not given is as the person has set it. */
  answerTokens?: number | undefined;
  sampling?: Partial<Sampling> | undefined;
  stop?: readonly string[] | undefined;
};

/** As `ask`; the chat and the turn that it names exist for as long as it runs. */
export function askForProgram(
  request: ProgramQuestion,
  parts: AskParts,
  signal: AbortSignal,
): AsyncGenerator<AskEvent> {
  const { question, scope, answerTokens, sampling = {}, stop = [] } = request;
  let model: ChatModel | null = null;
  return ask(
    { question, chatId: null, scope: scope ?? null },
    {
      ...parts,
      chats: createPassingChat(request, parts.nowMs),
      // The same model with other ends; a failure is noted of the one that it was made of.
      async chatModel() {
        model = await parts.chatModel();
        return model && { ...model, stopStrings: [...model.stopStrings, ...stop] };
      },
      noteFailure: (error) => model !== null && parts.noteFailure(error, model),
      settings() {
        const settings = parts.settings();
        return {
          ...settings,
          answerTokens: answerTokens ?? settings.answerTokens,
          temperature: sampling.temperature ?? settings.temperature,
        };
      },
      sampling,
    },
    signal,
  );
}

const chatId = 'chat_0000000000000000' as ChatId;
const turnIdOf = (index: number): TurnId => `turn_${String(index).padStart(16, '0')}` as TurnId;

/** A chat that is gone when the answer is there. */
function createPassingChat({ earlier }: ProgramQuestion, nowMs: () => number): AskParts['chats'] {
  const turns: Turn[] = earlier.map(({ question, answer }, index) => ({
    ...emptyTurn(index, question, nowMs()),
    answer: saidBefore(answer),
  }));
  return {
    create: () => chatId,
    addTurn(_chatId, question, _insteadOf, scope) {
      const turn = emptyTurn(turns.length, question, nowMs());
      turns.push(scope ? { ...turn, scope } : turn);
      return turn.id;
    },
    read: () => ({
      chat: { id: chatId, title: '', numTurns: turns.length, updatedAtMs: nowMs() },
      turns,
      numBefore: 0,
    }),
    saveAnswer: () => undefined,
  };
}

function emptyTurn(index: number, question: string, askedAtMs: number): Turn {
  const id = turnIdOf(index);
  return { id, question, answer: null, askedAtMs, siblings: [id], numFound: 0 };
}

function saidBefore(text: string): Answer {
  return {
    text,
    citations: [],
    refused: false,
    writtenBy: 'model',
    end: 'complete',
    timings: {
      retrieveMs: 0,
      ttftMs: 0,
      decodeTokensPerSecond: 0,
      numPromptTokens: 0,
      numCachedTokens: 0,
      numOutputTokens: 0,
    },
  };
}
