import { createContext, type ReactNode, useContext } from 'react';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { QuothShell } from '../../app/contract/shell.ts';
import { createChats } from '../chat/chats.ts';
import { createConversations } from '../chat/conversations.ts';
import { createJobs } from '../jobs/jobs-state.ts';
import { createWatchedFolders } from '../library/folders-state.ts';
import { createLibrary } from '../library/library-state.ts';
import { createShelf } from '../library/shelf-state.ts';
import { createModels } from '../models/models-state.ts';
import { nameOfInstall } from '../models/name.ts';
import { createRemotes } from '../models/remote-state.ts';
import { createSettings } from '../settings/settings-state.ts';
import { createWelcome } from '../welcome/welcome-state.ts';
import { languageName } from './language-name.ts';
import { createNotices } from './notices.ts';
import { text } from './text/text.ts';
import { createView } from './view.ts';

/** All that a component may need: the client, the shell, and the stores that are made of them. */
export type Quoth = ReturnType<typeof createQuoth>;

export function createQuoth(client: Client<QuothContract>, shell: QuothShell) {
  const notices = createNotices();
  const chats = createChats(client);
  const conversations = createConversations(client, () => {
    chats.getState().load().catch(notices.getState().tellError);
  });
  const view = createView(conversations.getState().begin());
  const models = createModels(client, {
    onInstalled: (model) => {
      const [language] = model.languages ?? [];
      if (model.role !== 'scan' || !language)
        return notices.getState().tell(text('models.installed', { name: model.name }));
      notices.getState().tell(text('scans.installed', { language: languageName(language) }), {
        label: text('library.show'),
        run: () => view.getState().showSettings('library'),
      });
    },
    onFailed: (install) =>
      notices.getState().tell(text('models.failed', { name: nameOfInstall(install, models.getState().models) }), {
        label: text('library.show'),
        run: () => (install.role === 'scan' ? view.getState().showSettings('library') : view.getState().show('models')),
      }),
    onMoved: ({ name, reason }) => notices.getState().tell(reason ?? text('models.folder.moved', { name })),
  });
  const jobs = createJobs(client, async ({ turnId, chatId }, isDone) => {
    await conversations.getState().takeAnswer(chatId, turnId);
    const { view: name, conversationKey } = view.getState();
    const shown = conversations.getState().conversations[conversationKey]?.chatId;
    const inFront = name === 'chat' && shown === chatId;
    if (isDone && !inFront)
      notices.getState().tell(text('jobs.done'), {
        label: text('library.show'),
        run: () => view.getState().showConversation(conversations.getState().open(chatId), turnId),
      });
  });
  return {
    client,
    shell,
    notices,
    chats,
    conversations,
    jobs,
    library: createLibrary(client),
    shelf: createShelf(client),
    watchedFolders: createWatchedFolders(client),
    models,
    remotes: createRemotes(client, () => void models.getState().load().catch(notices.getState().tellError)),
    welcome: createWelcome(client),
    settings: createSettings(client),
    view,
  };
}

const QuothContext = createContext<Quoth | null>(null);

export function QuothProvider({ quoth, children }: { quoth: Quoth; children: ReactNode }) {
  return <QuothContext value={quoth}>{children}</QuothContext>;
}

export function useQuoth(): Quoth {
  const quoth = useContext(QuothContext);
  if (!quoth) throw new Error('A component of Quoth stands outside of its provider.');
  return quoth;
}
