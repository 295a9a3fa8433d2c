/** The one factory of windows, and their place on the screen. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BrowserWindow, type BrowserWindowConstructorOptions, dialog, screen, shell } from 'electron';
import { z } from 'zod';
import { fitBounds, type Screen } from './bounds.ts';
import { externalAddress, isOurPage, pageAddress } from './guard.ts';
import type { Texts } from './texts.ts';

const windowState = z.object({
  x: z.number().int(),
  y: z.number().int(),
  width: z.number().int().min(200).max(20_000),
  height: z.number().int().min(200).max(20_000),
  isMaximized: z.boolean(),
});

type WindowState = z.infer<typeof windowState>;

function screens(): [Screen, ...Screen[]] {
  const { id } = screen.getPrimaryDisplay();
  const all = screen.getAllDisplays();
  const first = all.find((display) => display.id === id) ?? screen.getPrimaryDisplay();
  return [first, ...all.filter((display) => display.id !== first.id)];
}

function readState(file: string): WindowState | null {
  try {
    const { isMaximized, ...bounds } = windowState.parse(JSON.parse(readFileSync(file, 'utf8')));
    return { ...fitBounds(bounds, screens()), isMaximized };
  } catch {
    return null;
  }
}

/** A drag of the window is hundreds of changes. */
const keepAfterMs = 500;

/** Keeps where the window stands: after each change too, for a program can end in other ways than by its last window's closing. */
function keepState(window: BrowserWindow, file: string): void {
  let timer: NodeJS.Timeout | undefined;
  const keep = (): void => {
    clearTimeout(timer);
    if (window.isDestroyed()) return;
    const state: WindowState = { ...window.getNormalBounds(), isMaximized: window.isMaximized() };
    try {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify(state));
    } catch {
      // The place of a window is not worth a message.
    }
  };
  const keepSoon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(keep, keepAfterMs);
  };
  window.on('resize', keepSoon);
  window.on('move', keepSoon);
  window.on('close', keep);
  window.on('closed', () => clearTimeout(timer));
}

/** A screen that is unplugged or changes its scale must not take the window with it. */
function stayInSight(window: BrowserWindow): void {
  const look = (): void => {
    if (window.isDestroyed() || window.isMinimized() || window.isMaximized() || window.isFullScreen()) return;
    const bounds = window.getBounds();
    const fitted = fitBounds(bounds, screens());
    if (JSON.stringify(fitted) !== JSON.stringify(bounds)) window.setBounds(fitted);
  };
  screen.on('display-removed', look);
  screen.on('display-metrics-changed', look);
  window.once('closed', () => {
    screen.off('display-removed', look);
    screen.off('display-metrics-changed', look);
  });
}

/** Asks, showing the real host, and opens an https address in the person's browser. Others do nothing. */
export async function openExternal(window: BrowserWindow, address: string, texts: Texts): Promise<void> {
  const external = externalAddress(address);
  if (!external) return;
  const { response } = await dialog.showMessageBox(window, {
    type: 'question',
    message: texts.openAddress(external.host),
    detail: external.href,
    buttons: [texts.openButton, texts.cancel],
    defaultId: 0,
    cancelId: 1,
    noLink: true,
  });
  if (response === 0) await shell.openExternal(external.href);
}

/** Asks where to, and writes. False when the person changed their mind, or was told that it could not be written. */
export async function saveFile(
  window: BrowserWindow,
  { name, bytes }: { name: string; bytes: Uint8Array },
  texts: Texts,
): Promise<boolean> {
  const ending = path.extname(name).slice(1);
  const { canceled, filePath } = await dialog.showSaveDialog(window, {
    defaultPath: name,
    ...(ending === '' ? {} : { filters: [{ name: ending.toUpperCase(), extensions: [ending] }] }),
  });
  if (canceled || !filePath) return false;
  try {
    await writeFile(filePath, bytes);
    return true;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    await dialog.showMessageBox(window, {
      type: 'error',
      message: texts.notWritten(path.basename(filePath)),
      detail,
    });
    return false;
  }
}

/** The options of every window: the page is sandboxed, isolated, and knows only what the preload script gives it. */
export function windowOptions(preload: string): BrowserWindowConstructorOptions {
  return {
    width: 1180,
    height: 800,
    minWidth: 480,
    minHeight: 400,
    show: false,
    title: 'Quoth',
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    },
  };
}

/** Opens a window on our page, where it stood last time. */
export function openWindow(options: {
  preload: string;
  stateFile: string;
  texts: () => Texts;
  place?: string;
}): BrowserWindow {
  const state = readState(options.stateFile);
  const { isMaximized = false, ...bounds } = state ?? {};
  const window = new BrowserWindow({ ...windowOptions(options.preload), ...bounds });
  // On a screen of another scale than the first one's, a system may have taken the size for the first one's: said again, it
  // is taken for the screen that the window is on by now.
  if (state) window.setBounds(bounds);
  if (isMaximized) window.maximize();
  stayInSight(window);
  keepState(window, options.stateFile);

  const { webContents } = window;
  const stay = (event: { preventDefault(): void; url: string }): void => {
    if (!isOurPage(event.url)) event.preventDefault();
  };
  webContents.on('will-navigate', stay);
  webContents.on('will-redirect', stay);
  webContents.on('will-frame-navigate', stay);
  webContents.on('will-attach-webview', (event) => event.preventDefault());
  webContents.setWindowOpenHandler(({ url }) => {
    void openExternal(window, url, options.texts());
    return { action: 'deny' };
  });
  window.once('ready-to-show', () => window.show());
  void window.loadURL(`${pageAddress}${options.place ?? ''}`);
  return window;
}
