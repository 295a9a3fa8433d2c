import { useVirtualizer } from '@tanstack/react-virtual';
import { ExternalLink, Play } from 'lucide-react';
import { useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { videoAddressAt } from '../common/address.ts';
import { formatClock, formatPlace } from '../common/format.ts';
import { useLeave } from '../common/use-leave.ts';
import type { Reading } from '../common/view.ts';
import { locateQuote } from './locate-quote.ts';
import { sheetGrid } from './sheet-grid.ts';
import { SheetTable } from './sheet-table.tsx';
import { type StoredPassage, usePassages } from './use-passages.ts';

const sheetKinds = new Set<Reading['kind']>(['xlsx', 'ods', 'csv']);

/** `seconds`: of a recording, where it plays now. `onListen`: plays it from a second. */
type TextProps = { reading: Reading; seconds?: number | null; onListen?: (seconds: number) => void };

/** The stored text of a document: the cited passage in view, its quote marked. Of a video, with a way to each second. */
export function TextView({ reading, seconds = null, onListen }: TextProps) {
  const { t } = useTranslation();
  const { passages, complete, error } = usePassages(reading.documentId);
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: passages.length,
    getScrollElement: () => frame.current,
    estimateSize: () => 160,
    getItemKey: (index) => passages[index]?.passageId ?? index,
    overscan: 4,
    initialRect: { width: 400, height: 600 },
  });
  const playing =
    seconds === null ? -1 : passages.findLastIndex(({ place }) => (place.startSeconds ?? Infinity) <= seconds);
  const target = passages.findIndex((passage) => passage.passageId === reading.passageId);
  const shown = useRef<Reading | null>(null);
  useEffect(() => {
    if (target === -1 || shown.current === reading) return;
    shown.current = reading;
    virtual.scrollToIndex(target, { align: 'start' });
  }, [target, reading, virtual]);
  if (error) return <p className="p-6 text-sm text-danger">{error.message}</p>;
  if (complete && passages.length === 0) return <p className="p-6 text-sm text-soft">{t('reader.noText')}</p>;
  return (
    <div ref={frame} className="min-h-0 flex-1 overflow-y-auto">
      {!complete && passages.length === 0 && <p className="p-6 text-sm text-soft">{t('reader.loading')}</p>}
      <div className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const passage = passages[item.index];
          return (
            passage && (
              <div
                key={item.key}
                data-index={item.index}
                ref={virtual.measureElement}
                className="absolute inset-x-0 top-0"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <PassageBlock
                  passage={passage}
                  reading={reading}
                  isPlaying={item.index === playing}
                  onListen={onListen}
                />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

type BlockProps = {
  passage: StoredPassage;
  reading: Reading;
  isPlaying: boolean;
  onListen: ((seconds: number) => void) | undefined;
};

function PassageBlock({ passage, reading, isPlaying, onListen }: BlockProps) {
  const isTarget = passage.passageId === reading.passageId;
  const block = useRef<HTMLElement>(null);
  // A passage may be longer than the panel: what is marked in it comes into view.
  useEffect(() => {
    if (isTarget && reading.quote !== null) block.current?.querySelector('mark')?.scrollIntoView({ block: 'nearest' });
  }, [isTarget, reading]);
  const grid = useMemo(
    () => (sheetKinds.has(reading.kind) ? sheetGrid(passage.text, passage.place.label) : null),
    [passage, reading.kind],
  );
  return (
    <section
      ref={block}
      aria-current={isTarget ? 'true' : undefined}
      className={`border-l-[3px] px-5 py-3 ${isTarget ? 'border-mark-line bg-panel' : 'border-transparent'}`}
    >
      <PassageHead passage={passage} reading={reading} isPlaying={isPlaying} onListen={onListen} />
      {grid ? (
        <SheetTable
          grid={grid}
          quoted={isTarget && reading.quote !== null ? placeOf(passage.text, reading.quote) : null}
          cell={isTarget ? (reading.cell ?? null) : null}
        />
      ) : (
        <p className="font-serif text-[0.9375rem] leading-relaxed whitespace-pre-wrap [overflow-wrap:anywhere]">
          {isTarget && reading.quote !== null ? <Marked text={passage.text} quote={reading.quote} /> : passage.text}
        </p>
      )}
    </section>
  );
}

function PassageHead({ passage, reading, isPlaying, onListen }: BlockProps) {
  const { t } = useTranslation();
  const leave = useLeave();
  const seconds = passage.place.startSeconds;
  const address = seconds === null ? null : videoAddressAt(reading.source, seconds);
  if (seconds !== null && address !== null)
    return (
      <button
        type="button"
        className="mb-1 inline-flex items-center gap-1 rounded text-xs font-medium text-accent tabular-nums hover:underline"
        aria-label={t('reader.watchAt', { time: formatClock(seconds) })}
        title={address}
        onClick={() => leave(address)}
      >
        {formatClock(seconds)}
        <ExternalLink className="size-3" aria-hidden="true" />
      </button>
    );
  if (seconds !== null && onListen)
    return (
      <button
        type="button"
        className={`mb-1 inline-flex items-center gap-1 rounded text-xs font-medium tabular-nums hover:underline ${isPlaying ? 'bg-accent-wash px-1.5 text-accent' : 'text-accent'}`}
        aria-label={t('player.listenAt', { time: formatClock(seconds) })}
        aria-current={isPlaying ? 'time' : undefined}
        onClick={() => onListen(seconds)}
      >
        {formatClock(seconds)}
        <Play className="size-3" aria-hidden="true" />
      </button>
    );
  const place = formatPlace(passage.place);
  return place ? <p className="mb-1 text-xs text-faint">{place}</p> : null;
}

function Marked({ text, quote }: { text: string; quote: string }) {
  const place = placeOf(text, quote);
  if (!place) return text;
  return (
    <>
      {text.slice(0, place.start)}
      <mark>{text.slice(place.start, place.endExclusive)}</mark>
      {text.slice(place.endExclusive)}
    </>
  );
}

function placeOf(text: string, quote: string): { start: number; endExclusive: number } | null {
  const place = locateQuote([text], quote);
  return place && { start: place.from.offset, endExclusive: place.to.offset };
}
