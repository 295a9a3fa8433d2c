import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { DocumentId } from '../../app/contract/types.ts';
import { formatCount } from '../common/format.ts';
import { carriesDocuments, draggedDocuments } from './drag.ts';

type RailItemProps = {
  icon: ReactNode;
  name: string;
  count?: number;
  isCurrent: boolean;
  onChoose: () => void;
  /** What stands at its end. */
  children?: ReactNode;
  /** What becomes of documents that are dropped on it. */
  onDropped?: (ids: DocumentId[]) => void;
};

/** One thing that the library can be narrowed to. */
export function RailItem({ icon, name, count, isCurrent, onChoose, children, onDropped }: RailItemProps) {
  const { t } = useTranslation();
  const [over, setOver] = useState(false);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a drop has its menu for those who use the keyboard
    <div
      className={`group flex items-center rounded-lg pr-0.5 ${over ? 'bg-accent-wash outline-2 outline-accent' : isCurrent ? 'bg-hover' : 'hover:bg-hover/60'}`}
      onDragOver={(event) => {
        if (!onDropped || !carriesDocuments(event.dataTransfer)) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = 'copy';
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        setOver(false);
        if (!onDropped || !carriesDocuments(event.dataTransfer)) return;
        event.preventDefault();
        onDropped(draggedDocuments(event.dataTransfer));
      }}
    >
      <button
        type="button"
        aria-current={isCurrent ? 'true' : undefined}
        className={`flex h-8 min-w-0 flex-1 items-center gap-2 rounded-lg px-2 text-left text-[0.8125rem] ${isCurrent ? 'font-medium' : 'text-soft hover:text-ink'}`}
        onClick={onChoose}
      >
        <span className="shrink-0 text-faint" aria-hidden="true">
          {icon}
        </span>
        <span className="min-w-0 flex-1 truncate" dir="auto" title={name}>
          {name}
          {count !== undefined && <span className="sr-only">, {t('count.documents', { count })}</span>}
        </span>
        {count !== undefined && (
          <span className="shrink-0 text-xs text-faint tabular-nums" aria-hidden="true">
            {formatCount(count)}
          </span>
        )}
      </button>
      {children}
    </div>
  );
}
