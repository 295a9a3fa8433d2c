/** The one factory of windows, and their place on the screen. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BrowserWindow, type BrowserWindowConstructorOptions, dialog, type Rectangle, screen, shell } from 'electron';
import { z } from 'zod';
import { externalAddress, isOurPage, pageAddress } from './guard.ts';

const windowState = z.object({
  x: z.number().int(),
  y: z.number().int(),
  width: z.number().int().min(200).max(20_000),
  height: z.number().int().min(200).max(20_000),
  isMaximized: z.boolean(),
});

type WindowState = z.infer<typeof windowState>;

function readState(file: string): WindowState | null {
  try {
    const state = windowState.parse(JSON.parse(readFileSync(file, 'utf8')));
    // The screen it stood on may be gone.
    const visible = screen.getAllDisplays().some(({ workArea }) => overlaps(workArea, state));
    return visible ? state : null;
  } catch {
    return null;
  }
}

function overlaps(first: Rectangle, second: Rectangle): boolean {
  const atLeast = 100;
  return (
    Math.min(first.x + first.width, second.x + second.width) - Math.max(first.x, second.x) >= atLeast &&
    Math.min(first.y + first.height, second.y + second.height) - Math.max(first.y, second.y) >= atLeast
  );
}

function keepState(window: BrowserWindow, file: string): void {
  window.on('close', () => {
    const state: WindowState = { ...window.getNormalBounds(), isMaximized: window.isMaximized() };
    try {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify(state));
    } catch {
      // The place of a window is not worth a message.
    }
  });
}

/** Asks, showing the real host, and opens an https address in the person's browser. Others do nothing. */
export async function openExternal(window: BrowserWindow, address: string): Promise<void> {
  const external = externalAddress(address);
  if (!external) return;
  const { response } = await dialog.showMessageBox(window, {
    type: 'question',
    message: `Open ${external.host} in your browser?`,
    detail: external.href,
    buttons: ['Open', 'Cancel'],
    defaultId: 0,
    cancelId: 1,
    noLink: true,
  });
  if (response === 0) await shell.openExternal(external.href);
}

/** Asks where to, and writes. False when the person changed their mind, or was told that it could not be written. */
export async function saveFile(
  window: BrowserWindow,
  { name, text }: { name: string; text: string },
): Promise<boolean> {
  const ending = path.extname(name).slice(1);
  const { canceled, filePath } = await dialog.showSaveDialog(window, {
    defaultPath: name,
    ...(ending === '' ? {} : { filters: [{ name: ending.toUpperCase(), extensions: [ending] }] }),
  });
  if (canceled || !filePath) return false;
  try {
    await writeFile(filePath, text);
    return true;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    await dialog.showMessageBox(window, {
      type: 'error',
      message: `"${path.basename(filePath)}" could not be written.`,
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
export function openWindow(options: { preload: string; stateFile: string; place?: string }): BrowserWindow {
  const state = readState(options.stateFile);
  const { isMaximized = false, ...bounds } = state ?? {};
  const window = new BrowserWindow({ ...windowOptions(options.preload), ...bounds });
  if (isMaximized) window.maximize();
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
    void openExternal(window, url);
    return { action: 'deny' };
  });
  window.once('ready-to-show', () => window.show());
  void window.loadURL(`${pageAddress}${options.place ?? ''}`);
  return window;
}
