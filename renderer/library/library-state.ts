import { createStore } from 'zustand/vanilla';
import type { AddEvent, LibraryEvent, QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { DocumentId, DocumentState, DocumentSummary, Ticket } from '../../app/contract/types.ts';

export type AddSummary = { numReady: number; numFailed: number; seconds: number };

export type Library = {
  /** False until the core has sent its first whole state. */
  loaded: boolean;
  documents: Map<DocumentId, DocumentSummary>;
  /** Adding jobs that run: how many. */
  numAdding: number;
  /** Follows the library until the signal aborts. Throws when the connection ends. */
  watch(signal: AbortSignal): Promise<void>;
  /** `watch`: folders among them are followed from now on. */
  addFiles(tickets: Ticket[], watch: boolean): Promise<AddSummary | null>;
  addAddress(address: string): Promise<AddSummary | null>;
  retry(documentId: DocumentId): Promise<AddSummary | null>;
  remove(documentId: DocumentId): Promise<void>;
};

const redrawMs = 60; // A large folder brings thousands of changes a second; the eye takes about sixteen.

/** The library as the core tells it: this side never guesses a state. */
export function createLibrary(client: Client<QuothContract>) {
  return createStore<Library>((set) => {
    const add = async (events: AsyncIterable<AddEvent>): Promise<AddSummary | null> => {
      set(({ numAdding }) => ({ numAdding: numAdding + 1 }));
      try {
        let summary: AddSummary | null = null;
        for await (const event of events) if (event.type === 'summary') summary = event;
        return summary;
      } finally {
        set(({ numAdding }) => ({ numAdding: numAdding - 1 }));
      }
    };
    return {
      loaded: false,
      documents: new Map(),
      numAdding: 0,
      watch: async (signal) => {
        let waiting: LibraryEvent[] = [];
        const show = (): void => {
          const events = waiting;
          waiting = [];
          set(({ documents }) => ({ documents: apply(documents, events), loaded: true }));
        };
        for await (const event of client.watchLibrary({}, signal)) {
          if (waiting.length === 0) setTimeout(show, event.type === 'reset' ? 0 : redrawMs);
          waiting.push(event);
        }
      },
      addFiles: (tickets, watch) => add(client.addFiles({ tickets, watch })),
      addAddress: (address) => add(client.addAddress({ address })),
      retry: (documentId) => add(client.retryDocument({ documentId })),
      remove: async (documentId) => {
        await client.removeDocument({ documentId });
      },
    };
  });
}

/** The documents after some events, as a new map. */
function apply(before: Map<DocumentId, DocumentSummary>, events: LibraryEvent[]): Map<DocumentId, DocumentSummary> {
  const documents = new Map(before);
  for (const event of events) {
    if (event.type === 'changed') documents.set(event.document.id, event.document);
    else if (event.type === 'removed') documents.delete(event.documentId);
    else {
      documents.clear();
      for (const document of event.documents) documents.set(document.id, document);
    }
  }
  return documents;
}

export type StateFilter = 'all' | 'ready' | 'working' | 'problem';

export function groupOf(state: DocumentState): Exclude<StateFilter, 'all'> {
  if (state === 'ready') return 'ready';
  return state === 'queued' || state === 'reading' || state === 'embedding' ? 'working' : 'problem';
}

/** The documents that the filter lets through, newest first. */
export function filterDocuments(
  documents: Iterable<DocumentSummary>,
  words: string,
  filter: StateFilter,
): DocumentSummary[] {
  const wanted = words.normalize('NFKC').toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return [...documents]
    .filter((document) => filter === 'all' || groupOf(document.state) === filter)
    .filter((document) => {
      const name = `${document.title} ${document.source}`.normalize('NFKC').toLocaleLowerCase();
      return wanted.every((word) => name.includes(word));
    })
    .sort((a, b) => b.addedAtMs - a.addedAtMs || a.title.localeCompare(b.title));
}
