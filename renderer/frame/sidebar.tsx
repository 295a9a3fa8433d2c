import { Cpu, LibraryBig, MessagesSquare, Settings, SquarePen } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { useQuoth } from '../common/quoth.tsx';
import type { ViewName } from '../common/view.ts';
import { groupOf } from '../library/library-state.ts';
import { InstallLine } from '../models/install-line.tsx';
import { ChatList } from './chat-list.tsx';

const places: { view: ViewName; icon: typeof Cpu }[] = [
  { view: 'library', icon: LibraryBig },
  { view: 'models', icon: Cpu },
  { view: 'settings', icon: Settings },
];

/** Where to go: a new chat, the chats, and the three places below them. In a narrow window only the pictures stay. */
export function Sidebar() {
  const { t } = useTranslation();
  const { view, conversations } = useQuoth();
  const front = useStore(view, (state) => state.view);
  return (
    <div className="flex h-full min-h-0 flex-col border-r border-line bg-panel">
      <div className="flex items-center gap-2.5 px-4 pt-4 pb-3 narrow:justify-center narrow:px-0">
        <Mark />
        <span className="font-serif text-[1.3rem] leading-none font-semibold tracking-tight narrow:hidden">Quoth</span>
      </div>
      <div className="px-2">
        <button
          type="button"
          title={t('chats.new')}
          className="flex h-9 w-full items-center gap-2.5 rounded-lg border border-line-strong/70 bg-raised px-2.5 text-sm font-medium shadow-card hover:bg-hover narrow:justify-center"
          onClick={() => view.getState().showConversation(conversations.getState().begin())}
        >
          <SquarePen className="size-4 shrink-0" aria-hidden="true" />
          <span className="narrow:sr-only">{t('chats.new')}</span>
        </button>
      </div>
      <div className="flex min-h-0 flex-1 flex-col narrow:hidden">
        <ChatList />
      </div>
      <NarrowChats />
      <div className="mt-auto" />
      <InstallLine />
      <nav aria-label={t('frame.places')} className="grid gap-px border-t border-line p-2">
        {places.map(({ view: name, icon: Icon }) => (
          <button
            key={name}
            type="button"
            title={t(`frame.${name}`)}
            aria-current={front === name ? 'page' : undefined}
            className={`flex h-9 items-center gap-2.5 rounded-lg px-2.5 text-sm narrow:justify-center ${front === name ? 'bg-hover font-medium' : 'text-soft hover:bg-hover/60 hover:text-ink'}`}
            onClick={() => view.getState().show(name)}
          >
            <Icon className="size-4 shrink-0" aria-hidden="true" />
            <span className="narrow:sr-only">{t(`frame.${name}`)}</span>
            {name === 'library' && <Working />}
          </button>
        ))}
      </nav>
    </div>
  );
}

/** The chats of a narrow window, in a panel that opens beside the pictures and closes with a choice. */
function NarrowChats() {
  const { t } = useTranslation();
  const { chats, view } = useQuoth();
  const numChats = useStore(chats, (state) => state.chats.length);
  const frontKey = useStore(view, (state) => state.conversationKey);
  const [open, setOpen] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a choice closes the panel
  useEffect(() => setOpen(false), [frontKey]);
  if (numChats === 0) return null;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes what its own button opened
    <div className="px-2 pt-1 wide:hidden" onKeyDown={(event) => event.key === 'Escape' && setOpen(false)}>
      <button
        type="button"
        title={t('chats.title')}
        aria-label={t('chats.title')}
        aria-expanded={open}
        className="flex h-9 w-full items-center justify-center rounded-lg text-soft hover:bg-hover hover:text-ink aria-expanded:bg-hover"
        onClick={() => setOpen(!open)}
      >
        <MessagesSquare className="size-4" aria-hidden="true" />
      </button>
      {open && (
        <div className="absolute inset-y-0 left-14 z-30 flex w-60 flex-col border-r border-line bg-panel shadow-float">
          <ChatList />
        </div>
      )}
    </div>
  );
}

/** How many documents are still on their way, beside the library's name. */
function Working() {
  const { t } = useTranslation();
  const { library } = useQuoth();
  const numWorking = useStore(
    library,
    ({ documents }) => [...documents.values()].filter(({ state }) => groupOf(state) === 'working').length,
  );
  if (numWorking === 0) return null;
  return (
    <span
      role="img"
      className="ml-auto rounded-full bg-accent-wash px-1.5 text-xs text-accent tabular-nums narrow:hidden"
      aria-label={t('frame.working', { documents: t('count.documents', { count: numWorking }) })}
    >
      {numWorking}
    </span>
  );
}

/** The sign of Quoth: two opening quotation marks. */
function Mark() {
  return (
    <svg viewBox="0 0 32 32" className="size-7 shrink-0" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0e5a54" />
      <path
        fill="#f6e7b4"
        d="M7 18.200c0-4.600 2.300-7.900 6.100-9.400l.9 2c-2.100 1-3.300 2.500-3.500 4.400.4-.1.8-.2 1.200-.2 2.100 0 3.600 1.500 3.600 3.600 0 2.200-1.700 3.800-3.900 3.800C8.700 22.400 7 20.800 7 18.200zm10 0c0-4.600 2.300-7.900 6.100-9.400l.9 2c-2.100 1-3.300 2.500-3.500 4.400.4-.1.8-.2 1.200-.2 2.100 0 3.600 1.500 3.600 3.600 0 2.200-1.700 3.800-3.900 3.800-2.700 0-4.400-1.600-4.400-4.200z"
      />
    </svg>
  );
}
