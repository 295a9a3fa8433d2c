/** The rows by keyboard and pointer: moving, choosing one or many, jumping to a name. */
import { type KeyboardEvent, type MouseEvent, useCallback, useRef } from 'react';
import { useStore } from 'zustand';
import type { DocumentId, DocumentSummary } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';

/** As long as one types a name without a pause. */
const typeAheadMs = 800;
const pageRows = 8;

type RowActions = { onOpen: (document: DocumentSummary) => void; onRemove: (ids: DocumentId[]) => void };

export function useRows(rows: readonly DocumentSummary[], reveal: (index: number) => void, actions: RowActions) {
  const { shelf } = useQuoth();
  const active = useStore(shelf, (state) => state.active);
  const selected = useStore(shelf, (state) => state.selected);
  const anchor = useRef<number | null>(null);
  const typed = useRef({ text: '', atMs: 0 });
  const lastIndex = useRef(0);
  let activeIndex = active === null ? -1 : rows.findIndex(({ id }) => id === active);
  // The row that was active is gone: the one that took its place is next.
  if (activeIndex === -1) activeIndex = Math.max(0, Math.min(lastIndex.current, rows.length - 1));
  lastIndex.current = activeIndex;

  const { select, activate } = shelf.getState();
  // The rows of now, for what a row holds on to: it must not be drawn anew because another one changed.
  const latest = useRef(rows);
  latest.current = rows;
  const toggle = (index: number): void => {
    const id = rows[index]?.id;
    if (id === undefined) return;
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    anchor.current = index;
    select(next);
  };
  const go = (index: number, extend: boolean): void => {
    const to = Math.max(0, Math.min(index, rows.length - 1));
    const id = rows[to]?.id;
    if (id === undefined) return;
    if (extend) {
      anchor.current ??= activeIndex;
      select(range(rows, anchor.current, to));
    } else anchor.current = null;
    activate(id);
    reveal(to);
  };
  const chosenOr = useCallback(
    (index: number): DocumentId[] => {
      const id = latest.current[index]?.id;
      if (id === undefined) return [];
      const { selected: now } = shelf.getState();
      return now.has(id) ? latest.current.filter((row) => now.has(row.id)).map((row) => row.id) : [id];
    },
    [shelf],
  );

  /** To the next name that begins so; the same letter again goes on to the next. */
  const jump = (key: string): void => {
    const nowMs = performance.now();
    const before = nowMs - typed.current.atMs < typeAheadMs ? typed.current.text : '';
    const text = before === key ? key : before + key;
    typed.current = { text, atMs: nowMs };
    const wanted = text.normalize('NFKC').toLocaleLowerCase();
    const start = activeIndex + (text.length === 1 ? 1 : 0);
    for (let n = 0; n < rows.length; n++) {
      const index = (start + n) % rows.length;
      if (rows[index]?.title.normalize('NFKC').toLocaleLowerCase().startsWith(wanted)) {
        go(index, false);
        return;
      }
    }
  };

  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    if (event.nativeEvent.isComposing || event.altKey) return;
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>('[role="row"]');
    if (!row || !event.currentTarget.contains(row)) return; // a menu that stands elsewhere in the page
    const onRow = target === row;
    const steps: Record<string, number> = {
      ArrowDown: activeIndex + 1,
      ArrowUp: activeIndex - 1,
      PageDown: activeIndex + pageRows,
      PageUp: activeIndex - pageRows,
    };
    if (onRow) Object.assign(steps, { Home: 0, End: rows.length - 1 });
    const step = steps[event.key];
    const document = rows[activeIndex];
    if (step !== undefined) go(step, event.shiftKey);
    else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') moveWithin(row, target, event.key);
    else if (event.key === 'Escape' && !onRow) row.focus();
    else if (event.key === 'Escape' && selected.size > 0) select(new Set());
    else if (!onRow || !document) return;
    else if (event.key === ' ') toggle(activeIndex);
    else if (event.key === 'Enter') actions.onOpen(document);
    else if (event.key === 'Delete' || event.key === 'Backspace') actions.onRemove(chosenOr(activeIndex));
    else if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) openMenu(row);
    else if (event.key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey))
      select(new Set(rows.map(({ id }) => id)));
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) jump(event.key);
    else return;
    event.preventDefault();
  };

  /** A click on a row's own ground, or on its box. */
  const onPick = useCallback(
    (event: MouseEvent | KeyboardEvent, index: number, always: boolean): void => {
      const { selected: now, select: choose, activate: act } = shelf.getState();
      const id = latest.current[index]?.id;
      if (id === undefined) return;
      if (event.shiftKey) choose(range(latest.current, anchor.current ?? index, index));
      else if (always || event.ctrlKey || event.metaKey) {
        const next = new Set(now);
        if (!next.delete(id)) next.add(id);
        choose(next);
        anchor.current = index;
      } else anchor.current = index;
      act(id);
    },
    [shelf],
  );

  return { activeIndex, selected, onKeyDown, onPick, chosenOr };
}

function range(rows: readonly DocumentSummary[], from: number, to: number): Set<DocumentId> {
  return new Set(rows.slice(Math.min(from, to), Math.max(from, to) + 1).map(({ id }) => id));
}

function moveWithin(row: HTMLElement, target: HTMLElement, key: string): void {
  const stops = [row, ...row.querySelectorAll<HTMLElement>('button:not(:disabled), input')];
  const step = (getComputedStyle(row).direction === 'rtl') === (key === 'ArrowLeft') ? 1 : -1;
  stops[stops.indexOf(target) + step]?.focus();
}

function openMenu(row: HTMLElement): void {
  const button = row.querySelector<HTMLElement>('[aria-haspopup="menu"]');
  button?.focus();
  button?.dispatchEvent(new window.KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
}
