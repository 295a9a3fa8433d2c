/** Why a document could not be read, in the window's language, and the one step that helps. */
import type { DocumentProblem, DocumentSummary } from '../../app/contract/types.ts';
import { text } from '../common/text/text.ts';

/** `choose`: another file in its place; `address`: another address; `leave`: there is nothing to read in it. */
export type Step = 'retry' | 'choose' | 'address' | 'leave';

const steps: Readonly<Record<DocumentProblem, Step>> = {
  password: 'choose',
  'no-text': 'choose',
  empty: 'retry',
  damaged: 'retry',
  unsupported: 'choose',
  'too-large': 'choose',
  'too-slow': 'retry',
  'too-hungry': 'choose',
  locked: 'retry',
  missing: 'choose',
  'not-a-file': 'leave',
  outside: 'choose',
  crashed: 'retry',
  'no-captions': 'address',
  'no-speech': 'choose',
  'no-speech-model': 'retry',
  'video-unavailable': 'retry',
  offline: 'retry',
  removed: 'address',
  country: 'address',
  members: 'address',
  'no-channel': 'address',
  private: 'address',
  'age-restricted': 'address',
  blocked: 'retry',
  'too-many-requests': 'retry',
  'network-off': 'retry',
  consent: 'retry',
  'po-token': 'retry',
  'no-address': 'address',
  live: 'retry',
};

export function stepFor({ problem, state }: DocumentSummary): Step {
  if (problem !== null) return steps[problem];
  return state === 'unsupported' ? 'choose' : 'retry';
}

/** The core's own sentence where it knows more than the list. */
export function problemWords({ problem, reason, state }: DocumentSummary): string {
  return problem === null ? (reason ?? text(`state.${state}`)) : text(`problem.${problem}`);
}
