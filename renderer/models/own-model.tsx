import { FileBox, FolderInput } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { Button } from '../common/button.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { InstallProgress } from './install-progress.tsx';
import { InstallButtons } from './model-card.tsx';
import { useModels } from './use-models.ts';

/** The way in for a model that the person has as files, and those that are being made of some. */
export function OwnModel() {
  const { t } = useTranslation();
  const { models } = useQuoth();
  const { chooseFile, chooseFolder } = useModels();
  const installs = useStore(models, (state) => state.installs);
  const imports = installs.filter(({ from }) => from === 'own-files');
  return (
    <section className="mt-8" aria-labelledby="own-model-title">
      <h2 id="own-model-title" className="font-semibold">
        {t('models.import.title')}
      </h2>
      <p className="mb-3 text-[0.8125rem] text-soft">{t('models.import.meaning')}</p>
      <div className="flex flex-wrap gap-2">
        <Button onClick={chooseFolder}>
          <FolderInput className="size-4" aria-hidden="true" />
          {t('models.import.folder')}
        </Button>
        <Button onClick={chooseFile}>
          <FileBox className="size-4" aria-hidden="true" />
          {t('models.import.file')}
        </Button>
      </div>
      {imports.length > 0 && (
        <ul className="mt-3 grid gap-3">
          {imports.map((install) => (
            <li key={install.modelId} className="rounded-2xl border border-line bg-raised p-4 shadow-card">
              <div className="flex flex-wrap items-center gap-2">
                <h3 className="min-w-40 flex-1 font-semibold">{install.name}</h3>
                <InstallButtons install={install} />
              </div>
              <InstallProgress install={install} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
