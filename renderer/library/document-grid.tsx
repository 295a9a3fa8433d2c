import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentSummary } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';
import { DocumentRow } from './document-row.tsx';
import { useDocuments } from './use-documents.ts';
import { useRows } from './use-rows.ts';

const rowHeightPx = 60;

/** The rows in sight of however many there are. One of them is in the order of Tab; arrows lead to the others. */
export function DocumentGrid({ rows }: { rows: DocumentSummary[] }) {
  const { t } = useTranslation();
  const { shelf } = useQuoth();
  const focusWanted = useStore(shelf, (state) => state.focusWanted);
  const frame = useRef<HTMLDivElement>(null);
  const toFocus = useRef(false);
  const { open, askRemoval } = useDocuments();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => rowHeightPx,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 8,
    initialRect: { width: 800, height: 600 },
    initialOffset: shelf.getState().scrollTop,
  });
  const reveal = (index: number): void => {
    toFocus.current = true;
    virtual.scrollToIndex(index);
  };
  const { activeIndex, selected, onKeyDown, onPick, chosenOr } = useRows(rows, reveal, {
    onOpen: ({ id }) => open(id),
    onRemove: askRemoval,
  });
  const items = virtual.getVirtualItems();
  // The active row may be far away: then the first one in sight is the way in.
  const isInSight = items.some(({ index }) => index === activeIndex);
  const wayIn = isInSight ? activeIndex : (items[0]?.index ?? 0);

  useEffect(() => {
    if (!toFocus.current) return;
    const row = frame.current?.querySelector<HTMLElement>(`[role="row"][data-index="${activeIndex}"]`);
    if (!row) return;
    toFocus.current = false;
    row.focus({ preventScroll: true });
  });

  // The row that had the focus is gone, or whoever took it gives it back: it goes on from the row in its place.
  const hasFocus = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows that go take the focus with them
  useEffect(() => {
    const isLost = document.activeElement === document.body && hasFocus.current;
    if (!isLost && !focusWanted) return;
    shelf.getState().wantFocus(false);
    frame.current?.querySelector<HTMLElement>('[role="row"][tabindex="0"]')?.focus({ preventScroll: true });
  }, [focusWanted, rows, shelf]);

  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    element.scrollTop = shelf.getState().scrollTop;
    const keep = (): void => shelf.getState().keepScroll(element.scrollTop);
    element.addEventListener('scroll', keep, { passive: true });
    return () => element.removeEventListener('scroll', keep);
  }, [shelf]);

  return (
    // biome-ignore lint/a11y/useSemanticElements: a table cannot leave out the rows that are not in sight
    <div
      ref={frame}
      role="grid"
      aria-label={t('library.title')}
      aria-multiselectable="true"
      aria-rowcount={rows.length}
      aria-description={t('shelf.keys')}
      className="min-h-0 flex-1 overflow-y-auto pb-6"
      onKeyDown={onKeyDown}
      onFocus={() => {
        hasFocus.current = true;
      }}
      onBlur={({ target, currentTarget }) => {
        // Of a row that is taken away, some browsers tell and some do not: it is no leaving.
        queueMicrotask(() => {
          if (target.isConnected) hasFocus.current = currentTarget.contains(document.activeElement);
        });
      }}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: a table cannot leave out the rows that are not in sight */}
      <div role="rowgroup" className="relative w-full" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const document = rows[item.index];
          return (
            document && (
              <DocumentRow
                key={item.key}
                ref={virtual.measureElement}
                document={document}
                index={item.index}
                start={item.start}
                isWayIn={item.index === wayIn}
                isSelected={selected.has(document.id)}
                anySelected={selected.size > 0}
                onPick={onPick}
                dragged={chosenOr}
              />
            )
          );
        })}
      </div>
    </div>
  );
}
