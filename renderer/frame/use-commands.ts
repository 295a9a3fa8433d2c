import { useEffect } from 'react';
import type { ShellCommand } from '../../app/contract/shell.ts';
import type { DocumentId } from '../../app/contract/types.ts';
import { type Quoth, useQuoth } from '../common/quoth.tsx';
import { text } from '../common/text/text.ts';

/** Shows what the shell's menus, links and notices ask for. Nothing is sent or changed: that is the person's. */
export function useCommands(): void {
  const quoth = useQuoth();
  useEffect(() => {
    quoth.shell.desktop?.onCommand((command) => obey(command, quoth));
  }, [quoth]);
}

function obey(command: ShellCommand, quoth: Quoth): void {
  const { view, conversations } = quoth;
  if (command.type === 'new-chat') {
    view.getState().showConversation(conversations.getState().begin());
    focusComposer();
  } else if (command.type === 'compose') {
    if (command.question === null) view.getState().show('chat');
    else compose(command.question, quoth);
    focusComposer();
  } else if (command.type === 'chat') {
    const key = conversations.getState().open(command.chatId);
    view.getState().showConversation(key, command.turnId ?? undefined);
  } else if (command.type === 'document') showDocument(command.documentId, quoth);
  else view.getState().show(command.view);
}

/** In a new chat; what was typed there already stays before it. */
function compose(question: string, { view, conversations }: Quoth): void {
  const key = conversations.getState().begin();
  const typed = conversations.getState().conversations[key]?.draft.trimEnd() ?? '';
  conversations.getState().draft(key, typed === '' || typed === question ? question : `${typed}\n${question}`);
  view.getState().showConversation(key);
}

/** When the view is drawn: the composer may not be there yet. */
function focusComposer(): void {
  setTimeout(() => {
    const label = text('composer.label');
    for (const field of document.querySelectorAll('textarea'))
      if (field.getAttribute('aria-label') === label) {
        field.focus();
        field.setSelectionRange(field.value.length, field.value.length);
      }
  });
}

/** When the library is known: a program that was started by a link has not read it yet. */
function showDocument(documentId: DocumentId, { view, library, notices }: Quoth): void {
  const show = (): boolean => {
    const { documents, loaded } = library.getState();
    const document = documents.get(documentId);
    if (!document) {
      if (loaded) notices.getState().tell(text('desktop.noDocument'));
      return loaded;
    }
    const { title, source, kind } = document;
    const place = { page: null, paragraph: null, startSeconds: null, label: null };
    view.getState().read({ documentId, title, source, kind, place, passageId: null, quote: null, passageText: null });
    return true;
  };
  if (show()) return;
  const leave = library.subscribe(() => {
    if (show()) leave();
  });
}
