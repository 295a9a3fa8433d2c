import { useCallback, useEffect, useState } from 'react';

const shownMs = 2000;

/** Puts a text on the clipboard, and says for a moment that it is there. */
export function useCopy(): { copied: boolean; copy: (text: string) => void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), shownMs);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = useCallback((text: string) => {
    // Refused by the browser: then nothing says that it was copied.
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => undefined,
    );
  }, []);
  return { copied, copy };
}
