import { useCallback } from 'react';
import { useStore } from 'zustand';
import type { Scope, TurnId } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';
import type { Instead } from './conversations.ts';

/** The conversation in front, and what can be done in it. */
export function useAsk() {
  const { conversations, notices, view } = useQuoth();
  const key = useStore(view, (state) => state.conversationKey);
  const conversation = useStore(conversations, (state) => state.conversations[key]);
  const lastState = conversation?.turns.at(-1)?.state;
  const isAsking = lastState === 'searching' || lastState === 'writing';
  const ask = useCallback(
    (question: string, instead?: Instead) => void conversations.getState().ask(key, question, instead),
    [conversations, key],
  );
  const showTurn = useCallback(
    (turnId: TurnId) => void conversations.getState().showTurn(key, turnId).catch(notices.getState().tellError),
    [conversations, notices, key],
  );
  const stop = useCallback(() => conversations.getState().stop(key), [conversations, key]);
  const draft = useCallback((text: string) => conversations.getState().draft(key, text), [conversations, key]);
  const chooseScope = useCallback(
    (scope: Scope | null) => conversations.getState().chooseScope(key, scope),
    [conversations, key],
  );
  return { key, conversation, isAsking, ask, showTurn, stop, draft, chooseScope };
}
