import { BadgeCheck, TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../common/button.tsx';
import { formatPlace } from '../common/format.ts';
import { type CitedSource, useOpenSource } from './cited-sources.ts';

/** Of a summary of a folder there may be a hundred. */
const mostShown = 12;

/** The quotes that bear an answer, each with its place, and whether a program found it word for word. */
export function Quotes({ sources: all }: { sources: CitedSource[] }) {
  const { t } = useTranslation();
  const open = useOpenSource();
  const [showsAll, setShowsAll] = useState(false);
  if (all.length === 0) return null;
  const sources = showsAll ? all : all.slice(0, mostShown);
  return (
    <section aria-label={t('quotes.title')} className="mt-5">
      <h3 className="mb-2 text-xs font-semibold tracking-wide text-faint uppercase">{t('quotes.title')}</h3>
      <ul className="grid grid-cols-1 gap-2">
        {sources.map((source) => (
          <li key={source.n}>
            <button
              type="button"
              className="group flex w-full gap-3 rounded-xl border border-line bg-raised p-3 text-left shadow-card transition-colors hover:border-line-strong"
              onClick={() => open(source)}
            >
              <span className="mt-0.5 inline-flex h-5 min-w-5 items-center justify-center rounded-md bg-accent-wash px-1 text-[0.6875rem] font-semibold text-accent tabular-nums">
                {source.n}
              </span>
              <span className="min-w-0 flex-1">
                {source.quote && (
                  <span
                    className={`line-clamp-3 border-l-[3px] pl-3 font-serif text-[0.9375rem] leading-relaxed ${source.verified ? 'border-mark-line' : 'border-line-strong border-dashed'}`}
                  >
                    {source.quote}
                  </span>
                )}
                <span className="mt-1.5 flex flex-wrap items-center gap-x-2 text-xs text-soft">
                  <span className="max-w-full truncate font-medium group-hover:text-accent" title={source.title}>
                    {source.title}
                  </span>
                  <span className="text-faint">{formatPlace(source.place)}</span>
                  {source.verified ? (
                    <span className="inline-flex items-center gap-1 text-accent">
                      <BadgeCheck className="size-3.5" aria-hidden="true" />
                      {t('quotes.verified')}
                    </span>
                  ) : (
                    <span className="inline-flex items-center gap-1 text-warn">
                      <TriangleAlert className="size-3.5" aria-hidden="true" />
                      {t('quotes.unverified')}
                    </span>
                  )}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {sources.length < all.length && (
        <Button look="quiet" className="mt-2" onClick={() => setShowsAll(true)}>
          {t('quotes.showAll', { count: all.length })}
        </Button>
      )}
    </section>
  );
}
