import { createStore } from 'zustand/vanilla';
import type { AddEvent, LibraryEvent, QuothContract, RemoveEvent } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { DocumentId, DocumentSummary, Ticket } from '../../app/contract/types.ts';

export type AddSummary = { numReady: number; numFailed: number; seconds: number };

export type RemoveSummary = Extract<RemoveEvent, { type: 'summary' }>;

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
  /** `anew`: also those whose bytes are the same as when they were read last. */
  retryAll(documentIds: DocumentId[], anew: boolean): Promise<AddSummary | null>;
  /** All that have scanned pages, with the languages that there are now. */
  readScansAgain(): Promise<AddSummary | null>;
  /** Removes documents for good. Null where the connection ended before the last one. */
  remove(documentIds: DocumentId[]): Promise<RemoveSummary | null>;
};

// A large folder brings thousands of changes a second; the eye takes about sixteen. Of ten thousand rows, all are counted and
// put in order each time: so often would leave no time for the person.
const redrawMs = 60;
const manyRedrawMs = 300;
const many = 2000;

/** The library as the core tells it: this side never guesses a state. */
export function createLibrary(client: Client<QuothContract>) {
  return createStore<Library>((set, get) => {
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
          const pauseMs = get().documents.size > many ? manyRedrawMs : redrawMs;
          if (waiting.length === 0) setTimeout(show, event.type === 'reset' ? 0 : pauseMs);
          waiting.push(event);
        }
      },
      addFiles: (tickets, watch) => add(client.addFiles({ tickets, watch })),
      addAddress: (address) => add(client.addAddress({ address })),
      retry: (documentId) => add(client.retryDocument({ documentId })),
      retryAll: (documentIds, anew) => add(client.retryDocuments({ documentIds, anew })),
      readScansAgain: () => add(client.readScansAgain({})),
      remove: async (documentIds) => {
        let summary: RemoveSummary | null = null;
        for await (const event of client.removeDocuments({ documentIds }))
          if (event.type === 'summary') summary = event;
        return summary;
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

export { filterDocuments, groupOf, type StateFilter } from './arrange.ts';
