/** Documents that are dragged from the rows onto a collection. */
import type { DocumentId } from '../../app/contract/types.ts';

const type = 'application/x-quoth-documents';

export function carriesDocuments(transfer: DataTransfer): boolean {
  return [...transfer.types].includes(type);
}

export function setDragged(transfer: DataTransfer, ids: readonly DocumentId[]): void {
  transfer.setData(type, ids.join(' '));
  transfer.effectAllowed = 'copy';
}

export function draggedDocuments(transfer: DataTransfer): DocumentId[] {
  return transfer.getData(type).split(' ').filter(Boolean) as DocumentId[];
}
