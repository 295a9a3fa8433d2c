import { Check, Copy } from 'lucide-react';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '../../common/button.tsx';
import { useCopy } from '../../common/use-copy.ts';

/** Where the colours cannot be loaded, the code is there without them. */
const Highlighted = lazy(() =>
  import('./highlighted.tsx').catch(() => ({ default: ({ code }: { code: string }) => code })),
);

/** Longer code is not coloured: it would hold up the typing. */
const mostCharacters = 30_000;

/** Code of an answer: it scrolls within itself, and can be copied as it was written. */
export function CodeBlock({ code, language }: { code: string; language: string | null }) {
  const { t } = useTranslation();
  const { copied, copy } = useCopy();
  return (
    <div className="group/code relative">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <pre tabIndex={0}>
        <code>
          {language !== null && code.length <= mostCharacters ? (
            <Suspense fallback={code}>
              <Highlighted code={code} language={language} />
            </Suspense>
          ) : (
            code
          )}
        </code>
      </pre>
      <IconButton
        small
        label={t(copied ? 'answer.copied' : 'answer.copyCode')}
        className="absolute top-1.5 right-1.5 border border-line bg-raised opacity-0 group-hover/code:opacity-100 focus-visible:opacity-100"
        onClick={() => copy(code.replace(/\n$/, ''))}
      >
        {copied ? <Check className="size-3.5" /> : <Copy className="size-3.5" />}
      </IconButton>
    </div>
  );
}
