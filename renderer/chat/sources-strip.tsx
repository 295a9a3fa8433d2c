import { ChevronRight, Search } from 'lucide-react';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Passage, TwinPassage } from '../../app/contract/types.ts';
import { formatPlace } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { readingOf } from './cited-sources.ts';
import type { LiveTurn } from './live-turn.ts';
import { SearchExplanationView } from './search-explanation.tsx';

/** What was searched and found for a question; opens to the list of passages. */
export function SourcesStrip({ turn, conversationKey }: { turn: LiveTurn; conversationKey: string }) {
  const { t } = useTranslation();
  const { conversations, notices, view } = useQuoth();
  const [open, setOpen] = useState(false);
  const [explaining, setExplaining] = useState(false);
  const listId = useId();
  if (turn.state === 'searching')
    return (
      <p className="flex items-center gap-2 text-[0.8125rem] text-soft">
        <Search className="indeterminate size-3.5" aria-hidden="true" />
        {t('sources.searching')}
      </p>
    );
  // Those of a saved turn come when the list is opened.
  const { passages, numFound, searchedFor } = turn;
  if (!passages && numFound === 0) return null;
  const numDocuments = new Set(passages?.map((passage) => passage.documentId)).size;
  const searched = searchedFor !== null && (
    <p className="mb-0.5 line-clamp-2 text-[0.8125rem] text-soft" dir="auto">
      {t('sources.searchedFor', { words: searchedFor.replace(/\s+/g, ' ') })}
    </p>
  );
  if (passages?.length === 0)
    return (
      <div className="text-[0.8125rem] text-soft">
        {searched}
        <p>{t('sources.none')}</p>
      </div>
    );
  const toggle = (): void => {
    setOpen(!open);
    if (!passages) conversations.getState().found(conversationKey, turn.key).catch(notices.getState().tellError);
  };
  return (
    <div>
      {searched}
      <button
        type="button"
        aria-expanded={open}
        aria-controls={listId}
        className="-ml-1 inline-flex items-center gap-1 rounded-md px-1 py-0.5 text-[0.8125rem] text-soft hover:text-ink"
        onClick={toggle}
      >
        <ChevronRight className={`size-3.5 transition-transform ${open ? 'rotate-90' : ''}`} aria-hidden="true" />
        {passages
          ? t('sources.found', {
              passages: t('count.passages', { count: passages.length }),
              documents: t('count.documents', { count: numDocuments }),
            })
          : t('count.passages', { count: numFound })}
      </button>
      {open && passages && turn.turnId && (
        <>
          <button
            type="button"
            aria-expanded={explaining}
            className="ml-3 rounded-md px-1 py-0.5 text-xs text-soft hover:text-ink"
            onClick={() => setExplaining(!explaining)}
          >
            {t('why.show')}
          </button>
          {explaining && <SearchExplanationView turnId={turn.turnId} />}
        </>
      )}
      {open && passages && (
        <ol id={listId} className="mt-2 mb-1 divide-y divide-line overflow-hidden rounded-xl border border-line">
          {passages.map((passage) => (
            <li key={passage.passageId}>
              <button
                type="button"
                className="flex w-full gap-3 px-3 py-2 text-left text-[0.8125rem] hover:bg-hover focus-visible:-outline-offset-2"
                onClick={() => view.getState().read(readingOf(passage))}
              >
                <span className="min-w-0 flex-1">
                  <span className="flex gap-2">
                    <span className="truncate font-medium">{passage.title}</span>
                    <span className="shrink-0 text-faint">{formatPlace(passage.place)}</span>
                  </span>
                  <span className="line-clamp-2 text-soft">{passage.text}</span>
                </span>
              </button>
              {passage.alsoIn && <Twins passage={passage} twins={passage.alsoIn} />}
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

/** The other documents in which a passage stands. */
function Twins({ passage, twins }: { passage: Passage; twins: TwinPassage[] }) {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const [open, setOpen] = useState(false);
  return (
    <div className="px-3 pb-2 text-xs text-soft">
      <button
        type="button"
        aria-expanded={open}
        className="-ml-1 rounded-md px-1 py-0.5 hover:text-ink"
        onClick={() => setOpen(!open)}
      >
        {t('sources.alsoIn', { documents: t('sources.others', { count: twins.length }) })}
      </button>
      {open && (
        <ul className="mt-1 flex flex-wrap gap-1.5">
          {twins.map((twin) => (
            <li key={twin.passageId} className="min-w-0 max-w-full">
              <button
                type="button"
                className="flex max-w-full gap-1.5 rounded-md border border-line px-1.5 py-0.5 hover:bg-hover hover:text-ink"
                onClick={() => view.getState().read(readingOf({ ...passage, ...twin }))}
              >
                <span className="truncate">{twin.title}</span>
                <span className="shrink-0 text-faint">{formatPlace(twin.place)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
