import { useCallback } from 'react';
import { useStore } from 'zustand';
import { useQuoth } from '../common/quoth.tsx';

/** The conversation in front, and what can be done in it. */
export function useAsk() {
  const { conversations, view } = useQuoth();
  const key = useStore(view, (state) => state.conversationKey);
  const conversation = useStore(conversations, (state) => state.conversations[key]);
  const lastState = conversation?.turns.at(-1)?.state;
  const isAsking = lastState === 'searching' || lastState === 'writing';
  const ask = useCallback((question: string) => void conversations.getState().ask(key, question), [conversations, key]);
  const stop = useCallback(() => conversations.getState().stop(key), [conversations, key]);
  const draft = useCallback((text: string) => conversations.getState().draft(key, text), [conversations, key]);
  return { key, conversation, isAsking, ask, stop, draft };
}
