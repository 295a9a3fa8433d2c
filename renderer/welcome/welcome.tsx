import { Cpu, FilePlus2, FolderPlus, MessageCircleQuestion, Sparkles } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { ModelSummary } from '../../app/contract/types.ts';
import { useAsk } from '../chat/use-ask.ts';
import { Button } from '../common/button.tsx';
import { formatCount } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { languageNames } from '../common/text/text.ts';
import { groupOf } from '../library/library-state.ts';
import { useAdding } from '../library/use-adding.ts';
import { recommended, toFetch, wordsOf } from '../models/fit.ts';
import { InstallProgress } from '../models/install-progress.tsx';
import { InstallButtons } from '../models/model-card.tsx';
import { useModels } from '../models/use-models.ts';
import { sampleQuestions, sampleSources } from './samples.ts';

/** The first start: this machine in plain words, something to try at once, a model to fetch meanwhile, the person's own. */
export function Welcome() {
  const { t } = useTranslation();
  const { welcome } = useQuoth();
  const { chooseFiles, chooseFolder } = useAdding();
  return (
    <section aria-labelledby="welcome-title" className="-mt-3">
      <div className="flex items-start justify-between gap-4">
        <h1
          id="welcome-title"
          className="font-serif text-[2.1rem] leading-tight font-medium tracking-[-0.01em] text-balance"
        >
          {t('welcome.title')}
        </h1>
        <Button look="quiet" className="mt-2" onClick={() => welcome.getState().close()}>
          {t('welcome.skip')}
        </Button>
      </div>
      <p className="mt-2 text-base text-soft">{t('welcome.promise')}</p>
      <MachineLine />
      <ol className="mt-4 grid gap-3">
        <Step title={t('welcome.try.title')} icon={<MessageCircleQuestion className="size-4" aria-hidden="true" />}>
          <TrySamples />
        </Step>
        <Step title={t('welcome.model.title')} icon={<Sparkles className="size-4" aria-hidden="true" />}>
          <ChooseModel />
        </Step>
        <Step title={t('welcome.own.title')} icon={<FolderPlus className="size-4" aria-hidden="true" />}>
          <div className="flex flex-wrap items-center gap-2">
            <p className="mr-auto min-w-56 flex-1 text-[0.8125rem] text-soft">{t('welcome.own.meaning')}</p>
            <Button onClick={chooseFiles}>
              <FilePlus2 className="size-4" aria-hidden="true" />
              {t('library.addFiles')}
            </Button>
            <Button onClick={chooseFolder}>
              <FolderPlus className="size-4" aria-hidden="true" />
              {t('library.addFolder')}
            </Button>
          </div>
        </Step>
      </ol>
    </section>
  );
}

function Step({ title, icon, children }: { title: string; icon: ReactNode; children: ReactNode }) {
  return (
    <li className="rounded-2xl border border-line bg-raised px-4 py-3.5 shadow-card">
      <h2 className="flex items-center gap-2 font-semibold">
        <span className="text-accent">{icon}</span>
        {title}
      </h2>
      <div className="mt-1 sm:pl-6">{children}</div>
    </li>
  );
}

/** "NVIDIA GeForce RTX 4070, 12.9 GB: Mistral 7B fits, with room for about 6,100 words." */
function MachineLine() {
  const { t } = useTranslation();
  const { welcome, models: store } = useQuoth();
  const machine = useStore(welcome, (state) => state.machine);
  const models = useStore(store, (state) => state.models);
  const chat = recommended(models, 'chat');
  if (!machine) return null;
  const { device, deviceName, deviceBytes, memoryBytes } = machine;
  // As it is sold: 12 GB of memory are 12 · 2^30 bytes.
  const memory = `${formatCount(Math.round((device === 'cuda' ? (deviceBytes ?? 0) : memoryBytes) / 2 ** 30))} GB`;
  const name = deviceName.split(', ')[0] ?? deviceName;
  const fit = chat?.fit;
  const values = { machine: name, memory, model: chat?.name, words: wordsOf(fit?.contextTokens ?? 0) };
  return (
    <p className="mt-4 flex items-start gap-2.5 rounded-xl border border-line bg-panel px-4 py-2.5 text-sm">
      <Cpu className="mt-0.5 size-4 shrink-0 text-accent" aria-hidden="true" />
      <span>
        {t(device === 'cuda' ? 'welcome.gpu' : 'welcome.cpu', values)} {fit && t(`welcome.fit.${fit.verdict}`, values)}
      </span>
    </p>
  );
}

function TrySamples() {
  const { t } = useTranslation();
  const { welcome, library, notices } = useQuoth();
  const { ask } = useAsk();
  const { tellError } = notices.getState();
  const isAdding = useStore(welcome, (state) => state.isAdding);
  const documents = useStore(library, (state) => state.documents);
  const samples = [...documents.values()].filter(({ source }) => sampleSources.has(source));
  // A question is offered when what answers it has been read: all of them take some seconds.
  const isReading = isAdding || samples.some(({ state }) => groupOf(state) === 'working');
  if (isReading || !samples.some(({ state }) => state === 'ready'))
    return (
      <>
        <p className="text-[0.8125rem] text-soft">{t('welcome.try.meaning')}</p>
        <Button
          look="primary"
          className="mt-3"
          disabled={isReading}
          onClick={() => welcome.getState().addSamples().catch(tellError)}
        >
          {t(isReading ? 'welcome.try.adding' : 'welcome.try.add')}
        </Button>
      </>
    );
  return (
    <>
      <p className="text-[0.8125rem] text-soft">{t('welcome.try.ask')}</p>
      <ul className="mt-2.5 flex flex-wrap gap-2">
        {sampleQuestions().map(({ language, question }) => (
          <li key={question}>
            <button
              type="button"
              lang={languageNames[language].tag}
              className="rounded-full border border-line-strong/70 bg-raised px-3 py-1.5 text-left text-[0.8125rem] hover:bg-hover"
              onClick={() => ask(question)}
            >
              {question}
            </button>
          </li>
        ))}
      </ul>
      <button
        type="button"
        className="mt-3 text-xs text-faint underline decoration-line-strong underline-offset-2 hover:text-ink"
        onClick={() => welcome.getState().removeSamples().catch(tellError)}
      >
        {t('welcome.try.remove')}
      </button>
    </>
  );
}

/** The model to begin with, or the one that is there or on its way. The small one that finds passages comes along. */
function ChooseModel() {
  const { t } = useTranslation();
  const { models: store, view, library } = useQuoth();
  const { models, loaded, installs } = useStore(store);
  // One thing at a time is the one to do next.
  const hasSamples = useStore(library, ({ documents }) => documents.size > 0);
  const rate = useStore(store, (state) => state.downloadBytesPerSecond);
  const { install } = useModels();
  if (!loaded) return <p className="text-[0.8125rem] text-soft">{t('models.loading')}</p>;
  const installed = (role: ModelSummary['role']): ModelSummary | undefined =>
    models.find((model) => model.role === role && model.state === 'installed');
  const onTheWay = installs.filter(({ role }) => role !== 'reranker');
  const ready = installed('chat');
  if (ready && onTheWay.length === 0)
    return <p className="text-[0.8125rem] text-soft">{t('welcome.model.ready', { name: ready.name })}</p>;
  if (onTheWay.length > 0)
    return (
      <>
        <p className="text-[0.8125rem] text-soft">{t('welcome.model.meanwhile')}</p>
        <ul className="mt-2 grid gap-3">
          {onTheWay.map((one) => (
            <li key={one.modelId}>
              <div className="flex flex-wrap items-center gap-2">
                <span className="min-w-40 flex-1 text-sm font-medium">{one.name}</span>
                <InstallButtons install={one} />
              </div>
              <InstallProgress install={one} />
            </li>
          ))}
        </ul>
      </>
    );
  const chat = recommended(models, 'chat');
  const embedder = installed('embedder') ? undefined : recommended(models, 'embedder');
  if (!chat) return null;
  const bytes = chat.downloadBytes + (embedder?.downloadBytes ?? 0);
  return (
    <>
      <p className="text-[0.8125rem] text-soft">
        {t(embedder ? 'welcome.model.meaningBoth' : 'welcome.model.meaning', {
          name: chat.name,
          finder: embedder?.name,
        })}
      </p>
      <p className="mt-1 text-xs text-faint">
        {[toFetch(bytes, rate), chat.licence].join(' · ')}
        {rate === null && ` · ${t('welcome.model.time')}`}
      </p>
      <div className="mt-3 flex flex-wrap gap-2">
        <Button
          look={hasSamples ? 'primary' : 'plain'}
          onClick={() => {
            if (embedder) install(embedder);
            install(chat);
          }}
        >
          {t('models.installOf', { name: chat.name })}
        </Button>
        <Button look="quiet" onClick={() => view.getState().show('models')}>
          {t('welcome.model.other')}
        </Button>
      </div>
    </>
  );
}

/** The way back to the first steps. */
export function WelcomeAgain() {
  const { t } = useTranslation();
  const { welcome, view, conversations } = useQuoth();
  return (
    <button
      type="button"
      className="text-[0.8125rem] text-faint underline decoration-line-strong underline-offset-2 hover:text-ink"
      onClick={() => {
        welcome.getState().show();
        if (view.getState().view !== 'chat') view.getState().showConversation(conversations.getState().begin());
      }}
    >
      {t('welcome.again')}
    </button>
  );
}
