import { createStore } from 'zustand/vanilla';
import type { Box, DocumentId, DocumentKind, PassageId, Place, TurnId } from '../../app/contract/types.ts';
import type { Chosen } from '../jobs/scope-picker.tsx';
import type { JobType } from '../jobs/slash.ts';

export type ViewName = 'chat' | 'library' | 'document' | 'models' | 'settings';

/** What the reader shows: a document, and in it a quote, a passage, or nothing in particular. */
export type Reading = {
  documentId: DocumentId;
  title: string;
  source: string;
  kind: DocumentKind;
  place: Place;
  passageId: PassageId | null;
  quote: string | null;
  /** The stored text around the quote, where the window has it: it tells apart two places with the same words. */
  passageText: string | null;
  /** What is to be marked on the page, in its points, where that is known: a table's row has other words than its page. */
  boxes?: Box[] | undefined;
  /** The cell of a table that the question is about, as "column: value". */
  cell?: string | undefined;
};

/** What the dialog for whole documents starts with. `words`: what is sought, or the name of a document. */
export type JobDraft = { type: JobType; chosen: Chosen | null; words: string };

export type View = {
  view: ViewName;
  /** The conversation in front: see `chat/conversations.ts` for its key. */
  conversationKey: string;
  /** The turn that is to be scrolled to, once it is there. */
  wantedTurn: TurnId | null;
  reading: Reading | null;
  /** Whose own page it is, and what was in front before it. */
  documentShown: { documentId: DocumentId; cameFrom: ViewName } | null;
  /** The part of the settings that is in front; null for the first. */
  settingsPart: string | null;
  /** The address that waits for a yes before it is opened. */
  leavingTo: string | null;
  /** The text of the dialog that asks for an address; null while it is closed. */
  addressAsked: string | null;
  /** What the dialog for whole documents starts with; null while it is closed. */
  jobAsked: JobDraft | null;
  show(view: ViewName): void;
  /** One part of the settings, by its id. */
  showSettings(part: string): void;
  showConversation(key: string, wantedTurn?: TurnId): void;
  /** The wanted turn has been reached. */
  reached(): void;
  read(reading: Reading | null): void;
  /** Opens a document's own page. */
  showDocument(documentId: DocumentId): void;
  leaveTo(address: string | null): void;
  askForAddress(text: string | null): void;
  askForJob(draft: JobDraft | null): void;
};

/** What is in front of the person: the one place that knows it. */
export function createView(conversationKey: string) {
  return createStore<View>((set) => ({
    view: 'chat',
    conversationKey,
    wantedTurn: null,
    reading: null,
    documentShown: null,
    leavingTo: null,
    addressAsked: null,
    jobAsked: null,
    settingsPart: null,
    show: (view) => set({ view }),
    showSettings: (settingsPart) => set({ view: 'settings', settingsPart }),
    showConversation: (key, wantedTurn) => set({ view: 'chat', conversationKey: key, wantedTurn: wantedTurn ?? null }),
    reached: () => set({ wantedTurn: null }),
    read: (reading) => set({ reading }),
    showDocument: (documentId) =>
      set(({ view, documentShown }) => ({
        view: 'document',
        documentShown: { documentId, cameFrom: view === 'document' ? (documentShown?.cameFrom ?? 'library') : view },
      })),
    leaveTo: (address) => set({ leavingTo: address }),
    askForAddress: (text) => set({ addressAsked: text }),
    askForJob: (draft) => set({ jobAsked: draft }),
  }));
}
