import { Check, ChevronRight, FolderPlus, Plus } from 'lucide-react';
import { DropdownMenu } from 'radix-ui';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { DocumentId, PlaceKey } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';
import { useDocuments } from './use-documents.ts';

const item =
  'flex cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-1.5 outline-none data-[highlighted]:bg-hover';

/** The collections as choices of a menu: a tick for those that hold all of what is meant, and a way to a new one. */
export function CollectionItems({ documentIds = [], folder }: { documentIds?: DocumentId[]; folder?: PlaceKey }) {
  const { t } = useTranslation();
  const { shelf, library } = useQuoth();
  const collections = useStore(shelf, (state) => state.collections);
  const documents = useStore(library, (state) => state.documents);
  const { put, take } = useDocuments();
  const parts = folder ? { folders: [folder] } : { documentIds };
  return (
    <>
      {collections.map(({ id, name, folders }) => {
        const holds = folder
          ? folders.some((one) => one.folder === folder)
          : documentIds.length > 0 && documentIds.every((one) => documents.get(one)?.collections.includes(id));
        return (
          <DropdownMenu.CheckboxItem
            key={id}
            checked={holds}
            className={item}
            onCheckedChange={() => (holds ? take(id, parts) : put(id, parts))}
          >
            <span className="inline-flex size-3.5 shrink-0" aria-hidden="true">
              {holds && <Check className="size-3.5 text-accent" />}
            </span>
            <span className="max-w-56 truncate" dir="auto">
              {name}
            </span>
          </DropdownMenu.CheckboxItem>
        );
      })}
      <DropdownMenu.Item className={item} onSelect={() => shelf.getState().askName({ type: 'create', ...parts })}>
        <Plus className="size-3.5 shrink-0" aria-hidden="true" />
        {t('collections.new')}…
      </DropdownMenu.Item>
    </>
  );
}

/** The same as a menu within a menu. */
export function CollectionSubmenu(props: { documentIds?: DocumentId[]; folder?: PlaceKey }) {
  const { t } = useTranslation();
  return (
    <DropdownMenu.Sub>
      <DropdownMenu.SubTrigger className={`${item} data-[state=open]:bg-hover`}>
        <FolderPlus className="size-3.5 shrink-0" aria-hidden="true" />
        {t('collections.title')}
        <ChevronRight className="ml-auto size-3.5 shrink-0 text-faint" aria-hidden="true" />
      </DropdownMenu.SubTrigger>
      <DropdownMenu.Portal>
        <DropdownMenu.SubContent
          sideOffset={4}
          collisionPadding={8}
          className="z-40 max-h-80 min-w-36 overflow-y-auto rounded-xl border border-line bg-raised p-1 text-sm shadow-float"
        >
          <CollectionItems {...props} />
        </DropdownMenu.SubContent>
      </DropdownMenu.Portal>
    </DropdownMenu.Sub>
  );
}
