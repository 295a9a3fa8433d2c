import {
  AudioLines,
  BookOpen,
  Captions,
  CircleAlert,
  FileArchive,
  FileCode2,
  FilePlus2,
  FileText,
  FileType,
  Image,
  Languages,
  Link2,
  Mail,
  Presentation,
  RotateCcw,
  SquarePlay,
  Table2,
  Trash2,
} from 'lucide-react';
import { type KeyboardEvent, type MouseEvent, memo, type Ref } from 'react';
import { useTranslation } from 'react-i18next';
import type { DocumentId, DocumentKind, DocumentSummary } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { formatBytes, formatDuration } from '../common/format.ts';
import { ProgressBar } from '../common/progress.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { DocumentMenu } from '../jobs/document-menu.tsx';
import { groupOf } from './arrange.ts';
import { setDragged } from './drag.ts';
import { problemWords, stepFor } from './problem.ts';
import { useAdding } from './use-adding.ts';
import { useDocuments } from './use-documents.ts';

export const kindIcons: Record<DocumentKind, typeof FileText> = {
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
  recording: AudioLines,
  zip: FileArchive,
  youtube: SquarePlay,
  other: FileText,
};

type RowProps = {
  ref: Ref<HTMLDivElement>;
  document: DocumentSummary;
  index: number;
  /** Where it stands, in pixels from the first one's top. */
  start: number;
  /** Whether Tab leads to it. */
  isWayIn: boolean;
  isSelected: boolean;
  anySelected: boolean;
  /** `always`: on the box, which chooses without a further key. */
  onPick: (event: MouseEvent | KeyboardEvent, index: number, always: boolean) => void;
  /** What is dragged with this row. */
  dragged: (index: number) => DocumentId[];
};

/** One document: what it is, how far it is, and what can be done when it failed. */
export const DocumentRow = memo(function DocumentRow(props: RowProps) {
  const { ref, document, index, start, isWayIn, isSelected, anySelected, onPick, dragged } = props;
  const { t } = useTranslation();
  const { open, askRemoval } = useDocuments();
  const { id, title, kind, state, progress } = document;
  const Icon = kindIcons[kind];
  const group = groupOf(state);
  const tabIndex = isWayIn ? 0 : -1;
  const quiet = 'opacity-55 group-hover:opacity-100 group-focus-within:opacity-100 focus-visible:opacity-100';
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys
    // biome-ignore lint/a11y/useSemanticElements: see the grid
    <div
      ref={ref}
      role="row"
      data-index={index}
      aria-rowindex={index + 1}
      aria-selected={isSelected}
      tabIndex={tabIndex}
      draggable
      className="absolute inset-x-0 top-0 px-3 outline-none focus-visible:z-10 [&:focus-visible>div]:outline-2 [&:focus-visible>div]:-outline-offset-2 [&:focus-visible>div]:outline-accent"
      style={{ transform: `translateY(${start}px)` }}
      onClick={(event) => {
        if (!(event.target as Element).closest('button, input, a')) onPick(event, index, false);
      }}
      onDragStart={(event) => setDragged(event.dataTransfer, dragged(index))}
    >
      <div
        role="presentation"
        className={`group flex items-center gap-x-3 gap-y-1 rounded-xl @max-2xl:flex-wrap px-3 py-2.5 ${isSelected ? 'bg-accent-wash' : 'hover:bg-panel'}`}
      >
        {/* biome-ignore lint/a11y/useFocusableInteractive: the row has the focus, and what is in the cells */}
        {/* biome-ignore lint/a11y/useSemanticElements: see the grid */}
        <div role="gridcell" className="grid size-9 shrink-0 place-items-center">
          <label className="relative grid size-9 cursor-pointer place-items-center">
            <input
              type="checkbox"
              checked={isSelected}
              tabIndex={tabIndex}
              aria-label={t('shelf.selectOf', { title })}
              className={`peer absolute z-10 size-4 accent-accent ${isSelected || anySelected ? '' : 'opacity-0 group-hover:opacity-100 group-focus-within:opacity-100'}`}
              onChange={() => undefined}
              onClick={(event) => onPick(event, index, true)}
            />
            <span
              aria-hidden="true"
              className={`grid size-9 place-items-center rounded-lg border border-line ${group === 'problem' ? 'bg-danger-wash text-danger' : 'bg-raised text-soft'} ${isSelected || anySelected ? 'invisible' : 'group-focus-within:invisible group-hover:invisible'}`}
            >
              {group === 'problem' ? <CircleAlert className="size-4" /> : <Icon className="size-4" />}
            </span>
          </label>
        </div>
        {/* biome-ignore lint/a11y/useFocusableInteractive: the row has the focus, and what is in the cells */}
        {/* biome-ignore lint/a11y/useSemanticElements: see the grid */}
        <div role="gridcell" className="min-w-0 flex-1 basis-40">
          <button
            type="button"
            tabIndex={tabIndex}
            className="block max-w-full truncate rounded text-left font-medium hover:text-accent"
            dir="auto"
            onClick={() => open(id)}
          >
            {title}
          </button>
          <Facts document={document} />
        </div>
        {/* biome-ignore lint/a11y/useFocusableInteractive: the row has the focus, and what is in the cells */}
        {/* biome-ignore lint/a11y/useSemanticElements: see the grid */}
        <div
          role="gridcell"
          className={`flex shrink-0 items-center gap-1 ${group === 'ready' ? '' : '@max-2xl:w-full @max-2xl:flex-wrap @max-2xl:pl-12'}`}
        >
          {group === 'working' && (
            <div className="w-36 shrink-0">
              <p className="mb-1 flex justify-between text-xs text-soft">
                <span>{t(`state.${state}`)}</span>
                {state !== 'queued' && <span className="tabular-nums">{Math.round(progress * 100)} %</span>}
              </p>
              {state !== 'queued' && <ProgressBar value={progress} label={t('library.progressOf', { title })} />}
            </div>
          )}
          {group === 'problem' && <StepButton document={document} tabIndex={tabIndex} />}
          <DocumentMenu
            documentId={id}
            title={title}
            tabIndex={tabIndex}
            className={`${quiet} aria-expanded:opacity-100`}
          />
          <IconButton
            label={t('library.removeOf', { title })}
            tabIndex={tabIndex}
            className={quiet}
            onClick={() => askRemoval([id])}
          >
            <Trash2 className="size-4" />
          </IconButton>
        </div>
      </div>
    </div>
  );
});

function Facts({ document }: { document: DocumentSummary }) {
  const { t } = useTranslation();
  const { title, source, state, reason, numPages, durationSeconds, numPassages, sizeBytes } = document;
  const group = groupOf(state);
  if (group === 'problem')
    return (
      <p className="line-clamp-3 text-[0.8125rem] text-danger">
        {source !== title && <span className="text-soft">{source} · </span>}
        {problemWords(document)}
      </p>
    );
  const facts = [
    source !== title && source,
    numPages !== null && t('count.pages', { count: numPages }),
    durationSeconds !== undefined && formatDuration(durationSeconds * 1000),
    group === 'ready' && t('count.passages', { count: numPassages }),
    sizeBytes > 0 && formatBytes(sizeBytes),
  ].filter((fact) => fact !== false);
  return (
    <>
      <p className="truncate text-xs text-faint in-aria-selected:text-soft">{facts.join(' · ')}</p>
      {group === 'ready' && reason && <p className="line-clamp-2 text-xs text-soft">{reason}</p>}
    </>
  );
}

/** The one step that helps with what is wrong. */
export function StepButton({ document, tabIndex = 0 }: { document: DocumentSummary; tabIndex?: number }) {
  const { t } = useTranslation();
  const { retry } = useDocuments();
  const { chooseFiles, askForAddress } = useAdding();
  const { view } = useQuoth();
  const { id, title } = document;
  const step = stepFor(document);
  if (step === 'leave') return null;
  const does = {
    retry: () => retry([id]),
    choose: chooseFiles,
    address: askForAddress,
    speech: () => view.getState().show('models'),
    language: () => view.getState().showSettings('library'),
  }[step];
  const Icon = { retry: RotateCcw, choose: FilePlus2, address: Link2, speech: AudioLines, language: Languages }[step];
  return (
    <Button tabIndex={tabIndex} onClick={does} aria-label={t(`step.${step}Of`, { title })}>
      <Icon className="size-3.5" aria-hidden="true" />
      {t(`step.${step}`)}
    </Button>
  );
}
