/** When the person is told by the system that work has ended, and what they are told. */
import type { ShellCommand } from '../../app/contract/shell.ts';
import type { Ended } from './messages.ts';
import type { Texts } from './texts.ts';

/** Work that takes less is watched to its end. */
export const longMs = 10_000;

export type Notice = { title: string; body: string; command: ShellCommand };

export type NoticeSituation = { isWanted: boolean; isFocused: boolean };

/** What to say of work that has ended; null where the person sees it, did not wait for it, or wants no notice. */
export function noticeOf(ended: Ended, { isWanted, isFocused }: NoticeSituation, texts: Texts): Notice | null {
  if (!isWanted || isFocused || ended.elapsedMs < longMs) return null;
  if (ended.type === 'job') {
    const { chatId, turnId } = ended;
    const body = ended.isDone ? texts.jobDone : texts.jobFailed;
    return { title: texts.jobTitle, body, command: { type: 'chat', chatId, turnId } };
  }
  const { numReady, numFailed } = ended;
  if (numReady + numFailed === 0) return null;
  const body = texts.documentsDone(numReady, numFailed);
  return { title: texts.documentsTitle, body, command: { type: 'view', view: 'library' } };
}
