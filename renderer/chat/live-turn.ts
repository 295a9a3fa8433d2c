import type { ErrorMessage } from '../../app/contract/errors.ts';
import type { Answer, Passage, Scope, Turn, TurnId } from '../../app/contract/types.ts';

/** A question with its answer as the window knows it. `text` is what has been written so far; a saved turn is `unanswered` when
 * it came to its end before the first word. */
export type LiveTurn = {
  key: string;
  turnId: TurnId | null;
  /** The turn in whose place it was asked; of use while it has no id of its own. */
  insteadOf: TurnId | null;
  /** The turns that stand in this place, itself among them, oldest first. */
  siblings: TurnId[];
  question: string;
  /** What it was asked in; null for everything. */
  scope: Scope | null;
  state: 'searching' | 'writing' | 'done' | 'stopped' | 'failed' | 'unanswered';
  /** What was found; of a saved turn null until it is wanted (`found`). */
  passages: Passage[] | null;
  numFound: number;
  /** What was searched for, where it was not the question as it is. */
  searchedFor: string | null;
  retrieveMs: number | null;
  text: string;
  answer: Answer | null;
  error: ErrorMessage | null;
};

/** A turn whose question has just been asked. */
export function fresh(key: string, question: string): LiveTurn {
  return {
    key,
    turnId: null,
    insteadOf: null,
    siblings: [],
    question,
    scope: null,
    state: 'searching',
    passages: null,
    numFound: 0,
    searchedFor: null,
    retrieveMs: null,
    text: '',
    answer: null,
    error: null,
  };
}

export function fromSaved(turn: Turn): LiveTurn {
  return {
    ...fresh(turn.id, turn.question),
    turnId: turn.id,
    scope: turn.scope ?? null,
    siblings: turn.siblings,
    numFound: turn.numFound,
    searchedFor: turn.answer?.searchedFor ?? null,
    state: turn.answer ? 'done' : 'unanswered',
    text: turn.answer?.text ?? '',
    answer: turn.answer,
  };
}
