import {
  BookOpen,
  Captions,
  CircleAlert,
  FileArchive,
  FileCode2,
  FileText,
  FileType,
  Image,
  Mail,
  Presentation,
  RotateCcw,
  SquarePlay,
  Table2,
  Trash2,
} from 'lucide-react';
import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import type { DocumentKind, DocumentSummary } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { formatBytes } from '../common/format.ts';
import { ProgressBar } from '../common/progress.tsx';
import { DocumentMenu } from '../jobs/document-menu.tsx';
import { groupOf } from './library-state.ts';

const icons: Record<DocumentKind, typeof FileText> = {
  pdf: FileType,
  docx: FileText,
  doc: FileText,
  odt: FileText,
  rtf: FileText,
  text: FileText,
  pptx: Presentation,
  odp: Presentation,
  xlsx: Table2,
  csv: Table2,
  ods: Table2,
  epub: BookOpen,
  markdown: FileCode2,
  html: FileCode2,
  xml: FileCode2,
  email: Mail,
  captions: Captions,
  image: Image,
  zip: FileArchive,
  youtube: SquarePlay,
  other: FileText,
};

type RowProps = {
  document: DocumentSummary;
  onOpen: (document: DocumentSummary) => void;
  onRetry: (document: DocumentSummary) => void;
  onRemove: (document: DocumentSummary) => void;
};

/** One document: what it is, how far it is, and what can be done when it failed. */
export const DocumentRow = memo(function DocumentRow({ document, onOpen, onRetry, onRemove }: RowProps) {
  const { t } = useTranslation();
  const { title, source, kind, state, progress, reason, numPages, numPassages, sizeBytes } = document;
  const Icon = icons[kind];
  const group = groupOf(state);
  const facts = [
    source !== title && source,
    numPages !== null && t('count.pages', { count: numPages }),
    group === 'ready' && t('count.passages', { count: numPassages }),
    sizeBytes > 0 && formatBytes(sizeBytes),
  ].filter((fact) => fact !== false);
  return (
    <div className="group flex items-center gap-3 rounded-xl px-3 py-2.5 hover:bg-panel">
      <span
        aria-hidden="true"
        className={`grid size-9 shrink-0 place-items-center rounded-lg border border-line ${group === 'problem' ? 'bg-danger-wash text-danger' : 'bg-raised text-soft'}`}
      >
        {group === 'problem' ? <CircleAlert className="size-4" /> : <Icon className="size-4" />}
      </span>
      <div className="min-w-0 flex-1">
        {group === 'ready' ? (
          <button
            type="button"
            className="block max-w-full truncate rounded text-left font-medium hover:text-accent"
            onClick={() => onOpen(document)}
          >
            {title}
          </button>
        ) : (
          <p className="truncate font-medium">{title}</p>
        )}
        {group === 'problem' ? (
          <p className="line-clamp-2 text-[0.8125rem] text-danger">{reason ?? t(`state.${state}`)}</p>
        ) : (
          <>
            <p className="truncate text-xs text-faint">{facts.join(' · ')}</p>
            {group === 'ready' && reason && <p className="line-clamp-2 text-xs text-soft">{reason}</p>}
          </>
        )}
      </div>
      {group === 'working' && (
        <div className="w-36 shrink-0">
          <p className="mb-1 flex justify-between text-xs text-soft">
            <span>{t(`state.${state}`)}</span>
            {state !== 'queued' && <span className="tabular-nums">{Math.round(progress * 100)} %</span>}
          </p>
          {state !== 'queued' && <ProgressBar value={progress} label={t('library.progressOf', { title })} />}
        </div>
      )}
      {group === 'problem' && state !== 'unsupported' && (
        <Button onClick={() => onRetry(document)} aria-label={t('library.retryOf', { title })}>
          <RotateCcw className="size-3.5" aria-hidden="true" />
          {t('library.retry')}
        </Button>
      )}
      {group === 'ready' && (
        <DocumentMenu
          documentId={document.id}
          title={title}
          className="opacity-55 group-hover:opacity-100 focus-visible:opacity-100 aria-expanded:opacity-100"
        />
      )}
      <IconButton
        label={t('library.removeOf', { title })}
        className="opacity-55 group-hover:opacity-100 focus-visible:opacity-100"
        onClick={() => onRemove(document)}
      >
        <Trash2 className="size-4" />
      </IconButton>
    </div>
  );
});
