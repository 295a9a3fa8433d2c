import { useCallback, useEffect, useRef, useState } from 'react';

const nearEndPx = 48;

/**
 * Keeps a scrolled list at its end while it grows, until the person scrolls up; at the end again it follows again.
 * Both elements must be there when `key` changes. Not `enabled`, it stays where it is.
 */
export function useFollowEnd(key: string, enabled: boolean) {
  const frame = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [awayFromEnd, setAwayFromEnd] = useState(false);

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

  // biome-ignore lint/correctness/useExhaustiveDependencies: another list starts at its own end
  useEffect(() => {
    const element = frame.current;
    const inner = content.current;
    if (!element || !inner || !enabled) return;
    toEnd();
    let lastTop = element.scrollTop;
    const onScroll = (): void => {
      const distance = element.scrollHeight - element.scrollTop - element.clientHeight;
      if (distance < nearEndPx) following.current = true;
      // Only a movement upwards is the person's: growth moves the end, never the top.
      else if (element.scrollTop < lastTop) following.current = false;
      lastTop = element.scrollTop;
      setAwayFromEnd(!following.current);
    };
    element.addEventListener('scroll', onScroll, { passive: true });
    const observer = new ResizeObserver(() => {
      if (following.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(inner);
    return () => {
      element.removeEventListener('scroll', onScroll);
      observer.disconnect();
    };
  }, [key, enabled, toEnd]);

  return { frame, content, awayFromEnd, toEnd, stay };
}
