import { useTranslation } from 'react-i18next';
import type { CitingTurn } from '../../app/contract/types.ts';
import { formatDay } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';

/** The answers that quote the document, each a way to its chat. Null while it is asked for. */
export function CitedIn({ turns }: { turns: CitingTurn[] | null }) {
  const { t } = useTranslation();
  const { conversations, view } = useQuoth();
  return (
    <section aria-labelledby="document-cited" className="min-w-0">
      <h2 id="document-cited" className="text-sm font-semibold">
        {t('document.cited')}
      </h2>
      {turns?.length === 0 && <p className="mt-2 text-[0.8125rem] text-soft">{t('document.citedNone')}</p>}
      {turns && turns.length > 0 && (
        <ul className="mt-2 max-h-72 divide-y divide-line overflow-y-auto rounded-2xl border border-line bg-raised shadow-card">
          {turns.map(({ chatId, turnId, title, question, askedAtMs }) => (
            <li key={turnId}>
              <button
                type="button"
                className="flex w-full gap-3 px-4 py-2 text-left text-[0.8125rem] hover:bg-hover focus-visible:-outline-offset-2"
                onClick={() => view.getState().showConversation(conversations.getState().open(chatId), turnId)}
              >
                <span className="min-w-0 flex-1">
                  <span className="line-clamp-2 font-medium" dir="auto">
                    {question}
                  </span>
                  {title !== question && (
                    <span className="block truncate text-xs text-soft" dir="auto">
                      {title}
                    </span>
                  )}
                </span>
                <span className="shrink-0 text-xs text-faint tabular-nums">{formatDay(askedAtMs)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
