import { Tooltip } from 'radix-ui';
import { useTranslation } from 'react-i18next';
import { formatPlace } from '../../common/format.ts';
import { useCitedSource, useOpenSource } from '../cited-sources.ts';

/** A `[n]` of an answer: shows its quote to a pointer or the focus, opens it in the reader. */
export function CitationChip({ n }: { n: number }) {
  const { t } = useTranslation();
  const open = useOpenSource();
  const source = useCitedSource(n);
  if (source === 'pending')
    return (
      <span className="mx-0.5 inline-flex h-[1.35em] min-w-[1.5em] -translate-y-px items-center justify-center rounded-[0.35em] bg-hover px-[0.35em] text-[0.72em] leading-none font-semibold text-soft tabular-nums">
        {n}
      </span>
    );
  if (!source)
    return (
      <span className="mx-0.5 text-[0.75em] text-faint" title={t('citation.unknown')}>
        [{n}]
      </span>
    );
  const place = formatPlace(source.place);
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <button
          type="button"
          aria-label={t(place ? 'citation.label' : 'citation.labelNoPlace', { n, title: source.title, place })}
          className={`mx-0.5 inline-flex h-[1.35em] min-w-[1.5em] -translate-y-px items-center justify-center rounded-[0.35em] border px-[0.35em] align-baseline text-[0.72em] leading-none font-semibold tabular-nums transition-colors ${
            source.verified
              ? 'border-transparent bg-accent-wash text-accent hover:bg-accent hover:text-on-accent'
              : 'border-dashed border-warn bg-warn-wash text-warn'
          }`}
          onClick={() => open(source)}
        >
          {n}
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={6}
          collisionPadding={12}
          className="z-50 max-w-sm rounded-xl border border-line bg-raised p-3.5 text-sm shadow-float"
        >
          <p className="text-xs font-medium text-soft">
            {source.title}
            {place && <span className="font-normal text-faint"> · {place}</span>}
          </p>
          {source.quote && (
            <p className="mt-1.5 line-clamp-6 font-serif leading-relaxed">
              {source.verified ? <mark>{source.quote}</mark> : source.quote}
            </p>
          )}
          {!source.verified && <p className="mt-2 text-xs text-warn">{t('citation.unverified')}</p>}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
