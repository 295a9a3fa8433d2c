import { Tooltip } from 'radix-ui';
import { useEffect, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { ChatView } from '../chat/chat-view.tsx';
import { LeaveDialog } from '../common/leave-dialog.tsx';
import { NoticeList } from '../common/notice-list.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { applyLanguage } from '../common/text/text.ts';
import { DocumentView } from '../document/document-view.tsx';
import { JobDialog } from '../jobs/job-dialog.tsx';
import { AddressDialog } from '../library/address-dialog.tsx';
import { CollectionDialog } from '../library/collection-dialog.tsx';
import { DropZone } from '../library/drop-zone.tsx';
import { LibraryView } from '../library/library-view.tsx';
import { RemoveDialog } from '../library/remove-dialog.tsx';
import { ModelsView } from '../models/models-view.tsx';
import { ReaderPanel } from '../reader/reader-panel.tsx';
import { applyTextSize, applyTheme } from '../settings/settings-state.ts';
import { SettingsView } from '../settings/settings-view.tsx';
import { Sidebar } from './sidebar.tsx';
import { useCommands } from './use-commands.ts';

/** The end of the connection as the window learns of it: whether it has come, and how to hear of it. */
export type ConnectionEnd = { ended: () => boolean; subscribe: (listener: () => void) => () => void };

const views = {
  chat: ChatView,
  library: LibraryView,
  document: DocumentView,
  models: ModelsView,
  settings: SettingsView,
};

/** The whole window: sidebar, view, and the reader beside it (in a narrow window over it). */
export function Frame({ connection }: { connection: ConnectionEnd }) {
  const { view } = useQuoth();
  const front = useStore(view, (state) => state.view);
  const reading = useStore(view, (state) => state.reading !== null);
  const Front = views[front];
  useStart();
  useCommands();
  return (
    <Tooltip.Provider delayDuration={200} skipDelayDuration={100}>
      <div className="flex h-full flex-col">
        <ConnectionBanner connection={connection} />
        <div className="relative flex min-h-0 flex-1">
          <div className="w-60 shrink-0 narrow:w-14">
            <Sidebar />
          </div>
          <main className="min-h-0 min-w-0 flex-1">
            <Front />
          </main>
          {reading && (
            <div className="h-full w-[clamp(22rem,38vw,42rem)] shrink-0 tight:absolute tight:inset-y-0 tight:right-0 tight:z-30 tight:w-[min(30rem,calc(100%-3.5rem))] tight:shadow-float">
              <ReaderPanel />
            </div>
          )}
        </div>
      </div>
      <DropZone />
      <AddressDialog />
      <CollectionDialog />
      <RemoveDialog />
      <JobDialog />
      <LeaveDialog />
      <NoticeList />
    </Tooltip.Provider>
  );
}

/** Asks the core for all that the window shows, once, and follows the library. */
function useStart(): void {
  const { library, shelf, watchedFolders, jobs, chats, models, remotes, settings, welcome, notices } = useQuoth();
  const theme = useStore(settings, (state) => state.settings?.theme);
  useEffect(() => {
    const { tellError } = notices.getState();
    const controller = new AbortController();
    library.getState().watch(controller.signal).catch(tellError);
    shelf.getState().watch(controller.signal).catch(tellError);
    watchedFolders.getState().watch(controller.signal).catch(tellError);
    jobs.getState().watch(controller.signal).catch(tellError);
    settings.getState().load().catch(tellError);
    chats.getState().load().catch(tellError);
    models.getState().load().catch(tellError);
    models.getState().watch(controller.signal).catch(tellError);
    remotes.getState().load().catch(tellError);
    welcome.getState().load().catch(tellError);
    return () => controller.abort();
  }, [library, shelf, watchedFolders, jobs, chats, models, remotes, settings, welcome, notices]);
  const language = useStore(settings, (state) => state.settings?.language);
  const textSize = useStore(settings, (state) => state.settings?.textSize);
  useEffect(() => {
    if (theme) applyTheme(theme);
  }, [theme]);
  useEffect(() => {
    if (textSize) applyTextSize(textSize);
  }, [textSize]);
  useEffect(() => {
    if (language) applyLanguage(language).catch(notices.getState().tellError);
  }, [language, notices]);
}

function ConnectionBanner({ connection }: { connection: ConnectionEnd }) {
  const { t } = useTranslation();
  const ended = useSyncExternalStore(connection.subscribe, connection.ended);
  if (!ended) return null;
  return (
    <div role="alert" className="flex items-center justify-center gap-4 bg-warn-wash px-4 py-2 text-sm text-warn">
      <span>{t('connection.lost')}</span>
      <button
        type="button"
        className="rounded-md border border-current px-2.5 py-0.5 font-medium hover:bg-raised"
        onClick={() => location.reload()}
      >
        {t('connection.reload')}
      </button>
    </div>
  );
}
