/**
 * The window process: windows, dialogs, and the hand-over of ports and tickets. It holds no state worth losing and does no
 * work that takes time; the application runs in the core's process.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { app, BrowserWindow, dialog, ipcMain, protocol, session, shell } from 'electron';
import type { ShellCommand } from '../../app/contract/shell.ts';
import { defaultProfileFolder } from '../folders.ts';
import { answerRecording } from '../recording-file.ts';
import { readStaticFile } from '../static-files.ts';
import { type ChannelInput, type ChannelName, channels, portChannel } from './channels.ts';
import { type CoreProcess, startCore } from './core.ts';
import { createDesktop, type Desktop } from './desktop.ts';
import { isOurPage, mayFetch, maySend, mayUse, recordingOfAddress } from './guard.ts';
import { commandOfLink, commandOfWords, linkScheme } from './links.ts';
import type { DesktopSettings } from './messages.ts';
import { startUpdates } from './start-updates.ts';
import { openExternal, openWindow, saveFile } from './window.ts';

const here = path.dirname(fileURLToPath(import.meta.url));
const preload = path.join(here, '..', 'preload', 'preload.cjs');
const rendererFolder = path.join(here, '..', 'renderer');

/** The profile named by `--profile DIR` or QUOTH_PROFILE, or the usual one. Chromium's own switches are not ours to check. */
function profileFolder(): string {
  const { values } = parseArgs({
    args: process.argv.slice(1),
    options: { profile: { type: 'string' } },
    strict: false,
  });
  const named = typeof values.profile === 'string' ? values.profile : process.env.QUOTH_PROFILE;
  return named ? path.resolve(named) : defaultProfileFolder();
}

/** Answers a channel of the page: the sender is checked, then what it sent. */
function answer<Name extends ChannelName>(
  name: Name,
  work: (window: BrowserWindow, ...input: ChannelInput<Name>) => unknown,
): void {
  ipcMain.handle(channels[name].name, (event, ...input: unknown[]) => {
    const window = BrowserWindow.fromWebContents(event.sender);
    const frame = event.senderFrame;
    const allowed = maySend({
      url: frame?.url ?? '',
      isMainFrame: frame !== null && frame.parent === null,
      isOurWindow: window !== null,
    });
    if (!allowed || !window) throw new Error('This page may not ask Quoth.');
    return work(window, ...(channels[name].input.parse(input) as ChannelInput<Name>));
  });
}

function answerPage(core: CoreProcess, desktop: Desktop, profile: string): void {
  answer('connect', (window) => window.webContents.postMessage(portChannel, null, [core.connect()]));
  answer('chooseFiles', async (window) => {
    const chosen = await dialog.showOpenDialog(window, { properties: ['openFile', 'multiSelections'] });
    return chosen.canceled ? null : core.issueTickets(chosen.filePaths);
  });
  answer('chooseFolder', async (window) => {
    const chosen = await dialog.showOpenDialog(window, { properties: ['openDirectory'] });
    return chosen.canceled ? null : core.issueTickets(chosen.filePaths);
  });
  answer('ticketsForPaths', (_window, paths) => core.issueTickets(paths.filter((one) => path.isAbsolute(one))));
  answer('saveFile', (window, file) => saveFile(window, file, desktop.texts()));
  answer('showInFolder', async (_window, documentId) => {
    const file = await core.locate(documentId);
    if (file !== null) shell.showItemInFolder(file);
    return file !== null;
  });
  answer('openExternal', (window, address) => openExternal(window, address, desktop.texts()));
  answer('checkShortcut', (_window, shortcut) => desktop.checkShortcut(shortcut));
  answer('openProfileFolder', () => void shell.openPath(profile));
}

/** The page's files under app://quoth/ and the library's recordings below it, and nothing else from anywhere. */
function guardSession(locateRecording: CoreProcess['locateRecording']): void {
  const { defaultSession } = session;
  defaultSession.protocol.handle('app', async (request) => {
    if (request.method !== 'GET' || !isOurPage(request.url)) return new Response(null, { status: 403 });
    const documentId = recordingOfAddress(request.url);
    if (documentId !== null) {
      const range = request.headers.get('range');
      const answer = await answerRecording(await locateRecording(documentId).catch(() => null), {
        range,
        withBody: true,
      });
      const stream = answer.body && (Readable.toWeb(answer.body) as ReadableStream<Uint8Array>);
      return new Response(stream, { status: answer.status, headers: answer.headers });
    }
    const afterHost = request.url.slice('app://quoth'.length).split(/[?#]/, 1)[0] || '/';
    const { status, headers, body } = await readStaticFile(rendererFolder, afterHost);
    return new Response(body, { status, headers });
  });
  defaultSession.setPermissionRequestHandler((_contents, permission, decide) => decide(mayUse(permission)));
  defaultSession.setPermissionCheckHandler((_contents, permission) => mayUse(permission));
  defaultSession.setDevicePermissionHandler(() => false);
  defaultSession.webRequest.onBeforeRequest(({ url }, decide) => decide({ cancel: !mayFetch(url) }));
  defaultSession.on('will-download', (event) => event.preventDefault());
}

/** What Chromium keeps of a profile that was removed: the page's own small storage, and what it has compiled. */
async function forgetPage(stateFile: string): Promise<void> {
  const { defaultSession } = session;
  await rm(stateFile, { force: true });
  await Promise.all([
    defaultSession.clearStorageData(),
    defaultSession.clearCache(),
    defaultSession.clearCodeCaches({}),
  ]);
}

async function start(profile: string): Promise<void> {
  const early: string[] = [];
  let show: ((command: ShellCommand | null) => void) | undefined;
  // macOS hands links over so, also before the program is ready.
  app.on('open-url', (event, link) => {
    event.preventDefault();
    if (show) show(commandOfLink(link));
    else early.push(link);
  });
  await app.whenReady();
  // No page is open before there is a core.
  guardSession((documentId) => core.locateRecording(documentId));
  const stateFile = path.join(app.getPath('userData'), 'window.json');
  const open = (): BrowserWindow => {
    // The design system, for whoever builds the window.
    const place = process.argv.includes('--gallery') ? '#gallery' : '';
    const window = openWindow({ preload, stateFile, texts: desktop.texts, place });
    desktop.adopt(window);
    return window;
  };
  // Until the settings are known nothing is asked of anybody. Nobody can allow it in the settings yet: only the menu's item asks.
  let isOffline = true;
  const updates = startUpdates({
    mayCheckAlone: () => false,
    isOffline: () => isOffline,
    around: (host, work) => core.goOut(host, work),
  });
  const currentWindow = (): BrowserWindow | null => BrowserWindow.getAllWindows()[0] ?? null;
  const desktop = createDesktop({
    window: () => currentWindow() ?? open(),
    currentWindow,
    helpItems: updates,
    say: (message) => core.say(message),
  });
  const takeSettings = (settings: DesktopSettings): void => {
    isOffline = settings.offline;
    desktop.settings(settings);
  };
  const core = startCore(profile, {
    onRefused(message) {
      dialog.showErrorBox('Quoth cannot start', message);
      app.exit(1);
    },
    onNews(news) {
      if (news.type === 'settings') takeSettings(news.settings);
      else if (news.type === 'activity') desktop.activity(news.activity);
      else if (news.type === 'ended') desktop.ended(news.ended);
      else void forgetPage(stateFile).catch(() => undefined);
    },
  });
  answerPage(core, desktop, profile);
  open();
  show = desktop.show;
  const first = commandOfWords([...early, ...process.argv.slice(1)]);
  if (first) desktop.show(first);

  app.on('second-instance', (_event, commandLine) => desktop.show(commandOfWords(commandLine)));
  app.on('activate', () => desktop.show(null));
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit();
  });
  let closed = false;
  app.on('before-quit', (event) => {
    desktop.leave();
    if (closed) return;
    event.preventDefault();
    void core.close().finally(() => {
      closed = true;
      app.quit();
    });
  });
}

const profile = profileFolder();
// Chromium's own files live in the profile: two profiles are two apps, and the single instance is one per profile.
app.setPath('userData', path.join(profile, 'electron'));
// Root on Linux has no sandbox to give (tests in a container); asking for it there would only fail.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
protocol.registerSchemesAsPrivileged([
  { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true, stream: true } },
]);
// Notices and the task bar of Windows know a program by this name; it is the installer's, too.
if (process.platform === 'win32') app.setAppUserModelId('app.quoth.desktop');
// `--`: nothing that stands in a link is taken for a switch. A program that is not installed takes no links.
if (app.isPackaged) app.setAsDefaultProtocolClient(linkScheme, process.execPath, ['--']);
if (app.requestSingleInstanceLock()) {
  start(profile).catch((error: unknown) => {
    dialog.showErrorBox('Quoth cannot start', error instanceof Error ? error.message : String(error));
    app.exit(1);
  });
} else {
  // The first instance shows its window.
  app.quit();
}
