import { useMemo } from 'react';
import type { CollectionId, DocumentId, DocumentSummary, PlaceKey, Scope } from '../../app/contract/types.ts';
import { type Quoth, useQuoth } from '../common/quoth.tsx';
import { text } from '../common/text/text.ts';

const mostPlaces = 200; // The contract's limit of a scope.

/** What can be done with documents, from a row, from several, from a document's own page. None of it throws. */
export function useDocuments() {
  const quoth = useQuoth();
  return useMemo(() => createActions(quoth), [quoth]);
}

function createActions({ shelf, library, conversations, view, notices }: Quoth) {
  const { tell, tellError } = notices.getState();
  const guard = (work: () => Promise<unknown>): void => void work().catch(tellError);
  const nameOf = (id: CollectionId): string => shelf.getState().collections.find((one) => one.id === id)?.name ?? '';
  const askIn = (places: Scope['places']): void => {
    const key = conversations.getState().begin();
    const scope = { places, kinds: [], changedFromMs: null, changedBeforeMs: null };
    conversations.getState().chooseScope(key, scope);
    view.getState().showConversation(key);
  };
  return {
    open: (id: DocumentId) => view.getState().showDocument(id),
    /** Shows a document's pages or text beside what is in front. */
    read: ({ id, title, source, kind }: DocumentSummary) =>
      view.getState().read({
        documentId: id,
        title,
        source,
        kind,
        place: { page: null, paragraph: null, startSeconds: null, label: null },
        passageId: null,
        quote: null,
        passageText: null,
      }),
    /** A new question in these documents. */
    ask: (documents: readonly Pick<DocumentSummary, 'id' | 'title'>[]) => {
      if (documents.length > mostPlaces) {
        const documentIds = documents.map(({ id }) => id);
        tell(text('shelf.tooManyToAsk', { count: mostPlaces }), {
          label: text('collections.new'),
          run: () => shelf.getState().askName({ type: 'create', documentIds }),
        });
        return;
      }
      askIn(documents.map(({ id, title }) => ({ type: 'document', documentId: id, name: title.slice(0, 500) })));
    },
    askInCollection: (id: CollectionId) => askIn([{ type: 'collection', collectionId: id, name: nameOf(id) }]),
    retry: (ids: DocumentId[], anew = false) => guard(() => library.getState().retryAll(ids, anew)),
    askRemoval: (ids: DocumentId[]) => shelf.getState().askRemoval(ids),
    put: (id: CollectionId, parts: { documentIds?: DocumentId[]; folders?: PlaceKey[] }) =>
      guard(async () => {
        await shelf.getState().put(id, parts);
        const { documentIds = [] } = parts;
        const documents = text('count.documents', { count: documentIds.length });
        const undo = { label: text('common.undo'), run: () => guard(() => shelf.getState().take(id, parts)) };
        tell(
          documentIds.length > 0
            ? text('collections.added', { documents, name: nameOf(id) })
            : text('collections.addedFolder', { name: nameOf(id) }),
          undo,
        );
      }),
    take: (id: CollectionId, parts: { documentIds?: DocumentId[]; folders?: PlaceKey[] }) =>
      guard(async () => {
        const numKept = await shelf.getState().take(id, parts);
        const { documentIds = [] } = parts;
        const undo = { label: text('common.undo'), run: () => guard(() => shelf.getState().put(id, parts)) };
        if (numKept > 0)
          tell(text('collections.kept', { documents: text('count.documents', { count: numKept }), name: nameOf(id) }));
        else if (documentIds.length > 0)
          tell(
            text('collections.takenOut', {
              documents: text('count.documents', { count: documentIds.length }),
              name: nameOf(id),
            }),
            undo,
          );
      }),
    deleteCollection: (id: CollectionId) =>
      guard(async () => {
        const name = nameOf(id);
        await shelf.getState().delete(id);
        const undo = { label: text('common.undo'), run: () => guard(() => shelf.getState().restore(id)) };
        tell(text('collections.deleted', { name }), undo);
      }),
  };
}
