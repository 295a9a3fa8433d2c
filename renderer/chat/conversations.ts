/**
 * The conversations of this window, those that are being answered among them. They live here and not in a component, so
 * that an answer goes on while the person looks at something else.
 */
import type { VirtualItem } from '@tanstack/react-virtual';
import { createStore } from 'zustand/vanilla';
import type { AskEvent, QuothContract } from '../../app/contract/contract.ts';
import { type ErrorMessage, toErrorMessage } from '../../app/contract/errors.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { ChatId, JobTask, Passage, Scope, Settings, Turn, TurnId } from '../../app/contract/types.ts';
import { fresh, fromSaved, type LiveTurn } from './live-turn.ts';

export type Conversation = {
  /** Stays the same when a new chat gets its id. */
  key: string;
  chatId: ChatId | null;
  /** Those that are here: in a long chat the earlier ones come piece by piece. */
  turns: LiveTurn[];
  /** How many stand before these and are still to come. */
  numUnread: number;
  loading: boolean;
  error: ErrorMessage | null;
  draft: string;
  /** What the next question is asked in; null for everything. */
  scope: Scope | null;
};

/** In the place of which turn a question is asked, and from what it is answered. */
export type Instead = { turnKey: string; sources: 'search' | 'same' | 'more' };

/** Where a list of turns was scrolled to, null for its end, and how high they were. */
export type KeptPlace = { offsetPx: number | null; heights: VirtualItem[] };

type Piece = { turns: Turn[]; numBefore: number };

export type Conversations = {
  conversations: Record<string, Conversation>;
  /** A fresh, empty conversation: its key. */
  begin(): string;
  /** The conversation of a saved chat: its key. Reads its turns if they are not here yet. */
  open(chatId: ChatId): string;
  draft(key: string, draft: string): void;
  /** From the next question on. */
  chooseScope(key: string, scope: Scope | null): void;
  /** Asks, and resolves when the answer has come to its end, whatever that was. */
  ask(key: string, question: string, instead?: Instead): Promise<void>;
  /** Shows the branch through a turn. Not while an answer is being written. Throws what the contract answered. */
  showTurn(key: string, turnId: TurnId): Promise<void>;
  /** The passages that were found for a turn, as far as they are still in the library. */
  found(key: string, turnKey: string): Promise<Passage[]>;
  /** Starts work on whole documents at the end of the conversation. Throws what the contract answered. */
  startJob(key: string, task: JobTask, language: Exclude<Settings['language'], 'system'>): Promise<void>;
  /** Fetches the answer of a turn whose work has come to its end. */
  takeAnswer(chatId: ChatId, turnId: TurnId): Promise<void>;
  /** Where a conversation was left; null where it has not been in front. */
  placeOf(key: string): KeptPlace | null;
  keepPlace(key: string, place: KeptPlace): void;
  /** Stops the answer that is being written; what was said stays. */
  stop(key: string): void;
};

/** What is in sight when a chat opens, with some more; and then pieces that take a few milliseconds each. */
const turnsAtOnce = 24;
const turnsOfPiece = 200;
const redrawMs = 33; // A fast engine writes hundreds of words a second; they are shown about thirty times.

const savedAfterStopMs = [150, 400, 1000, 2500]; // The core saves a stopped answer shortly after it hears of the stop.

export function createConversations(client: Client<QuothContract>, onChatChange: () => void) {
  const asking = new Map<string, AbortController>();
  const places = new Map<string, KeptPlace>();
  /** Which reading of a conversation counts: the last that was begun. */
  const reading = new Map<string, number>();
  /** By turn: what was written and is not shown yet. */
  const unshown = new Map<string, string>();
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

    /** Puts turns before those that are here; one that is here already stays as it is. */
    const putBefore = (key: string, { turns, numBefore }: Piece): void => {
      const here = get().conversations[key]?.turns ?? [];
      const known = new Set(here.map(({ turnId }) => turnId));
      const earlier = turns.filter(({ id }) => !known.has(id)).map(fromSaved);
      change(key, { turns: [...earlier, ...here], numUnread: numBefore, loading: false });
    };

    /** Reads on from the end of a branch to its beginning, unless something else is read meanwhile. */
    const readOn = async (key: string, chatId: ChatId, number: number, end: Piece): Promise<void> => {
      let piece = end;
      while (piece.numBefore > 0 && piece.turns.length > 0) {
        piece = await client.readChat({ chatId, before: piece.turns[0]?.id, numTurns: turnsOfPiece });
        if (reading.get(key) !== number) return;
        putBefore(key, piece);
      }
    };

    const load = async (key: string, chatId: ChatId): Promise<void> => {
      const number = nextNumber++;
      reading.set(key, number);
      change(key, { loading: true, error: null });
      try {
        const end = await client.readChat({ chatId, numTurns: turnsAtOnce });
        if (reading.get(key) !== number) return;
        putBefore(key, end);
        if (!asking.has(key)) change(key, { scope: end.turns.at(-1)?.scope ?? null });
        await readOn(key, chatId, number, end);
      } catch (thrown) {
        if (reading.get(key) === number) change(key, { loading: false, error: toErrorMessage(thrown) });
      }
    };

    /** Fetches the saved form of a stopped answer, whose citations have been checked. */
    const takeSaved = async (key: string, turnKey: string): Promise<void> => {
      const chatId = get().conversations[key]?.chatId;
      const turnId = turnOf(key, turnKey)?.turnId;
      if (!chatId || !turnId) return;
      for (const waitMs of savedAfterStopMs) {
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        const saved = await client.readChat({ chatId, numTurns: turnsAtOnce }).catch(() => null);
        const answer = saved?.turns.find((turn) => turn.id === turnId)?.answer;
        if (!answer) continue;
        changeTurn(key, turnKey, { answer, text: answer.text });
        return;
      }
    };

    /** Shows what has been written since the last time. */
    const showText = (key: string, turnKey: string): void => {
      const more = unshown.get(turnKey);
      unshown.delete(turnKey);
      if (more) changeTurn(key, turnKey, { text: (turnOf(key, turnKey)?.text ?? '') + more, state: 'writing' });
    };

    const hear = (key: string, turnKey: string, event: AskEvent): void => {
      switch (event.type) {
        case 'started':
          change(key, { chatId: event.chatId });
          changeTurn(key, turnKey, { turnId: event.turnId, siblings: event.siblings });
          onChatChange();
          return;
        case 'sources':
          changeTurn(key, turnKey, {
            passages: event.passages,
            numFound: event.passages.length,
            searchedFor: event.searchedFor ?? null,
            retrieveMs: event.retrieveMs,
            state: 'writing',
          });
          return;
        case 'text': {
          const isFirst = !unshown.has(turnKey);
          unshown.set(turnKey, (unshown.get(turnKey) ?? '') + event.text);
          if (isFirst) setTimeout(() => showText(key, turnKey), redrawMs);
          return;
        }
        case 'answer':
          unshown.delete(turnKey);
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
      chooseScope: (key, scope) => change(key, { scope }),
      ask: async (key, question, instead) => {
        const conversation = get().conversations[key];
        if (!conversation || asking.has(key)) return;
        const controller = new AbortController();
        asking.set(key, controller);
        const turnKey = `live-${nextNumber++}`;
        const { turns, chatId, draft } = conversation;
        const index = instead ? turns.findIndex((turn) => turn.key === instead.turnKey) : -1;
        const replaced = turns[index];
        const insteadOf = replaced?.turnId ?? replaced?.insteadOf ?? null;
        // A question that is asked again is asked where it was.
        const scope = replaced ? replaced.scope : conversation.scope;
        const turn = { ...fresh(turnKey, question), insteadOf, scope };
        // What followed the old turn stays with it, on its own branch.
        change(key, { turns: [...(replaced ? turns.slice(0, index) : turns), turn], draft: replaced ? draft : '' });
        try {
          const place = insteadOf && chatId && instead ? { insteadOf, sources: instead.sources } : {};
          const events = client.ask({ question, chatId, scope, ...place }, controller.signal);
          for await (const event of events) hear(key, turnKey, event);
          showText(key, turnKey);
          if (turnOf(key, turnKey)?.state !== 'done') changeTurn(key, turnKey, { state: 'stopped' });
        } catch (thrown) {
          showText(key, turnKey);
          if (controller.signal.aborted) changeTurn(key, turnKey, { state: 'stopped' });
          else changeTurn(key, turnKey, { state: 'failed', error: toErrorMessage(thrown) });
        } finally {
          asking.delete(key);
          onChatChange();
        }
        if (turnOf(key, turnKey)?.state === 'stopped') await takeSaved(key, turnKey);
      },
      showTurn: async (key, turnId) => {
        const chatId = get().conversations[key]?.chatId;
        if (!chatId || asking.has(key)) return;
        const number = nextNumber++;
        const wasLoading = get().conversations[key]?.loading ?? false;
        reading.set(key, number);
        try {
          const end = await client.showTurn({ chatId, turnId, numTurns: turnsAtOnce });
          if (reading.get(key) !== number || asking.has(key)) return;
          const known = new Map(get().conversations[key]?.turns.map((turn) => [turn.turnId, turn]));
          const turns = end.turns.map((turn) => ({
            ...(known.get(turn.id) ?? fromSaved(turn)),
            siblings: turn.siblings,
          }));
          const scope = wasLoading ? { scope: end.turns.at(-1)?.scope ?? null } : {};
          change(key, { turns, numUnread: end.numBefore, loading: false, ...scope });
          await readOn(key, chatId, number, end);
        } catch (thrown) {
          if (wasLoading && reading.get(key) === number) void load(key, chatId);
          throw thrown;
        }
      },
      found: async (key, turnKey) => {
        const turn = turnOf(key, turnKey);
        if (!turn?.turnId || turn.passages) return turn?.passages ?? [];
        const { passages } = await client.readFound({ turnId: turn.turnId });
        changeTurn(key, turnKey, { passages });
        return passages;
      },
      startJob: async (key, task, language) => {
        const chatId = get().conversations[key]?.chatId ?? null;
        const started = await client.startJob({ task, chatId, language });
        const turn = { ...fresh(`job-${started.turnId}`, started.question), siblings: [started.turnId] };
        const turns = get().conversations[key]?.turns ?? [];
        const added = { ...turn, turnId: started.turnId, state: 'unanswered' as const };
        change(key, { chatId: started.chatId, turns: [...turns, added] });
        onChatChange();
      },
      takeAnswer: async (chatId, turnId) => {
        const here = Object.values(get().conversations).find((one) => one.turns.some((turn) => turn.turnId === turnId));
        const known = here?.turns.find((turn) => turn.turnId === turnId);
        onChatChange();
        if (!here || !known) return;
        const saved = await client.readChat({ chatId }).catch(() => null);
        const answer = saved?.turns.find(({ id }) => id === turnId)?.answer;
        if (answer) changeTurn(here.key, known.key, { answer, text: answer.text, state: 'done' });
      },
      placeOf: (key) => places.get(key) ?? null,
      keepPlace: (key, place) => void places.set(key, place),
      stop: (key) => asking.get(key)?.abort(),
    };
  });
}

function empty(key: string, chatId: ChatId | null): Conversation {
  return { key, chatId, turns: [], numUnread: 0, loading: false, error: null, draft: '', scope: null };
}
