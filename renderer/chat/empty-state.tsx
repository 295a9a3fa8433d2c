import { Cpu, FilePlus2, FolderPlus, Link2 } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { Button } from '../common/button.tsx';
import { formatBytes } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { useAdding } from '../library/use-adding.ts';
import { recommended } from '../models/fit.ts';
import { useRemoteInUse } from '../models/remote-mark.tsx';
import { useModels } from '../models/use-models.ts';
import { Welcome, WelcomeAgain } from '../welcome/welcome.tsx';

/** Before the first question: the first steps on a first start, else what this is, and the one thing to do next. */
export function EmptyState() {
  const { welcome } = useQuoth();
  return useStore(welcome, (state) => state.open) ? <Welcome /> : <Beginning />;
}

function Beginning() {
  const { t } = useTranslation();
  const { library, view } = useQuoth();
  const { chooseFiles, chooseFolder, askForAddress } = useAdding();
  const remote = useRemoteInUse();
  const leaves = remote && !remote.isLoopback ? remote.host : null;
  const loaded = useStore(library, (state) => state.loaded);
  const documents = useStore(library, (state) => state.documents);
  if (!loaded) return null;
  const recent = [...documents.values()]
    .filter((document) => document.state === 'ready')
    .sort((a, b) => b.addedAtMs - a.addedAtMs)
    .slice(0, 4);
  return (
    <div className="pt-[8vh]">
      <h1 className="font-serif text-[2.1rem] leading-tight font-medium tracking-[-0.01em] text-balance">
        {t('empty.title')}
      </h1>
      <p className="mt-3 max-w-[34rem] text-base text-soft">
        {leaves ? t('remote.promise', { host: leaves }) : t('empty.promise')}
      </p>
      <ModelNotice />
      <div className="mt-7 flex flex-wrap gap-2">
        <Button look={documents.size === 0 ? 'primary' : 'plain'} onClick={chooseFiles}>
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
      <p className="mt-3 text-[0.8125rem] text-faint">{t('empty.drop')}</p>
      {recent.length > 0 && (
        <section className="mt-10" aria-label={t('empty.recent')}>
          <h2 className="mb-1 text-xs font-semibold tracking-wide text-faint uppercase">{t('empty.recent')}</h2>
          <ul>
            {recent.map((document) => (
              <li key={document.id}>
                <button
                  type="button"
                  className="-mx-2 flex w-[calc(100%+1rem)] items-baseline gap-3 rounded-lg px-2 py-1.5 text-left hover:bg-hover"
                  onClick={() =>
                    view.getState().read({
                      documentId: document.id,
                      title: document.title,
                      source: document.source,
                      kind: document.kind,
                      place: { page: null, paragraph: null, startSeconds: null, label: null },
                      passageId: null,
                      quote: null,
                      passageText: null,
                    })
                  }
                >
                  <span className="truncate">{document.title}</span>
                  <span className="shrink-0 text-xs text-faint">
                    {document.numPages !== null && t('count.pages', { count: document.numPages })}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <p className="mt-8">
        <WelcomeAgain />
      </p>
    </div>
  );
}

/** Says what is missing among the models, with one button that gets it. */
function ModelNotice() {
  const { t } = useTranslation();
  const { models: store } = useQuoth();
  const { models, loaded, installs } = useStore(store);
  const { install } = useModels();
  const remote = useRemoteInUse();
  if (!loaded) return null;
  const missing = (['embedder', 'chat'] as const).find(
    (role) =>
      !(role === 'chat' && remote) && !models.some((model) => model.role === role && model.state === 'installed'),
  );
  if (!missing) return null;
  const onTheWay = installs.find(({ role }) => role === missing);
  const offer = models.find(({ id }) => id === onTheWay?.modelId) ?? recommended(models, missing);
  const running = onTheWay !== undefined && onTheWay.state !== 'failed' && onTheWay.state !== 'paused';
  return (
    <div className="mt-6 flex flex-wrap items-center gap-x-4 gap-y-2 rounded-xl border border-line bg-panel px-4 py-3 text-sm">
      <Cpu className="size-4 text-accent" aria-hidden="true" />
      <p className="min-w-56 flex-1">{t(missing === 'chat' ? 'empty.noChatModel' : 'empty.noEmbedder')}</p>
      {offer && (
        <Button disabled={running} onClick={() => install(offer)}>
          {t(running ? 'empty.installing' : 'empty.install', {
            name: offer.name,
            size: formatBytes(offer.downloadBytes),
          })}
        </Button>
      )}
    </div>
  );
}
