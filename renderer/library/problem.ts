/** Why a document could not be read, in the window's language, and the one step that helps. */
import type { DocumentProblem, DocumentSummary } from '../../app/contract/types.ts';
import { text } from '../common/text/text.ts';

/**
 * `choose`: another file in its place; `address`: another address; `speech`: a model that hears; `language`: one that its
 * pages may be in; `leave`: there is nothing to read in it.
 */
export type Step = 'retry' | 'choose' | 'address' | 'speech' | 'language' | 'leave';

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
  'no-speech-model': 'speech',
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

export function stepFor({ problem, state, kind }: DocumentSummary): Step {
  // A page that is a picture, and no words were recognized with the languages that there are.
  if (problem === 'no-text' && (kind === 'pdf' || kind === 'image')) return 'language';
  if (problem !== null) return steps[problem];
  return state === 'unsupported' ? 'choose' : 'retry';
}

/** The core's own sentence where it knows more than the list. */
export function problemWords({ problem, reason, state, kind }: DocumentSummary): string {
  if (kind === 'recording' && isOfRecordings(problem)) return text(`recordingProblem.${problem}`);
  return problem === null ? (reason ?? text(`state.${state}`)) : text(`problem.${problem}`);
}

const ofRecordings = ['damaged', 'unsupported', 'no-text', 'too-large', 'too-slow', 'too-hungry'] as const;

function isOfRecordings(problem: DocumentProblem | null): problem is (typeof ofRecordings)[number] {
  return ofRecordings.some((one) => one === problem);
}
