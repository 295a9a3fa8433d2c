import { FolderMinus, FolderPlus, MessageSquareQuote, RotateCcw, ScrollText, Trash2, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentSummary } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { Menu } from '../common/menu.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { useJob } from '../jobs/use-job.ts';
import { groupOf } from './arrange.ts';
import { CollectionItems } from './collection-items.tsx';
import { useDocuments } from './use-documents.ts';

/** What can be done with the rows that are chosen. `chosen`: those of them that are shown. */
export function SelectionBar({ chosen, rows }: { chosen: DocumentSummary[]; rows: DocumentSummary[] }) {
  const { t } = useTranslation();
  const { shelf } = useQuoth();
  const collection = useStore(shelf, (state) => state.filters.collection);
  const collectionName = useStore(shelf, (state) => state.collections.find(({ id }) => id === collection)?.name ?? '');
  const { start } = useJob();
  const { ask, retry, askRemoval, take } = useDocuments();
  const { select } = shelf.getState();
  const ids = chosen.map(({ id }) => id);
  const ready = chosen.filter(({ state }) => state === 'ready');
  const failed = chosen.filter(({ state }) => groupOf(state) === 'problem').map(({ id }) => id);
  const readyIds = ready.map(({ id }) => id);
  return (
    <section
      aria-label={t('shelf.selection')}
      className="flex flex-wrap items-center gap-1.5 rounded-xl border border-line bg-raised px-2 py-1.5 shadow-card"
    >
      <p className="mr-auto pl-1.5 text-[0.8125rem] font-medium tabular-nums" role="status">
        {t('shelf.selected', { documents: t('count.documents', { count: chosen.length }) })}
      </p>
      {chosen.length < rows.length && (
        <Button look="quiet" onClick={() => select(new Set(rows.map(({ id }) => id)))}>
          {t('shelf.selectAll', { count: rows.length })}
        </Button>
      )}
      {ready.length > 0 && (
        <>
          <Button onClick={() => ask(ready)}>
            <MessageSquareQuote className="size-3.5" aria-hidden="true" />
            {t('shelf.ask')}
          </Button>
          <Button onClick={() => start({ type: 'summarise', scope: { type: 'documents', documentIds: readyIds } })}>
            <ScrollText className="size-3.5" aria-hidden="true" />
            {t('shelf.summarise')}
          </Button>
        </>
      )}
      <Menu
        trigger={
          <Button>
            <FolderPlus className="size-3.5" aria-hidden="true" />
            {t('shelf.addTo')}
          </Button>
        }
      >
        <CollectionItems documentIds={ids} />
      </Menu>
      {collection !== null && (
        <Button onClick={() => take(collection, { documentIds: ids })}>
          <FolderMinus className="size-3.5" aria-hidden="true" />
          <span className="max-w-40 truncate">{t('shelf.takeFrom', { name: collectionName })}</span>
        </Button>
      )}
      {failed.length > 0 && (
        <Button onClick={() => retry(failed)}>
          <RotateCcw className="size-3.5" aria-hidden="true" />
          {t('library.retry')}
        </Button>
      )}
      <Button look="danger" onClick={() => askRemoval(ids)}>
        <Trash2 className="size-3.5" aria-hidden="true" />
        {t('library.remove')}
      </Button>
      <IconButton label={t('shelf.selectNone')} onClick={() => select(new Set())}>
        <X className="size-4" />
      </IconButton>
    </section>
  );
}
