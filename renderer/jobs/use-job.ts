import { useMemo } from 'react';
import type { JobTask } from '../../app/contract/types.ts';
import { type Quoth, useQuoth } from '../common/quoth.tsx';
import { currentLanguage } from '../common/text/text.ts';
import type { Chosen } from './scope-picker.tsx';
import type { SlashCommand } from './slash.ts';

type Language = 'en' | 'fr' | 'it' | 'ja' | 'zh';

/** Starting work on whole documents: its result becomes a turn of the conversation in front. */
export function useJob() {
  const quoth = useQuoth();
  return useMemo(
    () => ({
      start: (task: JobTask) => start(quoth, task),
      /** Does what a command says where it says all; asks for the rest in a dialog. */
      run: (command: SlashCommand | null) => run(quoth, command),
    }),
    [quoth],
  );
}

function start({ conversations, notices, view }: Quoth, task: JobTask): void {
  const { conversationKey, showConversation } = view.getState();
  showConversation(conversationKey);
  conversations
    .getState()
    .startJob(conversationKey, task, currentLanguage() as Language)
    .catch(notices.getState().tellError);
}

function run(quoth: Quoth, command: SlashCommand | null): void {
  const { type, words } = command ?? { type: 'summarise', words: '' };
  if (type === 'mentions' && words !== '') {
    start(quoth, { type, words: words.slice(0, 500), scope: { type: 'library' } });
    return;
  }
  const chosen = words === '' ? null : documentNamed(quoth, words);
  if (type === 'summarise' && chosen) start(quoth, { type, scope: chosen.scope });
  else quoth.view.getState().askForJob({ type, chosen, words: chosen ? '' : words });
}

/** The one document that is called so, or null. */
function documentNamed({ library }: Quoth, words: string): Chosen | null {
  const wanted = words.toLocaleLowerCase();
  const ready = [...library.getState().documents.values()].filter(({ state }) => state === 'ready');
  const exact = ready.filter(({ title, source }) => [title, source].some((one) => one.toLocaleLowerCase() === wanted));
  const named = exact.length > 0 ? exact : ready.filter(({ title }) => title.toLocaleLowerCase().includes(wanted));
  const [one, another] = named;
  if (!one || another) return null;
  return { key: `document ${one.id}`, title: one.title, scope: { type: 'documents', documentIds: [one.id] } };
}
