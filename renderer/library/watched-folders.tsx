import { Ellipsis, Folder, FolderX, Pause, Play, ScrollText, X } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { WatchedFolder } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { Menu, MenuItem } from '../common/menu.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { useJob } from '../jobs/use-job.ts';
import { CollectionSubmenu } from './collection-items.tsx';
import { RailItem } from './rail-item.tsx';

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
        <section aria-labelledby="watched-folders-title">
          <h2 id="watched-folders-title" className="px-2 text-xs font-semibold text-soft" title={t('folders.meaning')}>
            {t('folders.title')}
          </h2>
          <ul className="mt-1 grid grid-cols-[minmax(0,1fr)] gap-px">
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
  const { watchedFolders, shelf, notices } = useQuoth();
  const isCurrent = useStore(shelf, (state) => state.filters.folder === folder.place);
  const { start } = useJob();
  const { id, name, place, state, numDocuments, numReady, numWorking } = folder;
  const isWrong = state === 'unreachable' || state === 'too-many';
  const isPaused = state === 'paused';
  const change = (work: Promise<void>): void => void work.catch(notices.getState().tellError);
  const Icon = isWrong ? FolderX : Folder;
  return (
    <>
      <RailItem
        icon={<Icon className={`size-4 ${isWrong ? 'text-danger' : ''}`} />}
        name={name}
        count={numDocuments}
        isCurrent={isCurrent}
        onChoose={() => shelf.getState().filter({ folder: isCurrent ? null : place })}
      >
        <Menu
          trigger={
            <IconButton
              small
              label={t('folders.menuOf', { name })}
              className="opacity-55 group-hover:opacity-100 focus-visible:opacity-100 aria-expanded:opacity-100"
            >
              <Ellipsis className="size-4" />
            </IconButton>
          }
        >
          {numReady > 0 && (
            <MenuItem
              icon={<ScrollText className="size-3.5" />}
              onSelect={() => start({ type: 'summarise', scope: { type: 'folder', folderId: id } })}
            >
              {t('jobs.summarise')}
            </MenuItem>
          )}
          <CollectionSubmenu folder={place} />
          {isPaused ? (
            <MenuItem
              icon={<Play className="size-3.5" />}
              onSelect={() => change(watchedFolders.getState().resume(id))}
            >
              {t('folders.resume')}
            </MenuItem>
          ) : (
            <MenuItem
              icon={<Pause className="size-3.5" />}
              onSelect={() => change(watchedFolders.getState().pause(id))}
            >
              {t('folders.pause')}
            </MenuItem>
          )}
          <MenuItem danger icon={<X className="size-3.5" />} onSelect={() => onRemove(folder)}>
            {t('folders.remove')}
          </MenuItem>
        </Menu>
      </RailItem>
      {(state !== 'watching' || numWorking > 0) && (
        <p className={`pr-2 pb-1 pl-8 text-xs ${isWrong ? 'text-danger' : 'text-soft'}`}>
          {state !== 'watching' && t(`folders.state.${state}`)}
          {state !== 'watching' && numWorking > 0 && ' · '}
          {numWorking > 0 && t('folders.working', { count: numWorking })}
        </p>
      )}
    </>
  );
}
