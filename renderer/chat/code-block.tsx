import { Check, Copy } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '../common/button.tsx';
import { useCopy } from '../common/use-copy.ts';

/** Code of an answer: it scrolls within itself, and can be copied as it was written. */
export function CodeBlock({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const block = useRef<HTMLPreElement>(null);
  const { copied, copy } = useCopy();
  return (
    <div className="group/code relative">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <pre ref={block} tabIndex={0}>
        {children}
      </pre>
      <IconButton
        small
        label={t(copied ? 'answer.copied' : 'answer.copyCode')}
        className="absolute top-1.5 right-1.5 border border-line bg-raised opacity-0 group-hover/code:opacity-100 focus-visible:opacity-100"
        onClick={() => copy((block.current?.textContent ?? '').replace(/\n$/, ''))}
      >
        {copied ? <Check className="size-3.5" /> : <Copy className="size-3.5" />}
      </IconButton>
    </div>
  );
}
