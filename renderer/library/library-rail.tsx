import {
  Ellipsis,
  FolderMinus,
  Layers,
  LibraryBig,
  MessageSquareQuote,
  Pencil,
  Plus,
  ScrollText,
  Trash2,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { Collection } from '../../app/contract/types.ts';
import { IconButton } from '../common/button.tsx';
import { Menu, MenuItem } from '../common/menu.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { useJob } from '../jobs/use-job.ts';
import { RailItem } from './rail-item.tsx';
import { useDocuments } from './use-documents.ts';
import { WatchedFolders } from './watched-folders.tsx';

/** What the library can be narrowed to: all, a collection, a watched folder. Documents are dragged onto a collection. */
export function LibraryRail() {
  const { t } = useTranslation();
  const { shelf, library } = useQuoth();
  const collections = useStore(shelf, (state) => state.collections);
  const { collection, folder } = useStore(shelf, (state) => state.filters);
  const numDocuments = useStore(library, (state) => state.documents.size);
  const { filter, askName } = shelf.getState();
  return (
    <nav aria-label={t('shelf.rail')} className="grid grid-cols-[minmax(0,1fr)] content-start gap-5">
      <RailItem
        icon={<LibraryBig className="size-4" />}
        name={t('shelf.all')}
        count={numDocuments}
        isCurrent={collection === null && folder === null}
        onChoose={() => filter({ collection: null, folder: null })}
      />
      <section aria-labelledby="collections-title">
        <div className="flex items-center justify-between">
          <h2 id="collections-title" className="px-2 text-xs font-semibold text-soft">
            {t('collections.title')}
          </h2>
          <IconButton small label={t('collections.new')} onClick={() => askName({ type: 'create' })}>
            <Plus className="size-3.5" />
          </IconButton>
        </div>
        {collections.length === 0 ? (
          <p className="px-2 text-xs text-soft">{t('collections.meaning')}</p>
        ) : (
          <ul className="mt-1 grid grid-cols-[minmax(0,1fr)] gap-px">
            {collections.map((one) => (
              <li key={one.id}>
                <CollectionRow collection={one} isCurrent={collection === one.id} />
              </li>
            ))}
          </ul>
        )}
      </section>
      <WatchedFolders />
    </nav>
  );
}

function CollectionRow({ collection, isCurrent }: { collection: Collection; isCurrent: boolean }) {
  const { t } = useTranslation();
  const { shelf } = useQuoth();
  const { start } = useJob();
  const { put, take, askInCollection, deleteCollection } = useDocuments();
  const { id, name, folders, numDocuments, numReady } = collection;
  const { filter, askName } = shelf.getState();
  return (
    <RailItem
      icon={<Layers className="size-4" />}
      name={name}
      count={numDocuments}
      isCurrent={isCurrent}
      onChoose={() => filter({ collection: isCurrent ? null : id })}
      onDropped={(documentIds) => put(id, { documentIds })}
    >
      <Menu
        trigger={
          <IconButton
            small
            label={t('collections.menuOf', { name })}
            className="opacity-55 group-hover:opacity-100 focus-visible:opacity-100 aria-expanded:opacity-100"
          >
            <Ellipsis className="size-4" />
          </IconButton>
        }
      >
        {numReady > 0 && (
          <>
            <MenuItem icon={<MessageSquareQuote className="size-3.5" />} onSelect={() => askInCollection(id)}>
              {t('collections.ask')}
            </MenuItem>
            <MenuItem
              icon={<ScrollText className="size-3.5" />}
              onSelect={() => start({ type: 'summarise', scope: { type: 'collection', collectionId: id } })}
            >
              {t('collections.summarise')}
            </MenuItem>
          </>
        )}
        <MenuItem icon={<Pencil className="size-3.5" />} onSelect={() => askName({ type: 'rename', collection })}>
          {t('collections.rename')}
        </MenuItem>
        {folders.map((one) => (
          <MenuItem
            key={one.folder}
            icon={<FolderMinus className="size-3.5" />}
            onSelect={() => take(id, { folders: [one.folder] })}
          >
            <span className="max-w-60 truncate">{t('collections.takeFolder', { folder: one.name })}</span>
          </MenuItem>
        ))}
        <MenuItem danger icon={<Trash2 className="size-3.5" />} onSelect={() => deleteCollection(id)}>
          {t('collections.delete')}
        </MenuItem>
      </Menu>
    </RailItem>
  );
}
