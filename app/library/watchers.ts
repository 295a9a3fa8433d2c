/** Tells every open window what changes in the library, and never more than it can take. */
import { type Channel, createChannel } from '../channel.ts';
import type { LibraryEvent } from '../contract/contract.ts';
import type { DocumentId, DocumentSummary } from '../contract/types.ts';

/** Progress alone is told so often per document; a change of state is told at once. */
const progressEveryMs = 100;

export type Watchers = {
  changed(document: DocumentSummary): void;
  removed(documentId: DocumentId): void;
  /** `reset` first, then changes, until the signal aborts or the loop is left. */
  watch(list: () => DocumentSummary[], signal: AbortSignal): AsyncIterable<LibraryEvent>;
};

export function createWatchers(nowMs: () => number): Watchers {
  const channels = new Set<Channel<LibraryEvent>>();
  const last = new Map<DocumentId, { state: DocumentSummary['state']; atMs: number }>();

  function tell(event: LibraryEvent): void {
    for (const channel of channels) channel.push(event);
  }

  return {
    changed(document) {
      const before = last.get(document.id);
      const atMs = nowMs();
      if (before?.state === document.state && isWorking(document) && atMs - before.atMs < progressEveryMs) return;
      if (isWorking(document)) last.set(document.id, { state: document.state, atMs });
      else last.delete(document.id);
      tell({ type: 'changed', document });
    },
    removed(documentId) {
      last.delete(documentId);
      tell({ type: 'removed', documentId });
    },
    async *watch(list, signal) {
      const channel = createChannel<LibraryEvent>({
        keyOf: (event) => (event.type === 'changed' ? event.document.id : null),
      });
      const end = (): void => channel.end();
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      channels.add(channel);
      try {
        yield { type: 'reset', documents: list() };
        yield* channel.items;
      } finally {
        channels.delete(channel);
        signal.removeEventListener('abort', end);
      }
    },
  };
}

function isWorking({ state }: DocumentSummary): boolean {
  return state === 'reading' || state === 'embedding';
}
