/**
 * Newer versions of Quoth. Off unless the build names a place to ask (`app-update.yml` beside the archive, written when the app was
 * packed with QUOTH_UPDATE_FEED). Nothing is asked of that place unless the person says so, now or in the settings. A file
 * that was fetched is run only where the system can say who made it: on Windows, by its signature.
 */
import { readFileSync } from 'node:fs';

/** What is used of electron-updater's `AppUpdater`. */
export type Updater = {
  autoDownload: boolean;
  autoInstallOnAppQuit: boolean;
  allowDowngrade: boolean;
  checkForUpdates(): Promise<{ isUpdateAvailable: boolean; updateInfo: { version: string } } | null>;
  downloadUpdate(): Promise<unknown>;
  quitAndInstall(): void;
};

/** Where updates are, and the name that their signature must have. */
export type Feed = { host: string; publisher: string | null };

export type UpdateState =
  | { type: 'idle' }
  | { type: 'checking' }
  | { type: 'current' }
  /** `canInstall`: this system can check who made it; else the person fetches it as they fetched Quoth. */
  | { type: 'available'; version: string; canInstall: boolean }
  | { type: 'downloading'; version: string }
  | { type: 'ready'; version: string }
  | { type: 'failed'; reason: UpdateFailure; detail: string };

/** `signature`: what came is not by who made this Quoth, and was thrown away. */
export type UpdateFailure = 'offline' | 'unreachable' | 'signature' | 'other';

export type Updates = {
  state(): UpdateState;
  /** Asks whether there is a newer version. `by` the settings: only where the person has allowed it. */
  check(by: 'person' | 'settings'): Promise<UpdateState>;
  /** Fetches the version that was found. */
  download(): Promise<UpdateState>;
  /** Ends Quoth and starts the new version's installer. */
  install(): void;
};

export type UpdateOutside = {
  feed: Feed;
  platform: NodeJS.Platform;
  /** Loaded at the first use. */
  loadUpdater: () => Promise<Updater>;
  mayCheckAlone: () => boolean;
  isOffline: () => boolean;
  /** Called around each connection, for the ledger. */
  around: <Result>(host: string, work: () => Promise<Result>) => Promise<Result>;
};

/** The feed of a packed app, or null: this build does not update itself. Only https is asked. */
export function readFeed(file: string): Feed | null {
  let words: string;
  try {
    words = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  // A file of our own packing: one `name: value` a line, lists below their name.
  const [, address = ''] = /^url:\s*['"]?(\S+?)['"]?\s*$/m.exec(words) ?? [];
  const [, publisher] = /^publisherName:[ \t]*(?:\n\s*-\s*)?['"]?([^'"\n]+?)['"]?\s*$/m.exec(words) ?? [];
  if (!URL.canParse(address) || new URL(address).protocol !== 'https:') return null;
  return { host: new URL(address).host, publisher: publisher ?? null };
}

/** What went wrong, by what the updater says of it. */
function failureOf(thrown: unknown): Extract<UpdateState, { type: 'failed' }> {
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  const code = (thrown as { code?: unknown } | null)?.code;
  if (
    code === 'ERR_UPDATER_INVALID_SIGNATURE' ||
    /not signed by the application owner|sha512 checksum mismatch/i.test(detail)
  )
    return { type: 'failed', reason: 'signature', detail };
  if (/net::ERR_|ENOTFOUND|ECONN|ETIMEDOUT|EAI_AGAIN|HttpError|status code/i.test(`${String(code)} ${detail}`))
    return { type: 'failed', reason: 'unreachable', detail };
  return { type: 'failed', reason: 'other', detail };
}

/** The updates of an app that has a feed. Nothing is connected to until `check`. */
export function createUpdates(outside: UpdateOutside): Updates {
  const { feed, platform } = outside;
  // electron-updater checks no signature where it knows no publisher, and none on Linux: there nothing is run.
  const canInstall = platform === 'win32' && feed.publisher !== null;
  let state: UpdateState = { type: 'idle' };
  let working: Promise<UpdateState> | null = null;
  let loading: Promise<Updater> | undefined;

  function load(): Promise<Updater> {
    loading ??= outside.loadUpdater().then((updater) => {
      // Each step is the person's.
      updater.autoDownload = false;
      updater.autoInstallOnAppQuit = false;
      updater.allowDowngrade = false;
      return updater;
    });
    return loading;
  }

  /** One thing at a time: whoever asks meanwhile gets the same answer. */
  function work(during: UpdateState, step: (updater: Updater) => Promise<UpdateState>): Promise<UpdateState> {
    if (working) return working;
    state = during;
    working = (async (): Promise<UpdateState> => {
      if (outside.isOffline()) return { type: 'failed', reason: 'offline', detail: '' };
      const updater = await load();
      return outside.around(feed.host, () => step(updater));
    })()
      .catch(failureOf)
      .then((after) => {
        state = after;
        working = null;
        return after;
      });
    return working;
  }

  return {
    state: () => state,
    check(by) {
      if (by === 'settings' && !outside.mayCheckAlone()) return Promise.resolve(state);
      if (state.type === 'ready') return Promise.resolve(state);
      return work({ type: 'checking' }, async (updater) => {
        const found = await updater.checkForUpdates();
        if (!found?.isUpdateAvailable) return { type: 'current' };
        return { type: 'available', version: found.updateInfo.version, canInstall };
      });
    },
    download() {
      if (state.type !== 'available' || !state.canInstall) return Promise.resolve(state);
      const { version } = state;
      return work({ type: 'downloading', version }, async (updater) => {
        await updater.downloadUpdate();
        return { type: 'ready', version };
      });
    },
    install() {
      if (state.type === 'ready') void load().then((updater) => updater.quitAndInstall());
    },
  };
}
