import { ArrowLeft } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentSummary } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { kindIcons } from '../library/document-row.tsx';
import { CitedIn } from './cited-in.tsx';
import { DocumentActions } from './document-actions.tsx';
import { DocumentFacts } from './document-facts.tsx';
import { DocumentText } from './document-text.tsx';
import { useDetails } from './use-details.ts';

/** A document's own page: all that is known of it, what can be done with it, where it was quoted, and its text. */
export function DocumentView() {
  const { view, library } = useQuoth();
  const shown = useStore(view, (state) => state.documentShown);
  const document = useStore(library, (state) => (shown ? state.documents.get(shown.documentId) : undefined));
  const loaded = useStore(library, (state) => state.loaded);
  if (!shown) return null;
  if (!document) return loaded ? <Gone /> : null;
  return <Page key={shown.documentId} document={document} />;
}

function Page({ document }: { document: DocumentSummary }) {
  const { t } = useTranslation();
  const details = useDetails(document);
  const frame = useRef<HTMLDivElement>(null);
  const [content, setContent] = useState<HTMLDivElement | null>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const { id, source, kind } = document;
  const Icon = kindIcons[kind];
  // Whoever came by keyboard goes on from the page's beginning.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each document
  useEffect(() => title.current?.focus({ preventScroll: true }), [id]);
  return (
    <div ref={frame} className="@container h-full overflow-y-auto">
      <div ref={setContent} className="mx-auto w-full max-w-[60rem] px-6 pt-6">
        <Back />
        <header className="mt-4 flex flex-wrap items-start gap-x-4 gap-y-3">
          <span
            aria-hidden="true"
            className="grid size-11 shrink-0 place-items-center rounded-xl border border-line bg-raised text-soft"
          >
            <Icon className="size-5" />
          </span>
          <div className="min-w-0 flex-1 basis-64">
            <h1
              ref={title}
              tabIndex={-1}
              dir="auto"
              className="font-serif text-2xl font-medium outline-none [overflow-wrap:anywhere]"
            >
              {document.title}
            </h1>
            {source !== document.title && (
              <p className="text-[0.8125rem] text-soft [overflow-wrap:anywhere]" dir="auto">
                {source}
              </p>
            )}
          </div>
        </header>
        <DocumentActions document={document} details={details} />
        <div className="mt-6 grid gap-6 @3xl:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
          <DocumentFacts document={document} details={details} />
          <CitedIn turns={details?.citedIn ?? null} />
        </div>
      </div>
      <DocumentText document={document} frame={frame} above={content} />
      <p className="sr-only" role="status">
        {t('document.opened', { title: document.title })}
      </p>
    </div>
  );
}

function Back() {
  const { t } = useTranslation();
  const { view, shelf } = useQuoth();
  const cameFrom = useStore(view, (state) => state.documentShown?.cameFrom ?? 'library');
  return (
    <Button
      look="quiet"
      className="-ml-3"
      onClick={() => {
        view.getState().show(cameFrom);
        if (cameFrom === 'library') shelf.getState().wantFocus(true);
      }}
    >
      <ArrowLeft className="size-4" aria-hidden="true" />
      {t('document.back')}
    </Button>
  );
}

function Gone() {
  const { t } = useTranslation();
  return (
    <div className="mx-auto w-full max-w-[60rem] px-6 pt-6">
      <Back />
      <p className="mt-6 text-sm text-soft">{t('document.gone')}</p>
    </div>
  );
}
