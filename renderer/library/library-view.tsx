import { FilePlus2, FolderPlus, Layers, LibraryBig, Link2, RotateCcw } from 'lucide-react';
import { useDeferredValue, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentSummary } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { formatBytes } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { currentLanguage } from '../common/text/text.ts';
import { createArranger, groupOf } from './arrange.ts';
import { DocumentGrid } from './document-grid.tsx';
import { FilterBar } from './filter-bar.tsx';
import { LibraryRail } from './library-rail.tsx';
import { SelectionBar } from './selection-bar.tsx';
import { useAdding } from './use-adding.ts';
import { useDocuments } from './use-documents.ts';

const sizesEveryMs = 3000;

/** All documents, with their states, the ways to add one, and what they are sorted into. */
export function LibraryView() {
  const { t } = useTranslation();
  const { library, shelf, watchedFolders } = useQuoth();
  const { documents, loaded } = useStore(library);
  const filters = useStore(shelf, (state) => state.filters);
  const sort = useStore(shelf, (state) => state.sort);
  const places = useStore(shelf, (state) => state.places);
  const selected = useStore(shelf, (state) => state.selected);
  const hasRail = useStore(shelf, (state) => state.collections.length > 0);
  const hasFolders = useStore(watchedFolders, (state) => state.folders.length > 0);
  const [showsRail, setShowsRail] = useState(false);
  // Typing and scrolling come before what the core tells.
  const drawn = useDeferredValue(documents);
  const wanted = useDeferredValue(filters);
  const language = currentLanguage();
  const arrange = useMemo(() => createArranger(language), [language]);
  const { rows, counts } = useMemo(() => arrange(drawn, wanted, sort, places), [arrange, drawn, wanted, sort, places]);
  const chosen = useMemo(
    () => (selected.size === 0 ? [] : rows.filter(({ id }) => selected.has(id))),
    [rows, selected],
  );
  usePlaces();
  useSizes();
  const isEmpty = documents.size === 0 && !hasRail && !hasFolders;
  return (
    <div className="@container flex h-full min-h-0 flex-col overflow-y-auto">
      <header className="mx-auto w-full max-w-[76rem] shrink-0 px-6 pt-8 pb-3">
        <div className="flex flex-wrap items-center gap-2">
          <div className="mr-auto min-w-0 flex-1 basis-72">
            <h1 className="font-serif text-2xl font-medium">{t('library.title')}</h1>
            <Totals />
          </div>
          <AddButtons />
        </div>
      </header>
      {isEmpty ? (
        loaded && <EmptyLibrary />
      ) : (
        <div className="mx-auto flex min-h-0 w-full max-w-[76rem] flex-1 @max-3xl:flex-none @max-3xl:flex-col @max-3xl:h-full @max-3xl:max-h-[48rem] @max-3xl:min-h-[26rem]">
          <div className="shrink-0 overflow-y-auto pb-6 pl-4 @3xl:w-60 @max-3xl:max-h-[45%] @max-3xl:px-6 @max-3xl:pb-2">
            <Button
              look="quiet"
              className="-ml-2 @3xl:hidden"
              aria-expanded={showsRail}
              onClick={() => setShowsRail(!showsRail)}
            >
              <Layers className="size-3.5" aria-hidden="true" />
              {t('shelf.rail')}
            </Button>
            <div className={showsRail ? '' : '@max-3xl:hidden'}>
              <LibraryRail />
            </div>
          </div>
          <div className="flex min-h-0 min-w-0 flex-1 flex-col">
            <div className="grid shrink-0 gap-2 px-6 pb-2">
              <FilterBar counts={counts} />
              {chosen.length > 0 ? (
                <SelectionBar chosen={chosen} rows={rows} />
              ) : (
                <RetryAll rows={rows} numProblems={counts.problem} />
              )}
            </div>
            {rows.length === 0 ? <NoRows isAny={documents.size > 0} /> : <DocumentGrid rows={rows} />}
          </div>
        </div>
      )}
    </div>
  );
}

/** Asks for the folders' names when a document lies in one that is not known. */
function usePlaces(): void {
  const { library, shelf, notices } = useQuoth();
  const documents = useStore(library, (state) => state.documents);
  const isFiltered = useStore(shelf, (state) => state.filters.folder !== null);
  const places = useStore(shelf, (state) => state.places);
  const isUnknown = useMemo(() => {
    if (!isFiltered) return false;
    const known = new Set(places.map(({ folder }) => folder));
    return [...documents.values()].some(({ folder }) => folder !== null && !known.has(folder));
  }, [isFiltered, documents, places]);
  useEffect(() => {
    if (isUnknown) shelf.getState().loadPlaces().catch(notices.getState().tellError);
  }, [isUnknown, shelf, notices]);
}

/** What the library takes on the disk: asked for when the view opens, and now and then while it changes. */
function useSizes(): void {
  const { library, shelf, notices } = useQuoth();
  const documents = useStore(library, (state) => state.documents);
  const slow = useDeferredValue(documents);
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever they change
  useEffect(() => {
    const load = (): void => void shelf.getState().loadSizes().catch(notices.getState().tellError);
    if (shelf.getState().sizes === null) {
      load();
      return;
    }
    const timer = setTimeout(load, sizesEveryMs);
    return () => clearTimeout(timer);
  }, [slow, shelf, notices]);
}

/** Of what was not read, the next step for all at once. */
function RetryAll({ rows, numProblems }: { rows: DocumentSummary[]; numProblems: number }) {
  const { t } = useTranslation();
  const { shelf } = useQuoth();
  const isShown = useStore(shelf, (state) => state.filters.state === 'problem');
  const { retry } = useDocuments();
  if (!isShown || numProblems === 0) return null;
  const ids = rows.filter(({ state }) => groupOf(state) === 'problem').map(({ id }) => id);
  return (
    <div>
      <Button onClick={() => retry(ids)}>
        <RotateCcw className="size-3.5" aria-hidden="true" />
        {t('shelf.retryAll', { count: ids.length })}
      </Button>
    </div>
  );
}

function NoRows({ isAny }: { isAny: boolean }) {
  const { t } = useTranslation();
  const { shelf } = useQuoth();
  const { words, kinds, addedFromMs, addedBeforeMs, state, collection } = useStore(shelf, (one) => one.filters);
  const isOnlyCollection =
    collection !== null &&
    words === '' &&
    kinds.length === 0 &&
    state === 'all' &&
    addedFromMs === null &&
    addedBeforeMs === null;
  return (
    <p className="px-6 py-8 text-sm text-soft">
      {t(isOnlyCollection && isAny ? 'collections.empty' : isAny ? 'library.noMatch' : 'library.emptyTitle')}
    </p>
  );
}

function Totals() {
  const { t } = useTranslation();
  const { library, shelf } = useQuoth();
  const documents = useStore(library, (state) => state.documents);
  const sizes = useStore(shelf, (state) => state.sizes);
  const total = useMemo(() => {
    const sum = { numPages: 0, numPassages: 0, sizeBytes: 0 };
    for (const document of documents.values()) {
      sum.numPages += document.numPages ?? 0;
      sum.numPassages += document.numPassages;
      sum.sizeBytes += document.sizeBytes;
    }
    return sum;
  }, [documents]);
  if (documents.size === 0) return null;
  const parts = [
    t('count.documents', { count: documents.size }),
    total.numPages > 0 && t('count.pages', { count: total.numPages }),
    t('count.passages', { count: total.numPassages }),
    t('shelf.files', { size: formatBytes(total.sizeBytes) }),
  ].filter(Boolean);
  return (
    <p className="text-[0.8125rem] text-soft tabular-nums">
      {parts.join(' · ')}
      {sizes && (
        <span
          title={t('shelf.ownMeaning', {
            database: formatBytes(sizes.databaseBytes),
            index: formatBytes(sizes.indexBytes),
            copies: formatBytes(sizes.copiesBytes),
          })}
        >
          {' · '}
          {t('shelf.own', { size: formatBytes(sizes.databaseBytes + sizes.indexBytes + sizes.copiesBytes) })}
        </span>
      )}
    </p>
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
