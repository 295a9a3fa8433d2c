import { Folder, FolderX, Pause, Play, ScrollText, X } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { WatchedFolder } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { useJob } from '../jobs/use-job.ts';

/** The folders whose changes are followed: how each is, and the ways to let it rest or to forget it. */
export function WatchedFolders() {
  const { t } = useTranslation();
  const { watchedFolders, notices } = useQuoth();
  const folders = useStore(watchedFolders, (state) => state.folders);
  const [removing, setRemoving] = useState<WatchedFolder | null>(null);
  const { tellError } = notices.getState();
  const remove = (keepDocuments: boolean): void => {
    if (removing) watchedFolders.getState().remove(removing.id, keepDocuments).catch(tellError);
    setRemoving(null);
  };
  return (
    <>
      {folders.length > 0 && (
        <section className="mt-5" aria-labelledby="watched-folders-title">
          <h2 id="watched-folders-title" className="text-sm font-semibold">
            {t('folders.title')}
          </h2>
          <p className="text-[0.8125rem] text-soft">{t('folders.meaning')}</p>
          <ul className="mt-2 max-h-44 divide-y divide-line overflow-y-auto rounded-2xl border border-line bg-raised shadow-card">
            {folders.map((folder) => (
              <li key={folder.id}>
                <FolderRow folder={folder} onRemove={setRemoving} />
              </li>
            ))}
          </ul>
        </section>
      )}
      <Modal
        open={removing !== null}
        title={t('folders.removeTitle', { name: removing?.name })}
        description={t('folders.removeMeaning')}
        onClose={() => setRemoving(null)}
      >
        <div className="mt-5 flex flex-wrap justify-end gap-2">
          <Button onClick={() => setRemoving(null)}>{t('common.cancel')}</Button>
          <Button onClick={() => remove(true)}>{t('folders.keepDocuments')}</Button>
          <Button look="danger" onClick={() => remove(false)}>
            {t('folders.removeDocuments')}
          </Button>
        </div>
      </Modal>
    </>
  );
}

type FolderRowProps = { folder: WatchedFolder; onRemove: (folder: WatchedFolder) => void };

function FolderRow({ folder, onRemove }: FolderRowProps) {
  const { t } = useTranslation();
  const { watchedFolders, notices } = useQuoth();
  const { start } = useJob();
  const { id, name, state, numDocuments, numWorking } = folder;
  const isWrong = state === 'unreachable' || state === 'too-many';
  const isPaused = state === 'paused';
  const change = (work: Promise<void>): void => void work.catch(notices.getState().tellError);
  const Icon = isWrong ? FolderX : Folder;
  return (
    <div className="flex items-center gap-3 px-4 py-2">
      <Icon className={`size-4 shrink-0 ${isWrong ? 'text-danger' : 'text-soft'}`} aria-hidden="true" />
      <div className="min-w-0 flex-1">
        <p className="truncate text-sm font-medium" dir="auto">
          {name}
        </p>
        <p className={`text-[0.8125rem] ${isWrong ? 'text-danger' : 'text-soft'}`}>
          {t(`folders.state.${state}`)}
          {' · '}
          {t('count.documents', { count: numDocuments })}
          {numWorking > 0 && ` · ${t('folders.working', { count: numWorking })}`}
        </p>
      </div>
      {folder.numReady > 0 && (
        <IconButton
          label={t('jobs.summariseOf', { title: name })}
          onClick={() => start({ type: 'summarise', scope: { type: 'folder', folderId: id } })}
        >
          <ScrollText className="size-4" aria-hidden="true" />
        </IconButton>
      )}
      {isPaused ? (
        <IconButton
          label={t('folders.resumeOf', { name })}
          onClick={() => change(watchedFolders.getState().resume(id))}
        >
          <Play className="size-4" aria-hidden="true" />
        </IconButton>
      ) : (
        <IconButton label={t('folders.pauseOf', { name })} onClick={() => change(watchedFolders.getState().pause(id))}>
          <Pause className="size-4" aria-hidden="true" />
        </IconButton>
      )}
      <IconButton label={t('folders.removeOf', { name })} onClick={() => onRemove(folder)}>
        <X className="size-4" aria-hidden="true" />
      </IconButton>
    </div>
  );
}
