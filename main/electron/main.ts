/**
 * The window process: windows, dialogs, and the hand-over of ports and tickets. It holds no state worth losing and does no
 * work that takes time; the application runs in the core's process.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { app, BrowserWindow, dialog, ipcMain, protocol, session } from 'electron';
import { defaultProfileFolder } from '../folders.ts';
import { readStaticFile } from '../static-files.ts';
import { type ChannelInput, type ChannelName, channels, portChannel } from './channels.ts';
import { type CoreProcess, startCore } from './core.ts';
import { isOurPage, mayFetch, maySend, mayUse } from './guard.ts';
import { setMenu } from './menu.ts';
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

function answerPage(core: CoreProcess): void {
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
  answer('saveFile', (window, file) => saveFile(window, file));
  answer('openExternal', (window, address) => openExternal(window, address));
}

/** The page's files under app://quoth/, and nothing else from anywhere. */
function guardSession(): void {
  const { defaultSession } = session;
  defaultSession.protocol.handle('app', async (request) => {
    if (request.method !== 'GET' || !isOurPage(request.url)) return new Response(null, { status: 403 });
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

async function start(profile: string): Promise<void> {
  await app.whenReady();
  guardSession();
  // Nobody can allow it in the settings yet: only the menu's item asks.
  setMenu(startUpdates({ mayCheckAlone: () => false, isOffline: () => false, around: (_host, work) => work() }));
  const core = startCore(profile, (message) => {
    dialog.showErrorBox('Quoth cannot start', message);
    app.exit(1);
  });
  answerPage(core);
  const open = (): BrowserWindow =>
    openWindow({
      preload,
      stateFile: path.join(app.getPath('userData'), 'window.json'),
      // The design system, for whoever builds the window.
      place: process.argv.includes('--gallery') ? '#gallery' : '',
    });
  open();

  app.on('second-instance', () => {
    const [window] = BrowserWindow.getAllWindows();
    if (!window) return void open();
    if (window.isMinimized()) window.restore();
    window.focus();
  });
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) open();
  });
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit();
  });
  let closed = false;
  app.on('before-quit', (event) => {
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
  { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
]);
if (app.requestSingleInstanceLock()) {
  start(profile).catch((error: unknown) => {
    dialog.showErrorBox('Quoth cannot start', error instanceof Error ? error.message : String(error));
    app.exit(1);
  });
} else {
  // The first instance shows its window.
  app.quit();
}
