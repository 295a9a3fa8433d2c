import { CircleAlert, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { IconButton } from './button.tsx';
import type { Notice } from './notices.ts';
import { useQuoth } from './quoth.tsx';

const calmMs = 8_000; // Long enough to read a sentence and reach for Undo.
const errorMs = 20_000;

/** The messages, above the places of the sidebar: there they cover no answer. A pointer or the focus on one keeps it there. */
export function NoticeList() {
  const { notices: store } = useQuoth();
  const notices = useStore(store, (state) => state.notices);
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed bottom-36 left-2 z-40 grid w-[min(18rem,calc(100vw-1rem))] gap-2"
    >
      {notices.map((notice) => (
        <NoticeCard key={notice.id} notice={notice} />
      ))}
    </div>
  );
}

function NoticeCard({ notice }: { notice: Notice }) {
  const { t } = useTranslation();
  const { notices } = useQuoth();
  const [held, setHeld] = useState(false);
  const { dismiss } = notices.getState();
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => dismiss(notice.id), notice.tone === 'error' ? errorMs : calmMs);
    return () => clearTimeout(timer);
  }, [held, dismiss, notice]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the pointer only holds the message; it does nothing else here
    <div
      className="rise pointer-events-auto flex items-start gap-2 rounded-xl border border-line bg-raised py-2 pr-1.5 pl-3.5 text-[0.8125rem] shadow-float"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      {notice.tone === 'error' && <CircleAlert className="mt-1.5 size-4 shrink-0 text-danger" aria-hidden="true" />}
      <span className="min-w-0 flex-1 py-1 [overflow-wrap:anywhere]">{notice.text}</span>
      {notice.action && (
        <button
          type="button"
          className="rounded-md px-2 py-1 font-medium text-accent hover:bg-hover"
          onClick={() => {
            notice.action?.run();
            dismiss(notice.id);
          }}
        >
          {notice.action.label}
        </button>
      )}
      <IconButton small label={t('common.dismiss')} onClick={() => dismiss(notice.id)}>
        <X className="size-3.5" />
      </IconButton>
    </div>
  );
}
