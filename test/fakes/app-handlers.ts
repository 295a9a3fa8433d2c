/**
 * An application of cardboard behind the real contract: what a window can ask is answered from lists that a test fills and
 * changes. Answers are written piece by piece, each when the test says so.
 */
import type { AddEvent, AskEvent, LibraryEvent, QuothContract } from '../../app/contract/contract.ts';
import { QuothError } from '../../app/contract/errors.ts';
import type { Handlers } from '../../app/contract/procedure.ts';
import type {
  Answer,
  ChatId,
  ChatSummary,
  Citation,
  Collection,
  Connection,
  DocumentId,
  DocumentSummary,
  EngineReport,
  FolderId,
  Install,
  Job,
  JobTask,
  LocalApi,
  MachineReport,
  ModelId,
  ModelSummary,
  ModelsFolder,
  ModelsWork,
  Passage,
  PassageId,
  Place,
  PlaceFolder,
  PlaceKey,
  RemoteModel,
  RemoteOffer,
  Scope,
  SearchExplanation,
  Settings,
  Ticket,
  Turn,
  TurnId,
  WatchedFolder,
} from '../../app/contract/types.ts';
import { createFakeShelf } from './shelf.ts';

/** A chat model's engine on a GPU that has answered; `change` what a test is about. */
export function makeEngine(change: Partial<EngineReport> = {}): EngineReport {
  return {
    role: 'chat',
    model: 'Mistral 7B',
    device: 'cuda',
    contextTokens: 32_768,
    kvTokens: 8192,
    weightBytes: 4.0e9,
    kvBytes: 1.1e9,
    activationBytes: 57e6,
    numRunning: 0,
    numWaiting: 0,
    numFinished: 12,
    kvPagesTotal: 128,
    kvPagesFree: 80,
    kvPagesCached: 38,
    promptTokens: 4000,
    cachedTokens: 3000,
    outputTokens: 2000,
    draftedTokens: 500,
    acceptedTokens: 430,
    ttftMs: { mean: 90, p50: 82, p95: 240 },
    tokenMs: { mean: 1.2, p50: 1.1, p95: 1.9 },
    latencyMs: { mean: 2000, p50: 1900, p95: 4000 },
    busyMs: 40_000,
    bytesPerToken: 4.1e9,
    bytesPerSecond: 3.6e12,
    tokensPerSecond: 872,
    bandwidthFraction: 0.73,
    ...change,
  };
}

export function makeConnection(n: number, part: Partial<Connection> = {}): Connection {
  return {
    id: n,
    startedAtMs: 1_700_000_000_000 + n * 60_000,
    endedAtMs: 1_700_000_000_500 + n * 60_000,
    host: 'www.youtube.com',
    purpose: 'video',
    outcome: 'done',
    status: 200,
    sentBytes: 812,
    receivedBytes: 48_213,
    ...part,
  };
}

/** A list that can be looped over while it is being filled. */
export class Tape<T> {
  private items: T[] = [];
  private ended = false;
  private thrown: unknown;
  private wakers = new Set<() => void>();

  push(...items: T[]): void {
    this.items.push(...items);
    this.wake();
  }

  end(thrown?: unknown): void {
    this.ended = true;
    this.thrown = thrown;
    this.wake();
  }

  async *play(signal: AbortSignal): AsyncGenerator<T> {
    signal.addEventListener('abort', () => this.wake());
    for (let next = 0; ; ) {
      if (signal.aborted) return;
      const item = this.items[next];
      if (item !== undefined) {
        next++;
        yield item;
      } else if (this.ended) {
        if (this.thrown !== undefined) throw this.thrown;
        return;
      } else await new Promise<void>((resolve) => this.wakers.add(resolve));
    }
  }

  private wake(): void {
    for (const waker of this.wakers) waker();
    this.wakers.clear();
  }
}

const nowhere: Place = { page: null, paragraph: null, startSeconds: null, label: null };
const pad = (prefix: string, n: number): string => `${prefix}_${String(n).padStart(16, '0')}`;

export function makeDocument(n: number, part: Partial<DocumentSummary> = {}): DocumentSummary {
  return {
    id: pad('doc', n) as DocumentId,
    title: `Document ${n}`,
    source: `document-${n}.txt`,
    kind: 'text',
    state: 'ready',
    progress: 1,
    reason: null,
    numPages: null,
    numPassages: 3,
    sizeBytes: 12_000,
    addedAtMs: 1_700_000_000_000 + n,
    problem: null,
    folder: null,
    collections: [],
    ...part,
  };
}

export function makeFolder(n: number, part: Partial<WatchedFolder> = {}): WatchedFolder {
  return {
    id: pad('folder', n) as FolderId,
    place: pad('place', n) as PlaceKey,
    name: `Documents › Folder ${n}`,
    state: 'watching',
    reason: null,
    numDocuments: 12,
    numReady: 12,
    numWorking: 0,
    addedAtMs: 1_700_000_000_000 + n,
    ...part,
  };
}

export function makePassage(n: number, document: DocumentSummary, text: string, place: Partial<Place> = {}): Passage {
  const { id, title, source, kind } = document;
  return {
    passageId: n as PassageId,
    documentId: id,
    title,
    source,
    kind,
    place: { ...nowhere, ...place },
    text,
    score: 1,
  };
}

export function makeCitation(n: number, passage: Passage, quote: string, verified = true): Citation {
  const { passageId, documentId, title, source, kind, place } = passage;
  return { n, passageId, documentId, title, source, kind, place, quote, verified };
}

export function makeAnswer(text: string, citations: Citation[] = [], part: Partial<Answer> = {}): Answer {
  return {
    text,
    citations,
    refused: false,
    writtenBy: 'model',
    end: 'complete',
    timings: {
      retrieveMs: 41,
      ttftMs: 3200,
      prefillMs: 2900,
      decodeTokensPerSecond: 17.25,
      bandwidthFraction: 0.73,
      numPromptTokens: 1493,
      numCachedTokens: 820,
      numOutputTokens: 90,
    },
    ...part,
  };
}

export function makeTurn(n: number, question: string, answer: Answer | null = null): Turn {
  const id = pad('turn', n) as TurnId;
  return { id, question, answer, askedAtMs: n, siblings: [id], numFound: 0 };
}

export function makeModel(id: string, part: Partial<ModelSummary> = {}): ModelSummary {
  return {
    id: id as ModelId,
    name: id,
    role: 'chat',
    licence: 'Apache-2.0',
    licenceUrl: 'https://www.apache.org/licenses/LICENSE-2.0',
    downloadBytes: 322_000_000,
    planBytes: 330_000_000,
    state: 'available',
    fit: null,
    inUse: false,
    own: false,
    plan: null,
    note: '',
    ...part,
  };
}

export function makeInstall(id: string, part: Partial<Install> = {}): Install {
  return {
    modelId: id as ModelId,
    name: id,
    role: 'chat',
    from: 'catalogue',
    state: 'running',
    step: 'download',
    doneBytes: 80_500_000,
    totalBytes: 322_000_000,
    bytesPerSecond: 12_000_000,
    secondsLeft: 20,
    reason: null,
    ...part,
  };
}

export type FakeApp = ReturnType<typeof createFakeApp>;

/** The handlers and the strings that move them. */
export function createFakeApp(chosen: Partial<Settings> = {}) {
  const library = new Tape<LibraryEvent>();
  const documents = new Map<DocumentId, DocumentSummary>();
  const texts = new Map<DocumentId, Passage[]>();
  const originals = new Map<DocumentId, Uint8Array>();
  const chats = new Map<ChatId, { chat: ChatSummary; turns: Turn[] }>();
  const deleted = new Map<ChatId, { chat: ChatSummary; turns: Turn[] }>();
  const models: ModelSummary[] = [];
  let modelsFolder: ModelsFolder = {
    ...{ name: 'Quoth › models', state: 'here', modelsBytes: 727e6, freeBytes: 120e9, move: null, reason: null },
  };
  let installs: Install[] = [];
  const modelsWork = new Tape<ModelsWork>();
  /** What was asked of the models: "install tiny", "pause tiny", "import 2 files". */
  const modelCalls: string[] = [];
  const tellModels = (): void => modelsWork.push({ installs, downloadBytesPerSecond: null, folder: modelsFolder });
  const setInstalls = (next: Install[]): void => {
    installs = next;
    tellModels();
  };
  const setModelsFolder = (part: Partial<ModelsFolder>): void => {
    modelsFolder = { ...modelsFolder, ...part };
    tellModels();
  };
  tellModels();
  const welcome = { seen: true, samplesRemoved: 0 };
  const asked: {
    question: string;
    chatId: ChatId | null;
    signal: AbortSignal;
    scope: Scope | null;
    insteadOf?: TurnId;
    sources?: unknown;
  }[] = [];
  /** By turn: the branch that was shown through it, and what was found for it. */
  const branches = new Map<TurnId, Turn[]>();
  const found = new Map<TurnId, Passage[]>();
  const added: (Ticket[] | string)[] = [];
  const retried: DocumentId[] = [];
  let settings: Settings = {
    language: 'en',
    theme: 'system',
    textSize: 100,
    answerTokens: 512,
    temperature: 0,
    captionLanguages: ['en'],
    systemPrompt: '',
    contextTokens: null,
    kvPrecision: 'auto',
    shortcut: null,
    keepInTray: false,
    notifications: true,
    offline: false,
    ...chosen,
  };
  const remoteModels: RemoteModel[] = [];
  let localApi: LocalApi = { on: false, port: 7868, address: null, problem: null, keyMadeAtMs: null };
  const engines: EngineReport[] = [];
  const machine: MachineReport = {
    version: '0.1.0',
    device: 'cpu',
    deviceName: 'Two-core processor',
    deviceReason: 'No CUDA device was found.',
    numThreads: 2,
    memoryBytes: 24e9,
    deviceBytes: 24e9,
    freeDiskBytes: 120e9,
    vectorIndex: 'faiss',
    vectorIndexReason: 'libfaiss was found.',
    chatModel: null,
    embedder: null,
    reranker: null,
    offline: false,
    profileFolder: '/home/me/quoth/profile',
  };
  const ledger: Connection[] = [];
  const allForgotten: { modelsToo: boolean }[] = [];
  const script = {
    /** Plays each question's answer; the test pushes pieces into it. Replaced by a test for its own story. */
    answers: [] as Tape<AskEvent>[],
    /** By address. */
    remoteOffers: new Map<string, RemoteOffer>(),
    adding: new Tape<AddEvent>(),
    /** How many documents have scanned pages. */
    numScanned: 0,
    /** By turn. */
    explanations: new Map<TurnId, SearchExplanation>(),
    /** Called when the asker left before the end: what the core then saves. */
    onStopped: (_turn: Turn): void => undefined,
  };
  let numTurns = 0;
  library.push({ type: 'reset', documents: [] });

  const setDocument = (document: DocumentSummary): void => {
    documents.set(document.id, document);
    library.push({ type: 'changed', document });
  };
  /** Tells the whole state of the library, as each watch begins with it. */
  const reset = (): void => library.push({ type: 'reset', documents: [...documents.values()] });
  let folders: WatchedFolder[] = [];
  const forgotten: { folderId: FolderId; keepDocuments: boolean }[] = [];
  /** Of each adding of files: whether folders were to be watched. */
  const watched: boolean[] = [];
  const folderList = new Tape<{ folders: WatchedFolder[] }>();
  const setFolders = (next: WatchedFolder[]): void => {
    folders = next;
    folderList.push({ folders });
  };
  const changeFolder = (id: FolderId, part: Partial<WatchedFolder>): Record<string, never> => {
    setFolders(folders.map((one) => (one.id === id ? { ...one, ...part } : one)));
    return {};
  };
  setFolders([]);
  let jobs: Job[] = [];
  const jobList = new Tape<{ jobs: Job[] }>();
  const started: { task: JobTask; chatId: ChatId | null; language: string | undefined }[] = [];
  const setJobs = (next: Job[]): void => {
    jobs = next;
    jobList.push({ jobs });
  };
  const changeJob = (id: TurnId, part: Partial<Job>): Record<string, never> => {
    setJobs(jobs.map((one) => (one.turnId === id ? { ...one, ...part } : one)));
    return {};
  };
  /** The job has come to its end, and this is what came of it. */
  const endJob = (id: TurnId, answer: Answer): void => {
    for (const { turns } of chats.values()) for (const turn of turns) if (turn.id === id) turn.answer = answer;
    setJobs(jobs.filter(({ turnId }) => turnId !== id));
  };
  setJobs([]);
  const places: PlaceFolder[] = [];
  const chatOf = (chatId: ChatId): { chat: ChatSummary; turns: Turn[] } => {
    const chat = chats.get(chatId);
    if (!chat) throw new QuothError('not-found', 'This chat does not exist any more.');
    return chat;
  };
  const modelOf = (modelId: ModelId): ModelSummary => {
    const model = models.find((one) => one.id === modelId);
    if (!model) throw new QuothError('not-found', 'There is no such model.');
    return model;
  };

  const shelf = createFakeShelf({
    documents,
    library,
    setDocument,
    adding: () => script.adding,
    folders: () => folders,
    list: new Tape<{ collections: Collection[] }>(),
  });

  const handlers: Handlers<QuothContract> = {
    ...shelf.handlers,
    watchLibrary: (_input, signal) => library.play(signal),
    watchFolders: (_input, signal) => folderList.play(signal),
    explainTurn: async ({ turnId }) => {
      const explanation = script.explanations.get(turnId);
      if (!explanation) throw new QuothError('not-found', 'This question does not exist any more.');
      return explanation;
    },
    listPlaces: async () => ({ folders: places }),
    pauseFolder: async ({ folderId }) => changeFolder(folderId, { state: 'paused' }),
    resumeFolder: async ({ folderId }) => changeFolder(folderId, { state: 'watching' }),
    removeFolder: async ({ folderId, keepDocuments }) => {
      forgotten.push({ folderId, keepDocuments });
      setFolders(folders.filter(({ id }) => id !== folderId));
      return {};
    },
    startJob: async ({ task, chatId, language }) => {
      started.push({ task, chatId, language });
      const question = `${task.type} ${started.length}`;
      const turn = makeTurn(900 + started.length, question);
      const id = chatId ?? (pad('chat', 900 + started.length) as ChatId);
      const known = chats.get(id);
      if (known) known.turns.push(turn);
      else chats.set(id, { chat: { id, title: question, numTurns: 1, updatedAtMs: 1 }, turns: [turn] });
      const job = { numParts: 0, numRead: 0, document: null, secondsLeft: null, reason: null };
      setJobs([...jobs, { turnId: turn.id, chatId: id, task, state: 'waiting', ...job }]);
      return { chatId: id, turnId: turn.id, question };
    },
    watchJobs: (_input, signal) => jobList.play(signal),
    stopJob: async ({ turnId }) => changeJob(turnId, { state: 'stopped' }),
    resumeJob: async ({ turnId }) => changeJob(turnId, { state: 'reading' }),
    addFiles: ({ tickets, watch = false }, signal) => {
      added.push(tickets);
      watched.push(watch);
      return script.adding.play(signal);
    },
    addAddress: ({ address }, signal) => {
      added.push(address);
      return script.adding.play(signal);
    },
    retryDocument: ({ documentId }, signal) => {
      retried.push(documentId);
      return script.adding.play(signal);
    },
    describeScans: async () => ({ numDocuments: script.numScanned }),
    readScansAgain: (_input, signal) => {
      modelCalls.push('read scans again');
      return script.adding.play(signal);
    },
    removeDocument: async ({ documentId }) => {
      documents.delete(documentId);
      library.push({ type: 'removed', documentId });
      return {};
    },
    readDocument: async ({ documentId, fromPassage, numPassages }) => {
      const document = documents.get(documentId);
      if (!document) throw new QuothError('not-found', 'This document is not in the library any more.');
      const passages = texts.get(documentId) ?? [];
      return {
        document,
        passages: passages.slice(fromPassage, fromPassage + numPassages).map((one) => ({ heading: null, ...one })),
        numPassages: passages.length,
      };
    },
    readScan: async () => ({ words: [] }),
    readOriginal: async function* ({ documentId }) {
      const bytes = originals.get(documentId);
      if (!bytes) throw new QuothError('not-found', 'The file has moved, so its pages cannot be shown.');
      for (let from = 0; from < bytes.length; from += 60_000)
        yield {
          base64: btoa(String.fromCharCode(...bytes.subarray(from, from + 60_000))),
          totalBytes: bytes.length,
        };
    },
    search: async () => ({ passages: [], timings: { embedMs: 1, searchMs: 1 }, explanation: null }),
    ask: async function* ({ question, chatId, insteadOf, sources, scope = null }, signal) {
      asked.push({ question, chatId, signal, scope, ...(insteadOf ? { insteadOf, sources } : {}) });
      const turn = { ...makeTurn(++numTurns, question), ...(scope ? { scope } : {}) };
      const id = chatId ?? (pad('chat', numTurns) as ChatId);
      if (!chats.has(id))
        chats.set(id, { chat: { id, title: question, numTurns: 0, updatedAtMs: numTurns }, turns: [] });
      const { turns } = chatOf(id);
      const place = insteadOf ? turns.findIndex((one) => one.id === insteadOf) : turns.length;
      const siblings = [...(turns[place]?.siblings ?? []), turn.id];
      branches.set(turn.id, [...turns.slice(0, place), turn]);
      if (insteadOf) branches.set(insteadOf, [...turns]);
      turns.splice(place, turns.length, turn);
      for (const sibling of siblings)
        for (const one of branches.get(sibling) ?? []) if (siblings.includes(one.id)) one.siblings = siblings;
      yield { type: 'started', chatId: id, turnId: turn.id, siblings };
      const tape = script.answers.shift();
      if (!tape) throw new QuothError('engine-died', 'The engine ended while it was answering.');
      for await (const event of tape.play(signal)) {
        if (event.type === 'sources') {
          found.set(turn.id, event.passages);
          turn.numFound = event.passages.length;
        }
        if (event.type === 'answer') turn.answer = event.answer as Answer;
        yield event;
      }
      if (signal.aborted) script.onStopped(turn);
    },
    listChats: async () => ({ chats: [...chats.values()].map(({ chat }) => chat) }),
    searchChats: async ({ words }) => ({
      found: [...chats.values()].flatMap(({ chat, turns }) => {
        const matches = turns
          .filter(({ question }) => question.includes(words))
          .map(({ id, question }) => {
            const [before = '', after = ''] = question.split(words);
            return { turnId: id, field: 'question' as const, before, match: words, after };
          });
        return matches.length > 0 ? [{ chat, matches }] : [];
      }),
    }),
    readChat: async ({ chatId, numTurns, before }) => {
      const { chat, turns } = chatOf(chatId);
      const end = before === undefined ? turns.length : turns.findIndex(({ id }) => id === before);
      const numBefore = Math.max(0, end - (numTurns ?? end));
      return { chat, turns: turns.slice(numBefore, end), numBefore };
    },
    showTurn: async ({ chatId, turnId, numTurns = 2000 }) => {
      const chat = chatOf(chatId);
      chat.turns = branches.get(turnId) ?? chat.turns;
      return { turns: chat.turns.slice(-numTurns), numBefore: Math.max(0, chat.turns.length - numTurns) };
    },
    readFound: async ({ turnId }) => ({ passages: found.get(turnId) ?? [] }),
    exportChat: async ({ chatId, format, words }) => ({
      name: `${chatOf(chatId).chat.title}.${format}`,
      mediaType: 'text/plain',
      base64: Buffer.from(JSON.stringify(words)).toString('base64'),
    }),
    renameChat: async ({ chatId, title }) => {
      chatOf(chatId).chat.title = title;
      return {};
    },
    deleteChat: async ({ chatId }) => {
      deleted.set(chatId, chatOf(chatId));
      chats.delete(chatId);
      return {};
    },
    restoreChat: async ({ chatId }) => {
      const chat = deleted.get(chatId);
      if (!chat) throw new QuothError('not-found', 'This chat cannot be brought back.');
      chats.set(chatId, chat);
      return {};
    },
    listModels: async () => ({ models }),
    watchInstalls: (_input, signal) => modelsWork.play(signal),
    installModel: async ({ modelId }) => {
      const { name, role } = modelOf(modelId);
      modelCalls.push(`install ${modelId}`);
      const known = installs.filter((one) => one.modelId !== modelId);
      setInstalls([...known, makeInstall(modelId, { name, role, state: 'waiting', step: 'start', doneBytes: 0 })]);
      return {};
    },
    pauseInstall: async ({ modelId }) => {
      modelCalls.push(`pause ${modelId}`);
      setInstalls(installs.map((one) => (one.modelId === modelId ? { ...one, state: 'paused' } : one)));
      return {};
    },
    cancelInstall: async ({ modelId }) => {
      modelCalls.push(`cancel ${modelId}`);
      setInstalls(installs.filter((one) => one.modelId !== modelId));
      return {};
    },
    importModel: async ({ tickets }) => {
      modelCalls.push(`import ${tickets.length} files`);
      const id = 'own-mine' as ModelId;
      setInstalls([...installs, makeInstall(id, { name: 'Mine', from: 'own-files', step: 'build' })]);
      return { modelId: id };
    },
    removeModel: async ({ modelId }) => {
      modelCalls.push(`remove ${modelId}`);
      Object.assign(modelOf(modelId), { state: 'available', inUse: false });
      return { freedBytes: modelOf(modelId).planBytes };
    },
    restoreModel: async ({ modelId }) => {
      modelCalls.push(`restore ${modelId}`);
      modelOf(modelId).state = 'installed';
      return {};
    },
    moveModels: async () => {
      modelCalls.push('move');
      const move = { to: 'D: › Quoth models', step: 'copy' as const, doneBytes: 200e6, totalBytes: 727e6 };
      setModelsFolder({ state: 'moving', move: { ...move, bytesPerSecond: 100e6, secondsLeft: 5 } });
      return {};
    },
    cancelMove: async () => {
      modelCalls.push('cancel the move');
      setModelsFolder({ state: 'here', move: null });
      return {};
    },
    readWelcome: async () => ({ seen: welcome.seen }),
    endWelcome: async () => {
      welcome.seen = true;
      return {};
    },
    addSamples: (_input, signal) => {
      added.push('samples');
      return script.adding.play(signal);
    },
    removeSamples: async () => {
      welcome.samplesRemoved++;
      return {};
    },
    useModel: async ({ modelId, inUse = true }) => {
      for (const model of remoteModels) model.inUse = model.id === modelId && inUse;
      if (remoteModels.some(({ id }) => id === modelId)) {
        for (const model of models) if (model.role === 'chat') model.inUse = false;
        return {};
      }
      const chosen = modelOf(modelId);
      if (chosen.role === 'scan') chosen.inUse = inUse;
      else for (const model of models) if (model.role === chosen.role) model.inUse = inUse && model.id === modelId;
      return {};
    },
    listRemoteModels: async () => ({ models: remoteModels, keyProtection: 'file' }),
    probeRemote: async ({ address }) => {
      const offer = script.remoteOffers.get(address);
      if (!offer) throw new QuothError('offline', `${address} refuses the connection. Start the server there.`);
      return offer;
    },
    testRemote: async () => ({ text: 'Hello.', firstWordMs: 120 }),
    addRemoteModel: async ({ address, key, name, contextTokens }) => {
      const { host } = new URL(address);
      const id = `remote-${remoteModels.length}` as ModelId;
      const isLoopback = host.startsWith('127.');
      const where = { host, isLoopback, isPrivate: isLoopback, address };
      for (const one of [...models.filter(({ role }) => role === 'chat'), ...remoteModels]) one.inUse = false;
      const model = { ...where, id, name, contextTokens, hasKey: key !== undefined, inUse: true };
      remoteModels.push(model);
      return { model };
    },
    removeRemoteModel: async ({ modelId }) => {
      remoteModels.splice(
        remoteModels.findIndex(({ id }) => id === modelId),
        1,
      );
      return {};
    },
    readLocalApi: async () => localApi,
    setLocalApi: async ({ on, port = localApi.port }) => {
      const key = on && localApi.keyMadeAtMs === null ? 'quoth-the-first-key' : null;
      localApi = { ...localApi, on, port, address: on ? `http://127.0.0.1:${port}/v1` : null };
      if (key) localApi.keyMadeAtMs = 1_700_000_000_000;
      return { localApi, key };
    },
    renewLocalApiKey: async () => ({ localApi, key: 'quoth-another-key' }),
    readSettings: async () => settings,
    readLedger: async ({ before, limit }) => ({
      connections: ledger.filter(({ id }) => before === null || id < before).slice(0, limit),
      numConnections: ledger.length,
    }),
    clearLedger: async () => {
      ledger.length = 0;
      return {};
    },
    forgetEverything: async (what) => {
      allForgotten.push(what);
      return {};
    },
    changeSettings: async (part) => {
      settings = { ...settings, ...part };
      return settings;
    },
    describeMachine: async () => machine,
    describeEngines: async () => ({ engines }),
  };
  return {
    handlers,
    ...shelf.state,
    script,
    documents,
    texts,
    originals,
    chats,
    found,
    models,
    remoteModels,
    setInstalls,
    setModelsFolder,
    modelCalls,
    welcome,
    asked,
    added,
    retried,
    machine,
    engines,
    setDocument,
    reset,
    setFolders,
    started,
    jobs: () => jobs,
    setJobs,
    changeJob,
    endJob,
    places,
    forgotten,
    watched,
    settings: () => settings,
    /** The newest first. */
    ledger,
    allForgotten,
  };
}
