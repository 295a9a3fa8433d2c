/**
 * The conversations of this window, those that are being answered among them. They live here and not in a component, so
 * that an answer goes on while the person looks at something else.
 */
import { createStore } from 'zustand/vanilla';
import type { AskEvent, QuothContract } from '../../app/contract/contract.ts';
import { type ErrorMessage, toErrorMessage } from '../../app/contract/errors.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { Answer, ChatId, Passage, Turn, TurnId } from '../../app/contract/types.ts';

/** A question with its answer as the window knows it. `text` is what has been written so far; a saved turn is `unanswered` when
 * it came to its end before the first word. */
export type LiveTurn = {
  key: string;
  turnId: TurnId | null;
  question: string;
  state: 'searching' | 'writing' | 'done' | 'stopped' | 'failed' | 'unanswered';
  passages: Passage[] | null;
  retrieveMs: number | null;
  text: string;
  answer: Answer | null;
  error: ErrorMessage | null;
};

export type Conversation = {
  /** Stays the same when a new chat gets its id. */
  key: string;
  chatId: ChatId | null;
  turns: LiveTurn[];
  loading: boolean;
  error: ErrorMessage | null;
  draft: string;
};

export type Conversations = {
  conversations: Record<string, Conversation>;
  /** A fresh, empty conversation: its key. */
  begin(): string;
  /** The conversation of a saved chat: its key. Reads its turns if they are not here yet. */
  open(chatId: ChatId): string;
  draft(key: string, draft: string): void;
  /** Asks, and resolves when the answer has come to its end, whatever that was. */
  ask(key: string, question: string): Promise<void>;
  /** Stops the answer that is being written; what was said stays. */
  stop(key: string): void;
};

const savedAfterStopMs = [150, 400, 1000, 2500]; // The core saves a stopped answer shortly after it hears of the stop.

export function createConversations(client: Client<QuothContract>, onChatChange: () => void) {
  const asking = new Map<string, AbortController>();
  let nextNumber = 1;

  return createStore<Conversations>((set, get) => {
    const change = (key: string, part: Partial<Conversation>): void =>
      set(({ conversations }) => {
        const before = conversations[key];
        return before ? { conversations: { ...conversations, [key]: { ...before, ...part } } } : {};
      });
    const changeTurn = (key: string, turnKey: string, part: Partial<LiveTurn>): void =>
      change(key, {
        turns: (get().conversations[key]?.turns ?? []).map((turn) =>
          turn.key === turnKey ? { ...turn, ...part } : turn,
        ),
      });
    const turnOf = (key: string, turnKey: string): LiveTurn | undefined =>
      get().conversations[key]?.turns.find((turn) => turn.key === turnKey);

    const load = async (key: string, chatId: ChatId): Promise<void> => {
      change(key, { loading: true, error: null });
      try {
        const { turns } = await client.readChat({ chatId });
        change(key, { turns: turns.map(fromSaved), loading: false });
      } catch (thrown) {
        change(key, { loading: false, error: toErrorMessage(thrown) });
      }
    };

    /** Fetches the saved form of a stopped answer, whose citations have been checked. */
    const takeSaved = async (key: string, turnKey: string): Promise<void> => {
      const chatId = get().conversations[key]?.chatId;
      const turnId = turnOf(key, turnKey)?.turnId;
      if (!chatId || !turnId) return;
      for (const waitMs of savedAfterStopMs) {
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        const saved = await client.readChat({ chatId }).catch(() => null);
        const answer = saved?.turns.find((turn) => turn.id === turnId)?.answer;
        if (!answer) continue;
        changeTurn(key, turnKey, { answer, text: answer.text });
        return;
      }
    };

    const take = (key: string, turnKey: string, event: AskEvent): void => {
      switch (event.type) {
        case 'started':
          change(key, { chatId: event.chatId });
          changeTurn(key, turnKey, { turnId: event.turnId });
          onChatChange();
          return;
        case 'sources':
          changeTurn(key, turnKey, { passages: event.passages, retrieveMs: event.retrieveMs, state: 'writing' });
          return;
        case 'text':
          changeTurn(key, turnKey, { text: (turnOf(key, turnKey)?.text ?? '') + event.text, state: 'writing' });
          return;
        case 'answer':
          changeTurn(key, turnKey, { answer: event.answer, text: event.answer.text, state: 'done' });
      }
    };

    return {
      conversations: {},
      begin: () => {
        const unused = Object.values(get().conversations).find((one) => !one.chatId && one.turns.length === 0);
        if (unused) return unused.key;
        const key = `new-${nextNumber++}`;
        set(({ conversations }) => ({ conversations: { ...conversations, [key]: empty(key, null) } }));
        return key;
      },
      open: (chatId) => {
        const known = Object.values(get().conversations).find((one) => one.chatId === chatId && !one.error);
        if (known) return known.key;
        set(({ conversations }) => ({ conversations: { ...conversations, [chatId]: empty(chatId, chatId) } }));
        void load(chatId, chatId);
        return chatId;
      },
      draft: (key, draft) => change(key, { draft }),
      ask: async (key, question) => {
        const conversation = get().conversations[key];
        if (!conversation || asking.has(key)) return;
        const controller = new AbortController();
        asking.set(key, controller);
        const turnKey = `live-${nextNumber++}`;
        change(key, { turns: [...conversation.turns, fresh(turnKey, question)], draft: '' });
        try {
          const events = client.ask({ question, chatId: conversation.chatId }, controller.signal);
          for await (const event of events) take(key, turnKey, event);
          if (turnOf(key, turnKey)?.state !== 'done') changeTurn(key, turnKey, { state: 'stopped' });
        } catch (thrown) {
          if (controller.signal.aborted) changeTurn(key, turnKey, { state: 'stopped' });
          else changeTurn(key, turnKey, { state: 'failed', error: toErrorMessage(thrown) });
        } finally {
          asking.delete(key);
          onChatChange();
        }
        if (turnOf(key, turnKey)?.state === 'stopped') await takeSaved(key, turnKey);
      },
      stop: (key) => asking.get(key)?.abort(),
    };
  });
}

function empty(key: string, chatId: ChatId | null): Conversation {
  return { key, chatId, turns: [], loading: false, error: null, draft: '' };
}

function fresh(key: string, question: string): LiveTurn {
  return {
    key,
    turnId: null,
    question,
    state: 'searching',
    passages: null,
    retrieveMs: null,
    text: '',
    answer: null,
    error: null,
  };
}

function fromSaved(turn: Turn): LiveTurn {
  return {
    ...fresh(turn.id, turn.question),
    turnId: turn.id,
    state: turn.answer ? 'done' : 'unanswered',
    text: turn.answer?.text ?? '',
    answer: turn.answer,
  };
}
