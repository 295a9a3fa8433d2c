import { BookOpen, FolderOpen, MessageSquareQuote, RefreshCw, Trash2 } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { DocumentDetails, DocumentSummary } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { DocumentMenu } from '../jobs/document-menu.tsx';
import { groupOf } from '../library/arrange.ts';
import { StepButton } from '../library/document-row.tsx';
import { useDocuments } from '../library/use-documents.ts';

type ActionsProps = { document: DocumentSummary; details: DocumentDetails | null };

/** What can be done with the document. */
export function DocumentActions({ document, details }: ActionsProps) {
  const { t } = useTranslation();
  const { shell, notices } = useQuoth();
  const { ask, read, retry, askRemoval } = useDocuments();
  const { id, title, state } = document;
  const group = groupOf(state);
  const canShow = shell.showInFolder !== undefined && details?.isThere === true && !details.isCopy;
  const showInFolder = (): void => {
    const { tell, tellError } = notices.getState();
    shell.showInFolder?.(id).then((isThere) => !isThere && tell(t('document.missing')), tellError);
  };
  return (
    <div className="mt-4 flex flex-wrap items-center gap-2">
      {group === 'ready' && (
        <>
          <Button look="primary" onClick={() => ask([document])}>
            <MessageSquareQuote className="size-3.5" aria-hidden="true" />
            {t('document.ask')}
          </Button>
          <Button onClick={() => read(document)}>
            <BookOpen className="size-3.5" aria-hidden="true" />
            {t('document.beside')}
          </Button>
        </>
      )}
      {group === 'problem' && <StepButton document={document} />}
      {canShow && (
        <Button onClick={showInFolder}>
          <FolderOpen className="size-3.5" aria-hidden="true" />
          {t('document.showInFolder')}
        </Button>
      )}
      <Button disabled={group === 'working' || details?.isThere === false} onClick={() => retry([id], true)}>
        <RefreshCw className="size-3.5" aria-hidden="true" />
        {t('document.reread')}
      </Button>
      <Button look="danger" onClick={() => askRemoval([id])}>
        <Trash2 className="size-3.5" aria-hidden="true" />
        {t('library.remove')}
      </Button>
      <DocumentMenu documentId={id} title={title} withPage={false} />
    </div>
  );
}
