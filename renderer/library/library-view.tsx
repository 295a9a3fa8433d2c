import { useVirtualizer } from '@tanstack/react-virtual';
import { FilePlus2, FolderPlus, LibraryBig, Link2, Search } from 'lucide-react';
import { useCallback, useDeferredValue, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentSummary } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { formatBytes } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { DocumentRow } from './document-row.tsx';
import { filterDocuments, groupOf, type StateFilter } from './library-state.ts';
import { useAdding } from './use-adding.ts';
import { WatchedFolders } from './watched-folders.tsx';

const rowHeightPx = 60;
const filters: StateFilter[] = ['all', 'ready', 'working', 'problem'];

/** All documents, with their states, and the ways to add one. */
export function LibraryView() {
  const { t } = useTranslation();
  const { library, notices, view } = useQuoth();
  const { documents, loaded } = useStore(library);
  const [words, setWords] = useState('');
  const [filter, setFilter] = useState<StateFilter>('all');
  const [removing, setRemoving] = useState<DocumentSummary | null>(null);
  const wanted = useDeferredValue(words);
  const rows = useMemo(() => filterDocuments(documents.values(), wanted, filter), [documents, wanted, filter]);
  const { tellError } = notices.getState();
  const onOpen = useCallback(
    ({ id, title, source, kind }: DocumentSummary) =>
      view.getState().read({
        documentId: id,
        title,
        source,
        kind,
        place: { page: null, paragraph: null, startSeconds: null, label: null },
        passageId: null,
        quote: null,
        passageText: null,
      }),
    [view],
  );
  const onRetry = useCallback(
    ({ id }: DocumentSummary) => void library.getState().retry(id).catch(tellError),
    [library, tellError],
  );
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="mx-auto w-full max-w-[60rem] shrink-0 px-6 pt-8 pb-3">
        <div className="flex flex-wrap items-center gap-2">
          <div className="mr-auto">
            <h1 className="font-serif text-2xl font-medium">{t('library.title')}</h1>
            <Totals documents={documents} />
          </div>
          <AddButtons />
        </div>
        <WatchedFolders />
        {documents.size > 0 && (
          <div className="mt-5 flex flex-wrap items-center gap-2">
            <label className="relative min-w-48 flex-1">
              <Search className="absolute top-2 left-2.5 size-4 text-faint" aria-hidden="true" />
              <input
                type="search"
                value={words}
                placeholder={t('library.filter')}
                aria-label={t('library.filter')}
                className="h-8 w-full rounded-lg border border-line bg-raised pr-3 pl-8 text-sm outline-none placeholder:text-faint focus:border-accent"
                onChange={(event) => setWords(event.target.value)}
              />
            </label>
            <FilterChoice documents={documents} filter={filter} onFilter={setFilter} />
          </div>
        )}
      </header>
      {documents.size === 0 ? (
        loaded && <EmptyLibrary />
      ) : (
        <Rows rows={rows} onOpen={onOpen} onRetry={onRetry} onRemove={setRemoving} />
      )}
      <Modal
        open={removing !== null}
        title={t('library.removeTitle', { title: removing?.title })}
        description={t('library.removeMeaning')}
        onClose={() => setRemoving(null)}
      >
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={() => setRemoving(null)}>{t('common.cancel')}</Button>
          <Button
            look="danger"
            onClick={() => {
              if (removing) library.getState().remove(removing.id).catch(tellError);
              setRemoving(null);
            }}
          >
            {t('library.remove')}
          </Button>
        </div>
      </Modal>
    </div>
  );
}

type RowsProps = {
  rows: DocumentSummary[];
  onOpen: (document: DocumentSummary) => void;
  onRetry: (document: DocumentSummary) => void;
  onRemove: (document: DocumentSummary) => void;
};

/** Draws the rows in sight only: a library may hold ten thousand. */
function Rows({ rows, onOpen, onRetry, onRemove }: RowsProps) {
  const { t } = useTranslation();
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => rowHeightPx,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 8,
    initialRect: { width: 800, height: 600 },
  });
  if (rows.length === 0)
    return <p className="mx-auto w-full max-w-[60rem] px-6 py-8 text-sm text-soft">{t('library.noMatch')}</p>;
  return (
    <div ref={frame} className="min-h-0 flex-1 overflow-y-auto pb-6">
      <ul
        aria-label={t('library.title')}
        className="relative mx-auto w-full max-w-[60rem]"
        style={{ height: virtual.getTotalSize() }}
      >
        {virtual.getVirtualItems().map((item) => {
          const document = rows[item.index];
          return (
            document && (
              <li
                key={item.key}
                data-index={item.index}
                ref={virtual.measureElement}
                aria-setsize={rows.length}
                aria-posinset={item.index + 1}
                className="absolute inset-x-0 top-0 px-3"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <DocumentRow document={document} onOpen={onOpen} onRetry={onRetry} onRemove={onRemove} />
              </li>
            )
          );
        })}
      </ul>
    </div>
  );
}

function AddButtons() {
  const { t } = useTranslation();
  const { chooseFiles, chooseFolder, askForAddress } = useAdding();
  return (
    <div className="flex flex-wrap gap-2">
      <Button look="primary" onClick={chooseFiles}>
        <FilePlus2 className="size-4" aria-hidden="true" />
        {t('library.addFiles')}
      </Button>
      <Button onClick={chooseFolder}>
        <FolderPlus className="size-4" aria-hidden="true" />
        {t('library.addFolder')}
      </Button>
      <Button onClick={askForAddress}>
        <Link2 className="size-4" aria-hidden="true" />
        {t('library.addAddress')}
      </Button>
    </div>
  );
}

function Totals({ documents }: { documents: Map<unknown, DocumentSummary> }) {
  const { t } = useTranslation();
  const all = [...documents.values()];
  if (all.length === 0) return null;
  const sum = (pick: (document: DocumentSummary) => number): number =>
    all.reduce((total, document) => total + pick(document), 0);
  const parts = [
    t('count.documents', { count: all.length }),
    t('count.passages', { count: sum((document) => document.numPassages) }),
    formatBytes(sum((document) => document.sizeBytes)),
  ];
  return <p className="text-[0.8125rem] text-soft tabular-nums">{parts.join(' · ')}</p>;
}

type FilterProps = {
  documents: Map<unknown, DocumentSummary>;
  filter: StateFilter;
  onFilter: (filter: StateFilter) => void;
};

function FilterChoice({ documents, filter, onFilter }: FilterProps) {
  const { t } = useTranslation();
  const counts = useMemo(() => {
    const found = { all: documents.size, ready: 0, working: 0, problem: 0 };
    for (const document of documents.values()) found[groupOf(document.state)]++;
    return found;
  }, [documents]);
  return (
    <fieldset className="flex rounded-lg border border-line bg-panel p-0.5" aria-label={t('library.filterState')}>
      {filters.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={filter === one}
          className={`h-7 rounded-md px-2.5 text-[0.8125rem] transition-colors ${filter === one ? 'bg-raised font-medium text-ink shadow-card' : 'text-soft hover:text-ink'}`}
          onClick={() => onFilter(one)}
        >
          {t(`filter.${one}`)} <span className="text-faint tabular-nums">{counts[one]}</span>
        </button>
      ))}
    </fieldset>
  );
}

function EmptyLibrary() {
  const { t } = useTranslation();
  const { shell } = useQuoth();
  return (
    <div className="grid flex-1 place-items-center p-6">
      <div className="w-full max-w-xl rounded-3xl border-2 border-dashed border-line px-8 py-16 text-center">
        <LibraryBig className="mx-auto size-8 text-faint" aria-hidden="true" />
        <p className="mt-4 font-serif text-xl">{t('library.emptyTitle')}</p>
        <p className="mx-auto mt-1 max-w-sm text-sm text-soft">{t('library.emptyHint')}</p>
        {shell.kind === 'electron' && <p className="mx-auto mt-3 max-w-sm text-sm text-soft">{t('folders.meaning')}</p>}
      </div>
    </div>
  );
}
