import { ArrowDownNarrowWide, ArrowUpNarrowWide, ListFilter, Search } from 'lucide-react';
import { Popover } from 'radix-ui';
import { useId, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentKind, PlaceKey } from '../../app/contract/types.ts';
import { kindNames } from '../chat/scope-words.ts';
import { Button, IconButton } from '../common/button.tsx';
import { formatCount } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { noFilters, type SortKey, type StateFilter, sortKeys } from './arrange.ts';

const states: StateFilter[] = ['all', 'ready', 'working', 'problem'];

/** Narrows and orders the rows: by name, state, type, folder and day. */
export function FilterBar({ counts }: { counts: Record<StateFilter, number> }) {
  const { t } = useTranslation();
  const { shelf } = useQuoth();
  const words = useStore(shelf, (state) => state.filters.words);
  const { filter } = shelf.getState();
  return (
    <div className="flex flex-wrap items-center gap-2">
      <label className="relative min-w-32 flex-1 basis-32">
        <Search className="absolute top-2 left-2.5 size-4 text-faint" aria-hidden="true" />
        <input
          type="search"
          value={words}
          placeholder={t('library.filter')}
          aria-label={t('library.filter')}
          className="h-8 w-full rounded-lg border border-line bg-raised pr-3 pl-8 text-sm outline-none placeholder:text-faint focus:border-accent"
          onChange={(event) => filter({ words: event.target.value })}
        />
      </label>
      <StateChoice counts={counts} />
      <MoreFilters />
      <SortChoice />
    </div>
  );
}

function StateChoice({ counts }: { counts: Record<StateFilter, number> }) {
  const { t } = useTranslation();
  const { shelf } = useQuoth();
  const chosen = useStore(shelf, (state) => state.filters.state);
  return (
    <fieldset
      className="flex max-w-full flex-wrap rounded-lg border border-line bg-panel p-0.5"
      aria-label={t('library.filterState')}
    >
      {states.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={chosen === one}
          className={`h-7 rounded-md px-2 text-[0.8125rem] transition-colors ${chosen === one ? 'bg-raised font-medium text-ink shadow-card' : 'text-soft hover:text-ink'}`}
          onClick={() => shelf.getState().filter({ state: one })}
        >
          {t(`filter.${one}`)} <span className="text-faint tabular-nums">{formatCount(counts[one])}</span>
        </button>
      ))}
    </fieldset>
  );
}

function SortChoice() {
  const { t } = useTranslation();
  const { shelf } = useQuoth();
  const { key, descending } = useStore(shelf, (state) => state.sort);
  const { sortBy } = shelf.getState();
  return (
    <div className="flex items-center">
      <select
        value={key}
        aria-label={t('shelf.sort')}
        className="h-8 max-w-36 rounded-lg border border-line bg-raised px-2 text-[0.8125rem]"
        onChange={(event) => {
          const next = event.target.value as SortKey;
          sortBy({ key: next, descending: next !== 'name' });
        }}
      >
        {sortKeys.map((one) => (
          <option key={one} value={one}>
            {t(`shelf.sortBy.${one}`)}
          </option>
        ))}
      </select>
      <IconButton
        label={t(descending ? 'shelf.descending' : 'shelf.ascending')}
        onClick={() => sortBy({ key, descending: !descending })}
      >
        {descending ? <ArrowDownNarrowWide className="size-4" /> : <ArrowUpNarrowWide className="size-4" />}
      </IconButton>
    </div>
  );
}

/** Types, folder and days, behind a button that says how many of them narrow the list. */
function MoreFilters() {
  const { t } = useTranslation();
  const { shelf, library, notices } = useQuoth();
  const filters = useStore(shelf, (state) => state.filters);
  const places = useStore(shelf, (state) => state.places);
  const documents = useStore(library, (state) => state.documents);
  const id = useId();
  const { filter, loadPlaces } = shelf.getState();
  const { kinds, folder, addedFromMs, addedBeforeMs } = filters;
  const numSet = [kinds.length > 0, folder !== null, addedFromMs !== null || addedBeforeMs !== null].filter(
    Boolean,
  ).length;
  const present = useMemo(() => [...new Set([...documents.values()].map(({ kind }) => kind))].sort(), [documents]);
  const toggle = (kind: DocumentKind): void =>
    filter({ kinds: kinds.includes(kind) ? kinds.filter((one) => one !== kind) : [...kinds, kind] });
  const field = 'h-8 min-w-0 rounded-lg border border-line-strong bg-paper px-2 text-[0.8125rem]';
  return (
    <Popover.Root onOpenChange={(open) => open && void loadPlaces().catch(notices.getState().tellError)}>
      <Popover.Trigger asChild>
        <Button className={numSet > 0 ? 'text-accent' : ''}>
          <ListFilter className="size-3.5" aria-hidden="true" />
          {numSet > 0 ? t('shelf.filterCount', { count: numSet }) : t('shelf.filter')}
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          aria-label={t('shelf.filter')}
          className="z-40 grid max-h-[var(--radix-popover-content-available-height)] w-[min(22rem,calc(100vw-1rem))] gap-4 overflow-y-auto rounded-xl border border-line bg-raised p-4 text-sm shadow-float"
        >
          <fieldset className="min-w-0">
            <legend className="mb-1.5 text-xs font-semibold text-soft">{t('shelf.kinds')}</legend>
            <div className="flex flex-wrap gap-1">
              {present.map((kind) => (
                <button
                  key={kind}
                  type="button"
                  aria-pressed={kinds.includes(kind)}
                  className="h-7 rounded-full border border-line-strong px-2.5 text-xs text-soft hover:bg-hover aria-pressed:border-accent aria-pressed:bg-accent-wash aria-pressed:font-medium aria-pressed:text-accent"
                  onClick={() => toggle(kind)}
                >
                  {kindNames[kind]}
                </button>
              ))}
            </div>
          </fieldset>
          <label className="grid gap-1.5">
            <span className="text-xs font-semibold text-soft">{t('shelf.folder')}</span>
            <select
              value={folder ?? ''}
              className={field}
              onChange={(event) => filter({ folder: (event.target.value || null) as PlaceKey | null })}
            >
              <option value="">{t('shelf.anyFolder')}</option>
              {places.map((place) => (
                <option key={place.folder} value={place.folder}>
                  {place.name} ({formatCount(place.numDocuments)})
                </option>
              ))}
            </select>
          </label>
          <fieldset className="min-w-0">
            <legend className="mb-1.5 text-xs font-semibold text-soft">{t('shelf.sortBy.added')}</legend>
            <div className="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-2">
              <label htmlFor={`${id}-from`} className="text-xs text-soft">
                {t('shelf.from')}
              </label>
              <input
                id={`${id}-from`}
                type="date"
                className={field}
                value={dayOf(addedFromMs, 0)}
                onChange={(event) => filter({ addedFromMs: timeOf(event.target.value, 0) })}
              />
              <label htmlFor={`${id}-to`} className="text-xs text-soft">
                {t('shelf.to')}
              </label>
              <input
                id={`${id}-to`}
                type="date"
                className={field}
                value={dayOf(addedBeforeMs, 1)}
                onChange={(event) => filter({ addedBeforeMs: timeOf(event.target.value, 1) })}
              />
            </div>
          </fieldset>
          <div className="flex justify-end">
            <Button disabled={numSet === 0} onClick={() => filter({ ...noFilters, words: filters.words })}>
              {t('shelf.clear')}
            </Button>
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** The day before which `numDays` later the time is, as a date field has it: 2024-01-31. */
function dayOf(ms: number | null, numDays: number): string {
  if (ms === null) return '';
  const day = new Date(ms);
  day.setDate(day.getDate() - numDays);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${String(day.getFullYear()).padStart(4, '0')}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** The beginning of a field's day, `numDays` later; null for an empty field. */
function timeOf(field: string, numDays: number): number | null {
  const [year, month, day] = field.split('-').map(Number);
  const ms = new Date(year ?? Number.NaN, (month ?? 1) - 1, (day ?? 1) + numDays).getTime();
  return Number.isNaN(ms) ? null : ms;
}
