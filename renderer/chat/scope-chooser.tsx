import { ChevronDown, FileText, Folder, Layers } from 'lucide-react';
import { Popover } from 'radix-ui';
import { type ReactNode, useId, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { Collection, DocumentKind, DocumentSummary, PlaceFolder, Scope } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { filterDocuments } from '../library/library-state.ts';
import { everything, kindNames, limiting, scopeWords } from './scope-words.ts';

type Place = Scope['places'][number];
type Changed = Pick<Scope, 'changedFromMs' | 'changedBeforeMs'>;

const mostShown = 60; // More is searched for by name.
const mostPlaces = 200; // The contract's limit.

function idOf(place: Place): string {
  if (place.type === 'document') return place.documentId;
  return place.type === 'folder' ? place.folder : place.collectionId;
}

type ScopeChooserProps = { scope: Scope | null; onChange: (scope: Scope | null) => void };

/** "Ask in: everything": where the next question is asked. */
export function ScopeChooser({ scope, onChange }: ScopeChooserProps) {
  const { t } = useTranslation();
  const { client, notices } = useQuoth();
  const [folders, setFolders] = useState<PlaceFolder[]>([]);
  const search = useRef<HTMLInputElement>(null);
  const read = (open: boolean): void => {
    if (!open) return;
    client
      .listPlaces({})
      .then((places) => setFolders(places.folders))
      .catch(notices.getState().tellError);
  };
  return (
    <Popover.Root onOpenChange={read}>
      <Popover.Trigger asChild>
        <button
          type="button"
          className={`inline-flex max-w-full min-w-0 items-center gap-1 rounded-md px-1.5 py-0.5 text-xs hover:bg-hover hover:text-ink ${scope ? 'font-medium text-accent' : 'text-soft'}`}
        >
          <span className="truncate">{t('scope.askIn', { scope: scopeWords(scope) })}</span>
          <ChevronDown className="size-3.5 shrink-0" aria-hidden="true" />
        </button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          side="top"
          align="start"
          sideOffset={6}
          collisionPadding={8}
          aria-label={t('scope.title')}
          className="z-40 flex max-h-[min(30rem,var(--radix-popover-content-available-height))] w-[min(26rem,calc(100vw-1rem))] flex-col rounded-xl border border-line bg-raised p-3 text-sm shadow-float"
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            search.current?.focus();
          }}
        >
          <Choices scope={scope ?? everything} folders={folders} search={search} onChange={onChange} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

type ChoicesProps = {
  scope: Scope;
  folders: PlaceFolder[];
  search: React.RefObject<HTMLInputElement | null>;
  onChange: (scope: Scope | null) => void;
};

function Choices({ scope, folders, search, onChange }: ChoicesProps) {
  const { t } = useTranslation();
  const { library, shelf } = useQuoth();
  const documents = useStore(library, (state) => state.documents);
  const collections = useStore(shelf, (state) => state.collections);
  const [words, setWords] = useState('');
  const change = (part: Partial<Scope>): void => onChange(limiting({ ...scope, ...part }));
  const chosen = new Set(scope.places.map(idOf));
  const toggle = (place: Place): void => {
    const others = scope.places.filter((one) => idOf(one) !== idOf(place));
    change({ places: others.length < scope.places.length ? others : [...others, place].slice(-mostPlaces) });
  };
  const matches = useMatches(collections, folders, documents.values(), words);
  // What was chosen before stands first; what is chosen now stays where it is.
  const [before] = useState(scope.places);
  const first = new Set(before.map(idOf));
  const shown = [...before, ...matches.filter((place) => !first.has(idOf(place)))].slice(0, mostShown);
  const kinds = useMemo(() => [...new Set([...documents.values()].map(({ kind }) => kind))].sort(), [documents]);
  return (
    <>
      <div className="flex items-center gap-2">
        <input
          ref={search}
          type="search"
          value={words}
          placeholder={t('scope.search')}
          aria-label={t('scope.search')}
          className="h-8 min-w-0 flex-1 rounded-lg border border-line bg-transparent px-2.5 outline-none placeholder:text-faint focus:border-accent"
          onChange={(event) => setWords(event.target.value)}
        />
        <Button look="quiet" disabled={limiting(scope) === null} onClick={() => onChange(null)}>
          {t('scope.all')}
        </Button>
      </div>
      <ul aria-label={t('scope.places')} className="-mx-1 mt-2 min-h-24 flex-1 overflow-y-auto">
        {shown.map((place) => (
          <li key={idOf(place)}>
            <Check checked={chosen.has(idOf(place))} onChange={() => toggle(place)}>
              <PlaceIcon type={place.type} />
              <span className="truncate">{place.name}</span>
            </Check>
          </li>
        ))}
        {shown.length === 0 && <li className="px-1.5 py-1 text-soft">{t('scope.noMatch')}</li>}
      </ul>
      {kinds.length > 1 && (
        <KindChoice kinds={kinds} chosen={scope.kinds} onChange={(next) => change({ kinds: next })} />
      )}
      <DayChoice scope={scope} onChange={change} />
    </>
  );
}

const placeIcons = { collection: Layers, folder: Folder, document: FileText };

function PlaceIcon({ type }: { type: Place['type'] }) {
  const Icon = placeIcons[type];
  return <Icon className="size-3.5 shrink-0 text-faint" aria-hidden="true" />;
}

/** Collections, folders and ready documents whose names have all the words, in this order. */
function useMatches(
  collections: Collection[],
  folders: PlaceFolder[],
  documents: Iterable<DocumentSummary>,
  words: string,
): Place[] {
  const wanted = words.normalize('NFKC').toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const isWanted = (name: string): boolean => {
    const lower = name.normalize('NFKC').toLocaleLowerCase();
    return wanted.every((word) => lower.includes(word));
  };
  return [
    ...collections
      .filter(({ name }) => isWanted(name))
      .map(({ id, name }): Place => ({ type: 'collection', collectionId: id, name })),
    ...folders
      .filter(({ name }) => isWanted(name))
      .map(({ folder, name }): Place => ({ type: 'folder', folder, name })),
    ...filterDocuments(documents, words, 'ready').map(
      ({ id, title }): Place => ({ type: 'document', documentId: id, name: title.slice(0, 500) }),
    ),
  ];
}

function Check(props: { checked: boolean; onChange: () => void; children: ReactNode }) {
  return (
    <label className="flex cursor-pointer items-center gap-2 rounded-md px-1.5 py-1 hover:bg-hover">
      <input type="checkbox" className="accent-accent" checked={props.checked} onChange={props.onChange} />
      {props.children}
    </label>
  );
}

type KindChoiceProps = { kinds: DocumentKind[]; chosen: DocumentKind[]; onChange: (kinds: DocumentKind[]) => void };

function KindChoice({ kinds, chosen, onChange }: KindChoiceProps) {
  const { t } = useTranslation();
  return (
    <fieldset className="mt-2 border-t border-line pt-2">
      <legend className="sr-only">{t('scope.kinds')}</legend>
      <div className="flex flex-wrap gap-x-2">
        {kinds.map((kind) => (
          <Check
            key={kind}
            checked={chosen.includes(kind)}
            onChange={() => onChange(chosen.includes(kind) ? chosen.filter((one) => one !== kind) : [...chosen, kind])}
          >
            <span className="text-xs">{kindNames[kind]}</span>
          </Check>
        ))}
      </div>
    </fieldset>
  );
}

/** The day of a time as a date field has it: 2024-01-31. */
function fieldOf(ms: number | null): string {
  if (ms === null) return '';
  const day = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${String(day.getFullYear()).padStart(4, '0')}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** The beginning of a field's day, `numDaysLater`; null for an empty field. */
function timeOf(field: string, numDaysLater: number): number | null {
  const [year, month, day] = field.split('-').map(Number);
  const ms = new Date(year ?? Number.NaN, (month ?? 1) - 1, (day ?? 1) + numDaysLater).getTime();
  return Number.isNaN(ms) ? null : ms;
}

function DayChoice({ scope, onChange }: { scope: Changed; onChange: (changed: Partial<Changed>) => void }) {
  const { t } = useTranslation();
  const id = useId();
  const field = 'h-7 min-w-0 rounded-md border border-line bg-transparent px-1.5 text-xs';
  return (
    <div className="mt-2 flex flex-wrap items-center gap-x-2 gap-y-1 border-t border-line pt-2 text-xs text-soft">
      <label htmlFor={`${id}-from`}>{t('scope.changedFrom')}</label>
      <input
        id={`${id}-from`}
        type="date"
        className={field}
        value={fieldOf(scope.changedFromMs)}
        onChange={(event) => onChange({ changedFromMs: timeOf(event.target.value, 0) })}
      />
      <label htmlFor={`${id}-to`}>{t('scope.changedTo')}</label>
      <input
        id={`${id}-to`}
        type="date"
        className={field}
        value={fieldOf(scope.changedBeforeMs === null ? null : scope.changedBeforeMs - 1)}
        onChange={(event) => onChange({ changedBeforeMs: timeOf(event.target.value, 1) })}
      />
    </div>
  );
}
