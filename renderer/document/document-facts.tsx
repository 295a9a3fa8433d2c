import { Plus, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentDetails, DocumentSummary } from '../../app/contract/types.ts';
import { kindNames } from '../chat/scope-words.ts';
import { Button } from '../common/button.tsx';
import { formatBytes, formatCount, formatDay } from '../common/format.ts';
import { languageList, languageName } from '../common/language-name.ts';
import { Menu } from '../common/menu.tsx';
import { ProgressBar } from '../common/progress.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { groupOf } from '../library/arrange.ts';
import { CollectionItems } from '../library/collection-items.tsx';
import { problemWords } from '../library/problem.ts';
import { useDocuments } from '../library/use-documents.ts';

type FactsProps = { document: DocumentSummary; details: DocumentDetails | null };

/** All that is known of the document, and the collections that it is in. */
export function DocumentFacts({ document, details }: FactsProps) {
  const { t } = useTranslation();
  const { kind, numPages, numPassages, sizeBytes, addedAtMs } = document;
  const wait = '…';
  return (
    <section aria-labelledby="document-facts" className="min-w-0">
      <h2 id="document-facts" className="text-sm font-semibold">
        {t('document.facts')}
      </h2>
      <dl className="mt-2 divide-y divide-line rounded-2xl border border-line bg-raised px-4 text-[0.8125rem] shadow-card">
        <Fact name={t('document.state')}>
          <State document={document} />
        </Fact>
        <Fact name={t('document.kind')}>{kindNames[kind]}</Fact>
        {numPages !== null && <Fact name={t('document.pages')}>{formatCount(numPages)}</Fact>}
        <Fact name={t('document.passages')}>{formatCount(numPassages)}</Fact>
        {sizeBytes > 0 && <Fact name={t('document.size')}>{formatBytes(sizeBytes)}</Fact>}
        <Fact name={t('document.kept')}>{details ? formatBytes(details.storedBytes) : wait}</Fact>
        <Fact name={t('document.added')}>{formatDay(addedAtMs)}</Fact>
        {kind !== 'youtube' && (
          <Fact name={t('document.changed')}>{details ? formatDay(details.changedAtMs) : wait}</Fact>
        )}
        <Fact name={t('document.language')}>
          {details ? (details.language ? languageName(details.language) : t('document.unclear')) : wait}
        </Fact>
        {details?.scans && <ScansFact scans={details.scans} />}
        {(details?.folderName || details?.isCopy) && (
          <Fact name={t('document.where')}>
            <span dir="auto">{details.isCopy ? t('document.copy') : details.folderName}</span>
            {details.isThere === false && <span className="block text-danger">{t('document.missing')}</span>}
          </Fact>
        )}
        <Fact name={t('collections.title')}>
          <Memberships document={document} />
        </Fact>
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap gap-x-4 gap-y-0.5 py-1.5">
      <dt className="w-32 shrink-0 text-soft">{name}</dt>
      <dd className="min-w-0 flex-1 basis-40 tabular-nums [overflow-wrap:anywhere]">{children}</dd>
    </div>
  );
}

function State({ document }: { document: DocumentSummary }) {
  const { t } = useTranslation();
  const { state, title, progress, reason } = document;
  const group = groupOf(state);
  if (group === 'problem') return <span className="text-danger">{problemWords(document)}</span>;
  if (group === 'working')
    return (
      <span className="flex flex-wrap items-center gap-x-3">
        {t(`state.${state}`)}
        {state !== 'queued' && (
          <span className="w-28 shrink-0">
            <ProgressBar value={progress} label={t('library.progressOf', { title })} />
          </span>
        )}
      </span>
    );
  return (
    <>
      {t('state.ready')}
      {reason && <span className="block text-soft">{reason}</span>}
    </>
  );
}

/** The collections as chips: each can be left, and others joined. */
function Memberships({ document }: { document: DocumentSummary }) {
  const { t } = useTranslation();
  const { shelf, view } = useQuoth();
  const collections = useStore(shelf, (state) => state.collections);
  const { take } = useDocuments();
  const inside = collections.filter(({ id }) => document.collections.includes(id));
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      {inside.map(({ id, name }) => (
        <span key={id} className="inline-flex max-w-full items-center rounded-full bg-accent-wash pl-1 text-accent">
          <button
            type="button"
            className="min-w-0 truncate rounded-full px-1.5 py-0.5 hover:underline"
            dir="auto"
            onClick={() => {
              shelf.getState().filter({ collection: id, folder: null });
              view.getState().show('library');
            }}
          >
            {name}
          </button>
          <button
            type="button"
            aria-label={t('shelf.takeFrom', { name })}
            title={t('shelf.takeFrom', { name })}
            className="grid size-6 shrink-0 place-items-center rounded-full hover:bg-hover"
            onClick={() => take(id, { documentIds: [document.id] })}
          >
            <X className="size-3" aria-hidden="true" />
          </button>
        </span>
      ))}
      <Menu
        trigger={
          <Button look="quiet" className="-my-1 -ml-2 h-7 px-2">
            <Plus className="size-3.5" aria-hidden="true" />
            {t('shelf.addTo')}
          </Button>
        }
      >
        <CollectionItems documentIds={[document.id]} />
      </Menu>
    </div>
  );
}

/** How its scanned pages were read, and what may help where that was hard. */
function ScansFact({ scans }: { scans: NonNullable<DocumentDetails['scans']> }) {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const { numPages, languages, seemsOther } = scans;
  const readIn = languages.length > 0 ? languages : ['en'];
  return (
    <Fact name={t('scans.fact')}>
      {t('scans.factWords', { count: numPages, languages: languageList(readIn) })}
      {seemsOther && (
        <span className="mt-1 block rounded-lg bg-warn-wash px-2.5 py-1.5 text-warn">
          {t('scans.unsure')}{' '}
          <button
            type="button"
            className="font-medium underline underline-offset-2"
            onClick={() => view.getState().showSettings('library')}
          >
            {t('scans.openSettings')}
          </button>
        </span>
      )}
    </Fact>
  );
}
