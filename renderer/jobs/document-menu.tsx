import { BookOpenCheck, FileText, GitCompareArrows, ListChecks, MessageSquareQuote, ScrollText } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentId } from '../../app/contract/types.ts';
import { IconButton } from '../common/button.tsx';
import { Menu, MenuItem } from '../common/menu.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { CollectionSubmenu } from '../library/collection-items.tsx';
import { useDocuments } from '../library/use-documents.ts';
import { useJob } from './use-job.ts';

type DocumentMenuProps = {
  documentId: DocumentId;
  title: string;
  className?: string;
  tabIndex?: number;
  /** Left out on the document's own page. */
  withPage?: boolean;
};

/** What can be done with a whole document. */
export function DocumentMenu({
  documentId: id,
  title,
  className = '',
  tabIndex = 0,
  withPage = true,
}: DocumentMenuProps) {
  const { t } = useTranslation();
  const { view, library } = useQuoth();
  const { start } = useJob();
  const { ask, open } = useDocuments();
  const isReady = useStore(library, (state) => state.documents.get(id)?.state === 'ready');
  const scope = { type: 'documents' as const, documentIds: [id] };
  const chosen = { key: `document ${id}`, title, scope };
  return (
    <Menu
      trigger={
        <IconButton label={t('jobs.menuOf', { title })} className={className} tabIndex={tabIndex}>
          <BookOpenCheck className="size-4" />
        </IconButton>
      }
    >
      {withPage && (
        <MenuItem icon={<FileText className="size-3.5" />} onSelect={() => open(id)}>
          {t('document.about')}
        </MenuItem>
      )}
      {isReady && (
        <>
          <MenuItem icon={<MessageSquareQuote className="size-3.5" />} onSelect={() => ask([{ id, title }])}>
            {t('document.ask')}
          </MenuItem>
          <MenuItem icon={<ScrollText className="size-3.5" />} onSelect={() => start({ type: 'summarise', scope })}>
            {t('jobs.summarise')}
          </MenuItem>
          <MenuItem
            icon={<ListChecks className="size-3.5" />}
            onSelect={() => view.getState().askForJob({ type: 'mentions', chosen, words: '' })}
          >
            {t('jobs.mentions')}…
          </MenuItem>
          <MenuItem
            icon={<GitCompareArrows className="size-3.5" />}
            onSelect={() => view.getState().askForJob({ type: 'compare', chosen, words: '' })}
          >
            {t('jobs.compareWith')}…
          </MenuItem>
        </>
      )}
      <CollectionSubmenu documentIds={[id]} />
    </Menu>
  );
}
