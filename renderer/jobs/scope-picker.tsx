import { Search } from 'lucide-react';
import { useDeferredValue, useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { JobScope } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';

/** What is to be read whole. */
export type Chosen = { key: string; title: string; scope: JobScope };

const mostShown = 40;

type ScopePickerProps = {
  label: string;
  /** One document, and no folder. */
  onlyDocuments: boolean;
  chosen: Chosen | null;
  /** What the search field starts with. */
  words?: string;
  onChoose: (chosen: Chosen) => void;
};

/** The library, its collections, watched folders and its documents, to choose one of; a search field narrows them. */
export function ScopePicker({ label, onlyDocuments, chosen, words = '', onChoose }: ScopePickerProps) {
  const { t } = useTranslation();
  const { library, shelf, watchedFolders } = useQuoth();
  const collections = useStore(shelf, (state) => state.collections);
  const documents = useStore(library, (state) => state.documents);
  const folders = useStore(watchedFolders, (state) => state.folders);
  const [typed, setTyped] = useState(words);
  const wanted = useDeferredValue(typed);
  const name = useId();
  const all = useMemo(() => {
    const ready = [...documents.values()].filter(({ state }) => state === 'ready');
    const choices: Chosen[] = onlyDocuments
      ? []
      : [
          { key: 'library', title: t('jobs.library'), scope: { type: 'library' } },
          ...collections.map((collection): Chosen => {
            const scope = { type: 'collection' as const, collectionId: collection.id };
            return { key: collection.id, title: collection.name, scope };
          }),
          ...folders.map((folder): Chosen => {
            return { key: folder.id, title: folder.name, scope: { type: 'folder', folderId: folder.id } };
          }),
        ];
    for (const { id, title } of ready.sort((a, b) => b.addedAtMs - a.addedAtMs))
      choices.push({ key: `document ${id}`, title, scope: { type: 'documents', documentIds: [id] } });
    return choices;
  }, [documents, collections, folders, onlyDocuments, t]);
  const found = all.filter(({ title }) => title.toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase()));
  // What is chosen stays in sight, whatever is sought.
  const shown = [
    ...(chosen && !found.slice(0, mostShown).some(({ key }) => key === chosen.key) ? [chosen] : []),
    ...found.slice(0, mostShown),
  ];
  return (
    <fieldset className="mt-4 min-w-0">
      <legend className="mb-1.5 text-xs font-semibold text-soft">{label}</legend>
      <label className="relative block">
        <Search className="absolute top-2.5 left-2.5 size-3.5 text-faint" aria-hidden="true" />
        <input
          type="search"
          value={typed}
          placeholder={t('library.filter')}
          aria-label={`${label}: ${t('library.filter')}`}
          className="h-8 w-full rounded-t-lg border border-line-strong bg-paper pr-3 pl-8 text-sm outline-none focus:border-accent"
          onChange={(event) => setTyped(event.target.value)}
        />
      </label>
      <div className="max-h-36 overflow-y-auto rounded-b-lg border border-t-0 border-line-strong p-1">
        {shown.map((choice) => (
          <label
            key={choice.key}
            className="flex cursor-pointer items-center gap-2 rounded-md px-2 py-1 text-sm hover:bg-hover has-checked:bg-accent-wash"
          >
            <input
              type="radio"
              name={name}
              checked={chosen?.key === choice.key}
              className="accent-accent"
              onChange={() => onChoose(choice)}
            />
            <span className="truncate" dir="auto">
              {choice.title}
            </span>
          </label>
        ))}
        {shown.length === 0 && <p className="px-2 py-1 text-sm text-soft">{t('library.noMatch')}</p>}
        {found.length > mostShown && (
          <p className="px-2 py-1 text-xs text-soft">{t('jobs.narrow', { count: found.length - mostShown })}</p>
        )}
      </div>
    </fieldset>
  );
}
