import { Download, Trash2 } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { Install, ModelSummary } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { Choice } from '../common/field.tsx';
import { formatBytes } from '../common/format.ts';
import { languageName } from '../common/language-name.ts';
import { useQuoth } from '../common/quoth.tsx';
import { Toggle } from '../common/switch.tsx';
import { currentLanguage } from '../common/text/text.ts';
import { InstallProgress } from '../models/install-progress.tsx';
import { InstallButtons } from '../models/model-card.tsx';
import { useModels } from '../models/use-models.ts';
import { Row, Rows, Section } from './rows.tsx';

/** The languages that scanned pages are read in: those that are here, the likely ones, and all others. */
export function ScansSection() {
  const { t } = useTranslation();
  const { models: store, notices } = useQuoth();
  const models = useStore(store, (state) => state.models);
  const installs = useStore(store, (state) => state.installs);
  const { tellError } = notices.getState();
  useEffect(() => {
    store.getState().load().catch(tellError);
  }, [store, tellError]);
  const scans = models.filter(({ role }) => role === 'scan');
  const installOf = ({ id }: ModelSummary): Install | undefined => installs.find(({ modelId }) => modelId === id);
  const shown = scans.filter((model) => model.state !== 'available' || installOf(model) || isLikely(model));
  const others = scans.filter((model) => !shown.includes(model));
  return (
    <Section title={t('scans.title')} meaning={t('scans.meaning')}>
      <Rows>
        <Row label={languageName('en')} meaning={t('scans.withQuoth')} />
        {shown.map((model) => (
          <LanguageRow key={model.id} model={model} install={installOf(model)} />
        ))}
        {others.length > 0 && <OtherRow models={others} />}
        <AgainRow />
      </Rows>
    </Section>
  );
}

const nameOf = ({ languages, name }: ModelSummary): string => (languages?.[0] ? languageName(languages[0]) : name);

/** Of the window's language, or one that the person's system or browser asks for. */
function isLikely({ languages = [] }: ModelSummary): boolean {
  const wanted = [currentLanguage(), ...navigator.languages].map((one) => new Intl.Locale(one).maximize());
  return languages.some((language) => {
    const { language: own, script } = new Intl.Locale(language).maximize();
    return wanted.some((one) => one.language === own && one.script === script);
  });
}

function LanguageRow({ model, install }: { model: ModelSummary; install: Install | undefined }) {
  const { t } = useTranslation();
  const { install: begin, use, unuse, remove } = useModels();
  const name = nameOf(model);
  const isHere = model.state === 'installed';
  const meaning: ReactNode =
    model.state === 'broken' ? (
      <span className="text-danger">{model.note}</span>
    ) : (
      t(isHere ? 'scans.onDisk' : 'scans.toFetch', {
        size: formatBytes(isHere ? model.planBytes : model.downloadBytes),
      })
    );
  const removeButton = (
    <IconButton label={t('models.removeOf', { name })} onClick={() => remove(model)}>
      <Trash2 className="size-4" />
    </IconButton>
  );
  return (
    <Row label={name} meaning={meaning} below={install && <InstallProgress install={{ ...install, name }} />}>
      <div className="flex items-center gap-2">
        {install ? (
          <InstallButtons install={{ ...install, name }} />
        ) : isHere ? (
          <>
            {removeButton}
            <Toggle
              label={t('scans.use', { language: name })}
              on={model.inUse}
              onChange={(on) => (on ? use(model) : unuse(model))}
            />
          </>
        ) : (
          <>
            {model.state === 'broken' && removeButton}
            <Button onClick={() => begin(model)} aria-label={t('models.installOf', { name })}>
              <Download className="size-3.5" aria-hidden="true" />
              {t(model.state === 'broken' ? 'models.repair' : 'models.install')}
            </Button>
          </>
        )}
      </div>
    </Row>
  );
}

/** One of those that nobody asked for yet, by its name. */
function OtherRow({ models }: { models: ModelSummary[] }) {
  const { t } = useTranslation();
  const { install } = useModels();
  const [chosen, setChosen] = useState<string | null>(null);
  const sorted = [...models].sort((a, b) => nameOf(a).localeCompare(nameOf(b), currentLanguage()));
  const model = sorted.find(({ id }) => id === chosen) ?? sorted[0];
  if (!model) return null;
  const meaning = (
    <>
      <p>{t('scans.toFetch', { size: formatBytes(model.downloadBytes) })}</p>
      <p>{t('scans.otherMeaning')}</p>
    </>
  );
  return (
    <Row label={t('scans.other')} meaning={meaning}>
      <div className="flex flex-wrap items-center gap-2">
        <Choice
          label={t('scans.choose')}
          value={model.id}
          options={sorted.map((one) => ({ value: one.id, name: nameOf(one) }))}
          onChange={setChosen}
        />
        <Button onClick={() => install(model)} aria-label={t('models.installOf', { name: nameOf(model) })}>
          <Download className="size-3.5" aria-hidden="true" />
          {t('models.install')}
        </Button>
      </div>
    </Row>
  );
}

/** What was read with fewer languages than there are now. */
function AgainRow() {
  const { t } = useTranslation();
  const { client, models, library, notices } = useQuoth();
  const { tell, tellError } = notices.getState();
  // After a language has come or gone, and after documents were read.
  const known = useStore(models, (state) => state.models.filter(({ role, inUse }) => role === 'scan' && inUse).length);
  const numDocuments = useStore(library, (state) => state.documents.size);
  const [count, setCount] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again whenever these change
  useEffect(() => {
    let left = false;
    client.describeScans({}).then((found) => !left && setCount(found.numDocuments), tellError);
    return () => {
      left = true;
    };
  }, [client, known, numDocuments, tellError]);
  if (count === 0) return null;
  return (
    <Row label={t('scans.again')} meaning={t('scans.againMeaning', { count })}>
      <Button
        onClick={() => {
          tell(t('scans.reading'));
          library.getState().readScansAgain().catch(tellError);
        }}
      >
        {t('scans.againNow')}
      </Button>
    </Row>
  );
}
