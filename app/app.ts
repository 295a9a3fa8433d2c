/**
 * The application without a shell: everything a window can ask for, over the things of the world outside that it is given.
 *
 * Opening reads the database and nothing else; engines and the index are opened behind it, when they are first needed.
 */
import { ask, numPassages } from './chats/ask.ts';
import { createChats } from './chats/chats.ts';
import { searchText } from './chats/search-text.ts';
import { toPassage } from './chats/to-passage.ts';
import type { AskEvent, QuothContract } from './contract/contract.ts';
import { QuothError } from './contract/errors.ts';
import type { Handlers } from './contract/procedure.ts';
import type { ModelSummary, Scope } from './contract/types.ts';
import { createCourtesy } from './jobs/courtesy.ts';
import { createJobs } from './jobs/jobs.ts';
import { openModelHand } from './jobs/model-hand.ts';
import { type Collections, createCollections } from './library/collections.ts';
import { createFind, toExplanation } from './library/find.ts';
import type { FolderOptions } from './library/folders.ts';
import { createLibrary, type Library } from './library/library.ts';
import { createMeaning } from './library/meaning.ts';
import { listFolders, toScope, type WantedScope } from './library/places.ts';
import { createTidy } from './library/tidy.ts';
import { type AppKit, createKit } from './models/kit.ts';
import { createModels } from './models/models.ts';
import type { Outside } from './outside.ts';
import { createSettings } from './settings/settings.ts';
import { createChatSearch } from './store/chat-search.ts';
import { createChatTable } from './store/chat-table.ts';
import { createCiting } from './store/citing.ts';
import { createCollectionTable } from './store/collection-table.ts';
import { openDatabase } from './store/database.ts';
import { createDocumentTable } from './store/document-table.ts';
import { createFolderTable } from './store/folder-table.ts';
import { createJobTable } from './store/job-table.ts';
import { createPassageTable } from './store/passage-table.ts';
import { createScopeTable, placeKeyOf } from './store/scope-table.ts';
import { createSettingsTable } from './store/settings-table.ts';

export type App = {
  handlers: Handlers<QuothContract>;
  /** For the shells and the command line, which have paths. */
  library: Pick<Library, 'addPaths' | 'list' | 'under' | 'listFolders' | 'pathOf' | 'idle'>;
  /** The collections with what they hold: for the command line. */
  listCollections: Collections['list'];
  /** What lies at the paths, and is of the kinds and times, as a scope: for the command line. */
  scopeOf(wanted: WantedScope): Scope;
  /** All models with the paths of their plans. */
  listModels(): Promise<ModelSummary[]>;
  /** What the person must be told about the opening of the profile, or null. */
  notice: string | null;
  /** Resolves when nothing waits, nothing runs, every passage that can have a vector has one and all is tidied up. */
  idle(): Promise<void>;
  /** Ends all work, writes the index, gives the profile free. What was on its way goes on at the next start. */
  close(): Promise<void>;
};

export type AppOptions = {
  /** The path behind a shell's ticket. Without it, no ticket stands for anything. */
  redeemTicket?: (ticket: string) => string | undefined;
  /** Other models than the catalogue's, for tests. */
  kit?: AppKit;
  /** Do not take up unfinished documents: for a command that only looks. */
  resume?: boolean;
  /** Other times and limits of watched folders, for tests. */
  folders?: FolderOptions;
};

/** Opens a profile. Fails with `busy` when another Quoth has it open, and as `openDatabase` says. */
export async function createApp(outside: Outside, options: AppOptions = {}): Promise<App> {
  const { nowMs, log } = outside;
  const database = openDatabase({ profileFolder: outside.profileFolder, nowMs, log });
  const documents = createDocumentTable(database, outside);
  const passages = createPassageTable(database);
  const scopes = createScopeTable(database);
  const chatTable = createChatTable(database, outside);
  const settingsTable = createSettingsTable(database);
  const collectionTable = createCollectionTable(database, outside);
  chatTable.purge();
  collectionTable.purge();

  const closing = new AbortController();
  const models = createModels(outside, settingsTable, options.kit ?? createKit(outside), {
    onEmbedderChange: () => void meaning.change().then(() => meaning.fill(closing.signal)),
  });
  const meaning = createMeaning({ outside, store: passages, models });
  const chats = createChats({
    table: chatTable,
    search: createChatSearch(database),
    readPassages: passages.passages,
  });
  const courtesy = createCourtesy();
  const tidy = createTidy({
    work: database.scrubber.work,
    afterwards: () => meaning.settle(),
    isBusy: () => courtesy.isAsked() || library.isBusy(),
    signal: closing.signal,
    log,
  });
  const folders = createFolderTable(database, outside);
  const library = createLibrary({
    outside,
    documents,
    folders,
    folderOptions: options.folders,
    passages,
    meaning,
    captionLanguages: () => settingsTable.read().captionLanguages,
    citing: createCiting(database),
    collectionsOf: (document) => collectionTable.collectionsOf(document).all,
    onRemoved: chats.forgetDocument,
    onFolderForgotten: collectionTable.forgetFolder,
    onChange: () => collections.noteChange(),
    onQuiet: tidy.wake,
  });
  const folderPaths = (): string[] => [
    ...folders.list().map(({ path }) => path),
    ...collectionTable.list().flatMap((collection) => collection.folders),
  ];
  const collections = createCollections({
    table: collectionTable,
    documents,
    pathOf: (key) => folderPaths().find((path) => placeKeyOf(path) === key) ?? scopes.pathOf(key),
    onChanged: library.tell,
  });
  const settings = createSettings(outside, settingsTable, models);

  const find = createFind({
    store: passages,
    rangesOf: scopes.rangesOf,
    meaning,
    models,
    dropGone: library.dropGone,
    nowMs,
    log,
  });

  const askParts = {
    search: find,
    foundFor: chats.foundFor,
    chatModel: models.chat,
    noteFailure: models.noteFailure,
    chats: chatTable,
    readPassages: passages.passages,
    counts: (scope?: Scope) => {
      if (scope) return scopes.countsOf(scope);
      const { numReady, numPassages } = documents.counts();
      return { numDocuments: numReady, numPassages };
    },
    settings: settingsTable.read,
    memory: { lastShown: [] },
    nowMs,
    log,
  };

  const jobs = createJobs({
    table: createJobTable(database),
    chats: chatTable,
    scope: {
      documents,
      folders,
      collections: collectionTable,
      folderNames: library.listFolders,
      dropGone: library.dropGone,
    },
    passagesOf: passages.passagesOf,
    readPassages: passages.passages,
    openModel: () => openModelHand({ chatModel: models.chat, noteFailure: models.noteFailure, courtesy, nowMs, log }),
    near: meaning.get,
    courtesy,
    nowMs,
    log,
  });

  if (options.resume !== false) {
    library.resume();
    jobs.resume();
    void meaning.fill(closing.signal);
    tidy.wake();
  }
  async function* askBusily(request: Parameters<typeof ask>[0], signal: AbortSignal): AsyncGenerator<AskEvent> {
    const answered = courtesy.begin();
    try {
      yield* ask(request, askParts, signal);
    } finally {
      answered();
    }
  }
  let closed: Promise<void> | undefined;

  return {
    handlers: {
      ...library.handlers,
      ...collections.handlers,
      addFiles: ({ tickets, watch }, signal) => {
        const paths = tickets.flatMap((ticket) => options.redeemTicket?.(ticket) ?? []);
        if (paths.length === 0)
          throw new QuothError('not-found', 'What was dropped is too long ago to be found. Please drop it again.');
        return library.addPaths(paths, signal, { watch });
      },
      ...chats.handlers,
      deleteChat: async (input, signal) => {
        await chats.handlers.deleteChat(input, signal);
        jobs.stopDeleted();
        return {};
      },
      ...jobs.handlers,
      ...models.handlers,
      ...settings,
      listPlaces: async () => ({ folders: listFolders(scopes, folderPaths(), library.isOwn) }),
      search: async ({ question, limit, explain = false, scope }, signal) => {
        const found = await find(question, limit, { explain, signal, scope });
        const embedder = explain ? ((await models.inUse()).embedder?.name ?? null) : null;
        const explanation = explain ? toExplanation(question, embedder, found) : null;
        return { passages: found.passages.map(toPassage), timings: found.timings, explanation };
      },
      explainTurn: async ({ turnId }, signal) => {
        const path = chatTable.readPath(turnId);
        const { question, scope } = path.at(-1)!;
        const query = searchText(question, path.slice(0, -1));
        const found = await find(query, numPassages, { explain: true, signal, scope });
        return toExplanation(query, (await models.inUse()).embedder?.name ?? null, found);
      },
      ask: askBusily,
    },
    library,
    listCollections: collections.list,
    scopeOf: (wanted) => toScope(wanted, documents.list(), scopes, collectionTable.list()),
    listModels: models.listWithPlans,
    notice: database.notice,
    async idle() {
      await library.idle();
      await jobs.idle();
      await meaning.fill(closing.signal);
      await tidy.idle();
    },
    close() {
      closed ??= (async () => {
        closing.abort();
        await jobs.close();
        await library.close();
        collections.close();
        await meaning.close();
        await models.close();
        chatTable.purge();
        collectionTable.purge();
        database.close();
      })();
      return closed;
    },
  };
}
