import { BookOpenCheck, GitCompareArrows, ListChecks, ScrollText } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { DocumentId } from '../../app/contract/types.ts';
import { IconButton } from '../common/button.tsx';
import { Menu, MenuItem } from '../common/menu.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { useJob } from './use-job.ts';

type DocumentMenuProps = { documentId: DocumentId; title: string; className?: string };

/** What can be done with a whole document. */
export function DocumentMenu({ documentId, title, className = '' }: DocumentMenuProps) {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const { start } = useJob();
  const scope = { type: 'documents' as const, documentIds: [documentId] };
  const chosen = { key: `document ${documentId}`, title, scope };
  return (
    <Menu
      trigger={
        <IconButton label={t('jobs.menuOf', { title })} className={className}>
          <BookOpenCheck className="size-4" />
        </IconButton>
      }
    >
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
    </Menu>
  );
}
