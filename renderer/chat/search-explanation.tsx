import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type ErrorMessage, toErrorMessage } from '../../app/contract/errors.ts';
import type { SearchCandidate, SearchExplanation, TurnId } from '../../app/contract/types.ts';
import { formatDuration, formatNumber, formatPlace } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { readingOf } from './cited-sources.ts';

/** Why these passages: what was searched for, each candidate's scores, and what was dropped and why. */
export function SearchExplanationView({ turnId }: { turnId: TurnId }) {
  const { t } = useTranslation();
  const { client } = useQuoth();
  const [explanation, setExplanation] = useState<SearchExplanation | null>(null);
  const [error, setError] = useState<ErrorMessage | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    client
      .explainTurn({ turnId }, controller.signal)
      .then(setExplanation)
      .catch((thrown: unknown) => {
        if (!controller.signal.aborted) setError(toErrorMessage(thrown));
      });
    return () => controller.abort();
  }, [client, turnId]);
  if (error) return <p className="mt-2 text-[0.8125rem] text-danger">{error.message}</p>;
  if (!explanation) return <p className="mt-2 text-[0.8125rem] text-soft">{t('sources.searching')}</p>;
  const { query, embedder, reranking, candidates } = explanation;
  return (
    <section aria-label={t('why.title')} className="mt-2 rounded-xl border border-line p-3 text-xs">
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 gap-y-0.5 text-soft">
        <dt>{t('why.query')}</dt>
        <dd className="text-ink">{query}</dd>
        <dt>{t('why.meaning')}</dt>
        <dd>{embedder ?? t('why.noEmbedder')}</dd>
        <dt>{t('why.reranker')}</dt>
        <dd>
          {reranking.type === 'none'
            ? t('why.noReranker')
            : t(`why.rerank.${reranking.type}`, {
                model: reranking.model,
                count: reranking.numScored,
                time: formatDuration(reranking.tookMs),
              })}
        </dd>
      </dl>
      <div className="mt-2 max-h-80 overflow-auto">
        <table className="w-full border-collapse tabular-nums">
          <thead className="text-left text-faint">
            <tr>
              <th className="py-1 pr-2 font-medium">{t('why.passage')}</th>
              <th className="px-2 py-1 text-right font-medium">{t('why.words')}</th>
              <th className="px-2 py-1 text-right font-medium">{t('why.likeness')}</th>
              <th className="px-2 py-1 text-right font-medium">{t('why.together')}</th>
              {reranking.type === 'done' && <th className="px-2 py-1 text-right font-medium">{t('why.reranker')}</th>}
              <th className="py-1 pl-2 font-medium">{t('why.outcome')}</th>
            </tr>
          </thead>
          <tbody>
            {candidates.map((candidate) => (
              <Row
                key={candidate.passageId}
                candidate={candidate}
                isReranked={reranking.type === 'done'}
                into={candidates.find(({ passageId }) => passageId === candidate.repeats?.passageId)}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

type RowProps = { candidate: SearchCandidate; isReranked: boolean; into: SearchCandidate | undefined };

function Row({ candidate, isReranked, into }: RowProps) {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const { passage, wordScore, similarity, score, rerankScore, outcome, repeats } = candidate;
  const number = (value: number | null): string => (value === null ? '–' : formatNumber(value, 2));
  const isFound = outcome === 'found';
  return (
    <tr className={`border-t border-line align-top ${isFound ? '' : 'text-soft'}`}>
      <td className="max-w-0 w-full py-1 pr-2">
        {passage ? (
          <button
            type="button"
            className="flex w-full gap-1.5 text-left hover:underline"
            title={passage.text}
            onClick={() => view.getState().read(readingOf(passage))}
          >
            <span className="truncate">{passage.title}</span>
            <span className="shrink-0 text-faint">{formatPlace(passage.place)}</span>
          </button>
        ) : (
          '–'
        )}
      </td>
      <td className="px-2 py-1 text-right">{number(wordScore)}</td>
      <td className="px-2 py-1 text-right">{number(similarity)}</td>
      <td className="px-2 py-1 text-right">{number(score)}</td>
      {isReranked && <td className="px-2 py-1 text-right">{number(rerankScore)}</td>}
      <td className="py-1 pl-2 whitespace-nowrap">
        {repeats
          ? t('why.repeats', { title: into?.passage?.title ?? '–', percent: Math.round(100 * repeats.likeness) })
          : t(`why.outcomes.${outcome}`)}
      </td>
    </tr>
  );
}
