import { useVirtualizer } from '@tanstack/react-virtual';
import { Ellipsis, FileCode, FileText, Globe, Pencil, Trash2 } from 'lucide-react';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { ChatId } from '../../app/contract/types.ts';
import { exportChat } from '../chat/export-chat.ts';
import { Menu, MenuItem } from '../common/menu.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { type FoundChat, Matches, SearchField, useFoundChats } from './chat-search.tsx';

const exportIcons = {
  docx: <FileText className="size-3.5" />,
  markdown: <FileCode className="size-3.5" />,
  html: <Globe className="size-3.5" />,
};

/** The saved chats, newest first. */
export function ChatList() {
  const { t } = useTranslation();
  const { chats: store, conversations, view } = useQuoth();
  const chats = useStore(store, (state) => state.chats);
  const frontKey = useStore(view, (state) => (state.view === 'chat' ? state.conversationKey : null));
  const activeId = useStore(conversations, (state) =>
    frontKey === null ? null : (state.conversations[frontKey]?.chatId ?? null),
  );
  const [words, setWords] = useState('');
  const found = useFoundChats(words);
  if (chats.length === 0) return null;
  return (
    <>
      <SearchField words={words} onWords={setWords} />
      <nav aria-label={t('chats.title')} className="mt-1 flex min-h-0 flex-1 flex-col px-2">
        <h2 className="px-2 pt-2 pb-1 text-xs font-medium text-faint" aria-live="polite">
          {found ? t('chats.found', { count: found.length }) : t('chats.title')}
        </h2>
        <Items found={found ?? chats.map((chat) => ({ chat, matches: [] }))} activeId={activeId} />
      </nav>
    </>
  );
}

/** The chats that are in sight, of as many as there are. */
function Items({ found, activeId }: { found: FoundChat[]; activeId: ChatId | null }) {
  const frame = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: found.length,
    getScrollElement: () => frame.current,
    estimateSize: () => 34,
    getItemKey: (index) => found[index]?.chat.id ?? index,
    gap: 1,
    paddingEnd: 8,
    overscan: 8,
    initialRect: { width: 224, height: 600 },
  });
  return (
    <div ref={frame} className="min-h-0 flex-1 overflow-y-auto">
      <ul className="relative" style={{ height: list.getTotalSize() }}>
        {list.getVirtualItems().map(({ key, index, start }) => {
          const one = found[index];
          return (
            one && (
              <li
                key={key}
                data-index={index}
                ref={list.measureElement}
                aria-posinset={index + 1}
                aria-setsize={found.length}
                className="absolute inset-x-0 top-0"
                style={{ transform: `translateY(${start}px)` }}
              >
                <ChatItem chat={one.chat} active={one.chat.id === activeId} matches={one.matches} />
              </li>
            )
          );
        })}
      </ul>
    </div>
  );
}

function ChatItem({ chat, active, matches }: FoundChat & { active: boolean }) {
  const { t } = useTranslation();
  const quoth = useQuoth();
  const { chats, conversations, view, notices } = quoth;
  const [renaming, setRenaming] = useState(false);
  const { tell, tellError } = notices.getState();
  const open = (): void => view.getState().showConversation(conversations.getState().open(chat.id));
  const remove = async (): Promise<void> => {
    await chats.getState().remove(chat.id);
    if (active) view.getState().showConversation(conversations.getState().begin());
    tell(t('chats.deleted', { title: chat.title }), {
      label: t('common.undo'),
      run: () => chats.getState().restore(chat.id).then(open).catch(tellError),
    });
  };
  if (renaming)
    return (
      <RenameField
        title={chat.title}
        onDone={(title) => {
          setRenaming(false);
          if (title !== null) chats.getState().rename(chat.id, title).catch(tellError);
        }}
      />
    );
  return (
    <>
      <div className={`group relative flex items-center rounded-lg ${active ? 'bg-hover' : 'hover:bg-hover/60'}`}>
        <button
          type="button"
          aria-current={active ? 'page' : undefined}
          title={chat.title}
          className={`min-w-0 flex-1 truncate rounded-lg py-1.5 pr-8 pl-2 text-left text-sm ${active ? 'font-medium' : 'text-soft'}`}
          onClick={open}
          onDoubleClick={() => setRenaming(true)}
        >
          {chat.title}
        </button>
        <Menu
          trigger={
            <button
              type="button"
              aria-label={t('chats.menuOf', { title: chat.title })}
              className="absolute right-1 inline-flex size-6 items-center justify-center rounded-md text-soft opacity-0 group-hover:opacity-100 hover:bg-line focus-visible:opacity-100 data-[state=open]:opacity-100"
            >
              <Ellipsis className="size-4" />
            </button>
          }
          onCloseAutoFocus={(event) => renaming && event.preventDefault()}
        >
          <MenuItem icon={<Pencil className="size-3.5" />} onSelect={() => setRenaming(true)}>
            {t('chats.rename')}
          </MenuItem>
          {(['docx', 'markdown', 'html'] as const).map((format) => (
            <MenuItem
              key={format}
              icon={exportIcons[format]}
              onSelect={() => void exportChat(quoth, chat.id, format).catch(tellError)}
            >
              {t(`export.${format}`)}
            </MenuItem>
          ))}
          <MenuItem icon={<Trash2 className="size-3.5" />} danger onSelect={() => void remove().catch(tellError)}>
            {t('chats.delete')}
          </MenuItem>
        </Menu>
      </div>
      {matches.length > 0 && <Matches chatId={chat.id} matches={matches} />}
    </>
  );
}

function RenameField({ title, onDone }: { title: string; onDone: (title: string | null) => void }) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(title);
  const ended = useRef(false);
  const end = (value: string | null): void => {
    if (ended.current) return; // Leaving the field after Enter or Escape is not a second answer.
    ended.current = true;
    const wanted = value?.trim() ?? '';
    onDone(wanted === '' || wanted === title ? null : wanted);
  };
  return (
    <input
      // biome-ignore lint/a11y/noAutofocus: the person has just asked to write here
      autoFocus
      value={typed}
      maxLength={200}
      aria-label={t('chats.newName')}
      className="w-full rounded-lg border border-accent bg-raised px-2 py-1 text-sm outline-none"
      onChange={(event) => setTyped(event.target.value)}
      onFocus={(event) => event.target.select()}
      onBlur={() => end(typed)}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing || event.keyCode === 229) return;
        if (event.key === 'Enter') end(typed);
        if (event.key === 'Escape') end(null);
      }}
    />
  );
}
