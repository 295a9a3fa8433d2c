import { defaultRangeExtractor, type Range, useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import { ArrowDown } from 'lucide-react';
import { type KeyboardEvent, type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { TurnId } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';
import { AnswerView } from './answer.tsx';
import type { Instead } from './conversations.ts';
import type { LiveTurn } from './live-turn.ts';

/** Nearer to its end than this, the list follows what is written there. */
const nearEndPx = 48;
/** About what a question with a short answer and two quotes takes. */
const estimatedHeightPx = 420;
const gapPx = 48;
const headPx = 40;
const footPx = 24;

type TurnListProps = {
  conversationKey: string;
  turns: LiveTurn[];
  /** How many stand before these, and are still to come. */
  numUnread: number;
  isAsking: boolean;
  /** Grows with each question that is asked: then the list goes to its end. */
  numAsked: number;
  onAsk: (question: string, instead?: Instead) => void;
  onShow: (turnId: TurnId) => void;
};

type List = Virtualizer<HTMLDivElement, HTMLDivElement>;

/**
 * The turns of a conversation. Only those in sight are on the page, with the last one and the one that has the focus: a chat of
 * thousands opens as one of five. It follows its end until the person scrolls up, and is where it was when they come back.
 */
export function TurnList({ conversationKey, turns, numUnread, isAsking, numAsked, onAsk, onShow }: TurnListProps) {
  const { t } = useTranslation();
  const { conversations } = useQuoth();
  const frame = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<number | null>(null);
  const [awayFromEnd, setAwayFromEnd] = useState(false);
  const following = useRef(true);
  const [kept] = useState(() => conversations.getState().placeOf(conversationKey));
  const numTurns = numUnread + turns.length;
  const lastIndex = numTurns - 1;
  const list: List = useVirtualizer<HTMLDivElement, HTMLDivElement>({
    count: numTurns,
    getScrollElement: () => frame.current,
    estimateSize: () => estimatedHeightPx,
    getItemKey: (index) => turns[index - numUnread]?.key ?? index,
    gap: gapPx,
    paddingStart: headPx,
    paddingEnd: footPx,
    scrollPaddingStart: 16,
    overscan: 2,
    initialRect: { width: 720, height: 600 },
    rangeExtractor: useCallback(
      (range: Range) => {
        const wanted = new Set(defaultRangeExtractor(range));
        if (focused !== null && focused <= lastIndex) wanted.add(focused);
        if (lastIndex >= 0) wanted.add(lastIndex);
        return [...wanted].sort((a, b) => a - b);
      },
      [focused, lastIndex],
    ),
    // What lies far from where it begins is not drawn for the first picture, only to be thrown away.
    initialOffset: () => kept?.offsetPx ?? numTurns * (estimatedHeightPx + gapPx),
    initialMeasurementsCache: kept?.heights ?? [],
  });

  const toEnd = useCallback(() => {
    following.current = true;
    setAwayFromEnd(false);
    const element = frame.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, []);
  const stay = useCallback(() => {
    following.current = false;
    setAwayFromEnd(true);
  }, []);
  // Before the first painting, so that the chat is never seen at its beginning.
  useLayoutEffect(() => {
    if (kept === null || kept.offsetPx === null) toEnd();
    else stay();
  }, [kept, toEnd, stay]);
  useEffect(() => {
    if (numAsked > 0) toEnd();
  }, [numAsked, toEnd]);
  useFollowing(frame, following, setAwayFromEnd, list.getTotalSize());
  useKeptPlace(conversationKey, list, following);

  const goTo = useGoTo(list, frame, stay);
  useWantedTurn(turns, numUnread, goTo);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    const step = { PageDown: 1, PageUp: -1 }[event.key];
    const from = indexOf(event.target);
    if (step === undefined || from === null || event.target instanceof HTMLTextAreaElement) return;
    const to = from + step;
    if (to < 0 || to > lastIndex) return;
    event.preventDefault();
    goTo(to);
  };
  return (
    <>
      <div ref={frame} className="min-h-0 flex-1 overflow-y-auto overscroll-contain" data-testid="turns">
        <div
          role="feed"
          aria-label={t('chat.turns')}
          aria-busy={isAsking}
          className="relative mx-auto w-full max-w-[46rem]"
          style={{ height: list.getTotalSize() }}
          onKeyDown={onKeyDown}
          onFocus={(event) => setFocused(indexOf(event.target))}
          onBlur={(event) => {
            if (!event.currentTarget.contains(event.relatedTarget)) setFocused(null);
          }}
        >
          {list.getVirtualItems().map(({ key, index, start }) => {
            const turn = turns[index - numUnread];
            return (
              <div
                key={key}
                data-index={index}
                ref={list.measureElement}
                className="absolute inset-x-0 top-0 px-6"
                style={{ transform: `translateY(${start}px)` }}
              >
                {turn ? (
                  <AnswerView
                    turn={turn}
                    position={index + 1}
                    numTurns={numTurns}
                    conversationKey={conversationKey}
                    isAsking={isAsking}
                    onAsk={onAsk}
                    onShow={onShow}
                  />
                ) : (
                  <Unread />
                )}
              </div>
            );
          })}
        </div>
      </div>
      {awayFromEnd && (
        <div className="relative mx-auto w-full max-w-[46rem]">
          <button
            type="button"
            aria-label={t('chat.toEnd')}
            title={t('chat.toEnd')}
            className="absolute -top-11 left-1/2 z-10 inline-flex size-8 -translate-x-1/2 items-center justify-center rounded-full border border-line bg-raised text-soft shadow-float hover:text-ink"
            onClick={toEnd}
          >
            <ArrowDown className="size-4" />
          </button>
        </div>
      )}
    </>
  );
}

/** Which turn an element stands in. */
function indexOf(target: EventTarget): number | null {
  const item = target instanceof Element ? target.closest<HTMLElement>('[data-index]') : null;
  return item ? Number(item.dataset.index) : null;
}

/** Stays at the end while the list grows there, until the person scrolls up; at the end again it follows again. */
function useFollowing(
  frame: RefObject<HTMLDivElement | null>,
  following: RefObject<boolean>,
  setAwayFromEnd: (away: boolean) => void,
  totalPx: number,
): void {
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    let [lastTop, lastHeight] = [element.scrollTop, element.scrollHeight];
    const onScroll = (): void => {
      const distance = element.scrollHeight - element.scrollTop - element.clientHeight;
      if (distance < nearEndPx) following.current = true;
      // A movement upwards is the person's, but not where turns have just got another height.
      else if (element.scrollTop < lastTop && element.scrollHeight === lastHeight) following.current = false;
      [lastTop, lastHeight] = [element.scrollTop, element.scrollHeight];
      setAwayFromEnd(!following.current);
    };
    // The wheel speaks before the list moves: an answer that is being written must not pull it back.
    const onWheel = (event: WheelEvent): void => {
      if (event.deltaY < 0 && element.scrollHeight > element.clientHeight) following.current = false;
    };
    element.addEventListener('scroll', onScroll, { passive: true });
    element.addEventListener('wheel', onWheel, { passive: true });
    const observer = new ResizeObserver(() => {
      if (following.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', onScroll);
      element.removeEventListener('wheel', onWheel);
      observer.disconnect();
    };
  }, [frame, following, setAwayFromEnd]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the end moves when the height changes
  useLayoutEffect(() => {
    const element = frame.current;
    if (element && following.current) element.scrollTop = element.scrollHeight;
  }, [frame, following, totalPx]);
}

/** Remembers where the conversation was left, and the heights that were measured. */
function useKeptPlace(conversationKey: string, list: List, following: RefObject<boolean>): void {
  const { conversations } = useQuoth();
  useEffect(
    () => () => {
      const offsetPx = following.current ? null : list.scrollOffset;
      conversations.getState().keepPlace(conversationKey, { offsetPx, heights: list.takeSnapshot() });
    },
    [conversations, conversationKey, list, following],
  );
}

/** Where a turn will be that has not come yet. */
function Unread() {
  return (
    <div aria-hidden="true" style={{ height: estimatedHeightPx }}>
      <div className="h-6 w-2/3 rounded-md bg-hover" />
      <div className="mt-4 h-4 rounded-md bg-hover/60" />
      <div className="mt-2 h-4 w-5/6 rounded-md bg-hover/60" />
    </div>
  );
}

/** Brings a turn to the top, and the focus to it once it is there. */
function useGoTo(list: List, frame: RefObject<HTMLDivElement | null>, stay: () => void): (index: number) => void {
  const [wanted, setWanted] = useState<number | null>(null);
  useEffect(() => {
    const article =
      wanted === null ? null : frame.current?.querySelector<HTMLElement>(`[data-index="${wanted}"] > article`);
    if (!article) return;
    article.focus({ preventScroll: true });
    setWanted(null);
  });
  return useCallback(
    (index) => {
      stay();
      list.scrollToIndex(index, { align: 'start' });
      setWanted(index);
    },
    [list, stay],
  );
}

/** Goes to the turn that a search found, once it has come. */
function useWantedTurn(turns: LiveTurn[], numUnread: number, goTo: (index: number) => void): void {
  const { view } = useQuoth();
  const wanted = useStore(view, (state) => state.wantedTurn);
  const index = wanted === null ? -1 : turns.findIndex(({ turnId }) => turnId === wanted);
  useEffect(() => {
    if (index === -1) return;
    goTo(numUnread + index);
    view.getState().reached();
  }, [index, numUnread, goTo, view]);
}
