import { ExternalLink, X } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { parseAddress, videoAddressAt } from '../common/address.ts';
import { IconButton } from '../common/button.tsx';
import { formatPlace } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { useLeave } from '../common/use-leave.ts';
import type { Reading } from '../common/view.ts';
import { DocumentMenu } from '../jobs/document-menu.tsx';
import { PdfView } from './pdf-view.tsx';
import { RecordingView } from './recording-view.tsx';
import { TextView } from './text-view.tsx';

/** The side panel that opens a citation. Escape closes it and gives the focus back. */
export function ReaderPanel() {
  const { view } = useQuoth();
  const reading = useStore(view, (state) => state.reading);
  return reading ? <OpenReader reading={reading} /> : null;
}

function OpenReader({ reading }: { reading: Reading }) {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const leave = useLeave();
  const [choice, setChoice] = useState<'page' | 'text'>('page');
  const [failed, setFailed] = useState<string | null>(null);
  const panel = useRef<HTMLElement>(null);
  const cameFrom = useRef<Element | null>(null);
  const { documentId } = reading;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another document starts anew
  useEffect(() => {
    setFailed(null);
    setChoice('page');
  }, [documentId]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each reading takes the focus once
  useEffect(() => {
    const active = document.activeElement;
    if (active && !panel.current?.contains(active)) cameFrom.current = active;
    panel.current?.focus({ preventScroll: true });
  }, [reading]);

  const close = useCallback((): void => {
    view.getState().read(null);
    if (cameFrom.current instanceof HTMLElement && cameFrom.current.isConnected) cameFrom.current.focus();
  }, [view]);

  const isPdf = reading.kind === 'pdf';
  const showsPage = isPdf && choice === 'page' && failed === null;
  const place = formatPlace(reading.place);
  const seconds = reading.place.startSeconds;
  const address =
    (seconds === null ? null : videoAddressAt(reading.source, seconds)) ?? parseAddress(reading.source)?.href ?? null;
  return (
    <aside
      ref={panel}
      tabIndex={-1}
      aria-label={t('reader.label', { title: reading.title })}
      className="flex h-full min-h-0 flex-col border-l border-line bg-paper outline-none"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.defaultPrevented) return;
        event.preventDefault();
        close();
      }}
    >
      <header className="shrink-0 border-b border-line px-5 pt-4 pb-3">
        <div className="flex items-start gap-2">
          <div className="min-w-0 flex-1">
            <h2 className="truncate font-medium" title={reading.title}>
              {reading.title}
            </h2>
            <p className="truncate text-xs text-faint">
              {[reading.source !== reading.title && reading.source, place].filter(Boolean).join(' · ')}
            </p>
          </div>
          {isPdf && (
            <fieldset
              className="flex shrink-0 rounded-lg border border-line bg-panel p-0.5"
              aria-label={t('reader.show')}
            >
              {(['page', 'text'] as const).map((one) => (
                <button
                  key={one}
                  type="button"
                  disabled={one === 'page' && failed !== null}
                  aria-pressed={showsPage === (one === 'page')}
                  className="h-6 rounded-md px-2 text-xs text-soft enabled:hover:text-ink disabled:opacity-40 aria-pressed:bg-raised aria-pressed:font-medium aria-pressed:text-ink aria-pressed:shadow-card"
                  onClick={() => setChoice(one)}
                >
                  {t(`reader.${one}`)}
                </button>
              ))}
            </fieldset>
          )}
          <DocumentMenu documentId={documentId} title={reading.title} className="-mt-0.5" />
          {address && (
            <IconButton label={t('reader.openAddress')} className="-mt-0.5" onClick={() => leave(address)}>
              <ExternalLink className="size-4" />
            </IconButton>
          )}
          <IconButton label={t('reader.close')} className="-mt-0.5 -mr-2" onClick={close}>
            <X className="size-4" />
          </IconButton>
        </div>
        {reading.quote !== null && (
          <p className="mt-3 line-clamp-3 border-l-[3px] border-mark-line pl-3 font-serif text-sm text-soft">
            {reading.quote}
          </p>
        )}
      </header>
      {failed !== null && (
        <p className="border-b border-line bg-warn-wash px-5 py-2 text-[0.8125rem] text-warn">{failed}</p>
      )}
      {showsPage ? (
        <PdfView reading={reading} onFail={setFailed} />
      ) : reading.kind === 'recording' && failed === null ? (
        <RecordingView key={documentId} reading={reading} onFail={setFailed} />
      ) : (
        <TextView key={documentId} reading={reading} />
      )}
    </aside>
  );
}
