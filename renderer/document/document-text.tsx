import { useVirtualizer } from '@tanstack/react-virtual';
import { ChevronDown, ChevronUp, ExternalLink, Play, Search } from 'lucide-react';
import { type RefObject, useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { DocumentSummary } from '../../app/contract/types.ts';
import { videoAddressAt } from '../common/address.ts';
import { IconButton } from '../common/button.tsx';
import { formatClock, formatCount, formatPlace } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { useLeave } from '../common/use-leave.ts';
import { type StoredPassage, usePassages } from '../reader/use-passages.ts';
import { findInTexts, type Hit, mostHits } from './find-in-text.ts';

type TextProps = {
  document: DocumentSummary;
  /** What scrolls; the text is the last thing in it. */
  frame: RefObject<HTMLDivElement | null>;
  /** What stands above the text. */
  above: HTMLElement | null;
};

/** The stored text: passage after passage with the titles over them and their pages, and a way to find words in it. */
export function DocumentText({ document, frame, above }: TextProps) {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const { passages, complete, error } = usePassages(document.id, `${document.state} ${document.numPassages}`);
  const [words, setWords] = useState('');
  const [at, setAt] = useState(0);
  const wanted = useDeferredValue(words);
  const texts = useMemo(() => passages.map(({ text }) => text), [passages]);
  const hits = useMemo(() => findInTexts(texts, wanted), [texts, wanted]);
  const hit = hits[at];
  const bar = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const margin = useMargin(above, bar);
  const virtual = useVirtualizer({
    count: passages.length,
    getScrollElement: () => frame.current,
    estimateSize: () => 150,
    getItemKey: (index) => passages[index]?.passageId ?? index,
    overscan: 4,
    scrollMargin: margin.top,
    scrollPaddingStart: margin.bar,
    initialRect: { width: 800, height: 600 },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: other words start at the first
  useEffect(() => setAt(0), [wanted]);
  useEffect(() => {
    if (hit) virtual.scrollToIndex(hit.index, { align: 'start' });
  }, [hit, virtual]);
  const step = (by: number): void => setAt((before) => (before + by + hits.length) % hits.length);

  /** A recording plays beside its page, from where this is said. */
  const listen = ({ passageId, place, text }: StoredPassage): void => {
    const { id: documentId, title, source, kind } = document;
    view.getState().read({ documentId, title, source, kind, place, passageId, quote: null, passageText: text });
  };
  useFindKey(frame, field);
  if (document.numPassages === 0 && complete && passages.length === 0) return <div className="h-8" />;
  return (
    <section aria-labelledby="document-text" className="pt-8 pb-10">
      <div ref={bar} className="sticky top-0 z-20 border-b border-line bg-paper">
        <div className="mx-auto flex w-full max-w-[60rem] flex-wrap items-center gap-2 px-6 py-2">
          <h2 id="document-text" className="mr-auto text-sm font-semibold">
            {t('document.text')}
          </h2>
          <label className="relative min-w-44 flex-1 basis-56 sm:max-w-80">
            <Search className="absolute top-2 left-2.5 size-4 text-faint" aria-hidden="true" />
            <input
              ref={field}
              type="search"
              value={words}
              placeholder={t('document.find')}
              aria-label={t('document.find')}
              className="h-8 w-full rounded-lg border border-line bg-raised pr-3 pl-8 text-sm outline-none placeholder:text-faint focus:border-accent"
              onChange={(event) => setWords(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' || event.nativeEvent.isComposing || hits.length === 0) return;
                event.preventDefault();
                step(event.shiftKey ? -1 : 1);
              }}
            />
          </label>
          <p role="status" className="min-w-16 text-xs text-soft tabular-nums">
            {wanted.trim() !== '' && passages.length > 0 && <Found at={at} hits={hits} />}
          </p>
          <IconButton label={t('document.previous')} disabled={hits.length === 0} onClick={() => step(-1)}>
            <ChevronUp className="size-4" />
          </IconButton>
          <IconButton label={t('document.next')} disabled={hits.length === 0} onClick={() => step(1)}>
            <ChevronDown className="size-4" />
          </IconButton>
        </div>
      </div>
      {error && <p className="mx-auto max-w-[60rem] px-6 py-6 text-sm text-danger">{error.message}</p>}
      {!complete && !error && passages.length === 0 && (
        <p className="mx-auto max-w-[60rem] px-6 py-6 text-sm text-soft">{t('reader.loading')}</p>
      )}
      <div className="relative mx-auto w-full max-w-[60rem]" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const passage = passages[item.index];
          return (
            passage && (
              <div
                key={item.key}
                data-index={item.index}
                ref={virtual.measureElement}
                className="absolute inset-x-0 top-0 px-6"
                style={{ transform: `translateY(${item.start - margin.top}px)` }}
              >
                <Passage
                  passage={passage}
                  before={passages[item.index - 1]}
                  source={document.source}
                  onListen={document.kind === 'recording' ? listen : undefined}
                  hits={hits}
                  index={item.index}
                  hit={hit}
                />
              </div>
            )
          );
        })}
      </div>
    </section>
  );
}

function Found({ at, hits }: { at: number; hits: Hit[] }) {
  const { t } = useTranslation();
  if (hits.length === 0) return t('document.foundNone');
  const count = `${formatCount(hits.length)}${hits.length === mostHits ? '+' : ''}`;
  return t('document.found', { n: formatCount(at + 1), count });
}

type PassageProps = {
  passage: StoredPassage;
  before: StoredPassage | undefined;
  source: string;
  hits: Hit[];
  index: number;
  hit: Hit | undefined;
  onListen: ((passage: StoredPassage) => void) | undefined;
};

/** A title or a page is named where it begins, and not again over every passage. */
function Passage({ passage, before, source, hits, index, hit, onListen }: PassageProps) {
  const { t } = useTranslation();
  const leave = useLeave();
  const { place, heading, text } = passage;
  const seconds = place.startSeconds;
  const address = seconds === null ? null : videoAddressAt(source, seconds);
  const words = formatPlace(place);
  const isNewPlace = place.paragraph === null && words !== '' && (!before || formatPlace(before.place) !== words);
  return (
    <div className="pt-3">
      {heading && heading !== before?.heading && (
        <h3 className="mt-3 mb-1 font-semibold [overflow-wrap:anywhere]" dir="auto">
          {heading}
        </h3>
      )}
      {isNewPlace &&
        (seconds !== null && address !== null ? (
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
        ) : seconds !== null && onListen ? (
          <button
            type="button"
            className="mb-1 inline-flex items-center gap-1 rounded text-xs font-medium text-accent tabular-nums hover:underline"
            aria-label={t('player.listenAt', { time: formatClock(seconds) })}
            onClick={() => onListen(passage)}
          >
            {formatClock(seconds)}
            <Play className="size-3" aria-hidden="true" />
          </button>
        ) : (
          <p className="mb-1 flex items-center gap-3 text-xs text-faint after:h-px after:flex-1 after:bg-line">
            {words}
          </p>
        ))}
      <p
        dir="auto"
        className="font-serif text-[0.9375rem] leading-relaxed whitespace-pre-wrap [overflow-wrap:anywhere]"
      >
        <Marked text={text} hits={hits.filter((one) => one.index === index)} current={hit} />
      </p>
    </div>
  );
}

function Marked({ text, hits, current }: { text: string; hits: Hit[]; current: Hit | undefined }) {
  if (hits.length === 0) return text;
  const parts: React.ReactNode[] = [];
  let from = 0;
  for (const hit of hits) {
    const isCurrent = hit === current;
    parts.push(
      text.slice(from, hit.start),
      <mark key={hit.start} className={isCurrent ? 'outline-2 outline-offset-1 outline-accent' : ''}>
        {text.slice(hit.start, hit.endExclusive)}
      </mark>,
    );
    from = hit.endExclusive;
  }
  parts.push(text.slice(from));
  return parts;
}

/** How far down the text begins, and how high the bar over it is: both change with the window and the text's size. */
function useMargin(above: HTMLElement | null, bar: RefObject<HTMLElement | null>): { top: number; bar: number } {
  const [margin, setMargin] = useState({ top: 0, bar: 0 });
  useLayoutEffect(() => {
    if (!above) return;
    const measure = (): void => {
      const barHeight = bar.current?.offsetHeight ?? 0;
      const gap = bar.current ? bar.current.offsetTop - above.offsetHeight : 0;
      const next = { top: above.offsetHeight + Math.max(0, Math.min(gap, 64)) + barHeight, bar: barHeight };
      setMargin((before) => (before.top === next.top && before.bar === next.bar ? before : next));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(above);
    if (bar.current) observer.observe(bar.current);
    return () => observer.disconnect();
  }, [above, bar]);
  return margin;
}

/** Ctrl+F, which the page's own search would answer with the few passages that are drawn. */
function useFindKey(frame: RefObject<HTMLElement | null>, field: RefObject<HTMLInputElement | null>): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== 'f' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey)
        return;
      const active = window.document.activeElement;
      const isHere = active === null || active === window.document.body || frame.current?.contains(active);
      if (!isHere || !field.current) return;
      event.preventDefault();
      field.current.focus();
      field.current.select();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [frame, field]);
}
