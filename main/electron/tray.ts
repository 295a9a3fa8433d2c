/** The sign in the system's tray: opens the window, begins a chat, pauses the watching of folders, quits. */
import { Menu, type MenuItemConstructorOptions, Tray } from 'electron';
import { trayIcon } from './icon.ts';
import type { Activity } from './messages.ts';
import type { Texts } from './texts.ts';

export type TrayActions = {
  open: () => void;
  newChat: () => void;
  /** Of all watched folders. */
  watch: (paused: boolean) => void;
  quit: () => void;
};

export function trayTemplate(
  texts: Texts,
  watching: Activity['watching'],
  actions: TrayActions,
): MenuItemConstructorOptions[] {
  return [
    { label: texts.open, click: actions.open },
    { label: texts.newChat, click: actions.newChat },
    { type: 'separator' },
    watching === 'paused'
      ? { label: texts.resumeWatching, click: () => actions.watch(false) }
      : { label: texts.pauseWatching, enabled: watching === 'on', click: () => actions.watch(true) },
    { type: 'separator' },
    { label: texts.quit, click: actions.quit },
  ];
}

export type QuothTray = { show(texts: Texts, activity: Activity): void; remove(): void };

export function createTray(actions: TrayActions): QuothTray {
  let tray: Tray | null = new Tray(trayIcon());
  tray.on('click', actions.open);
  return {
    show(texts, { watching, numWorking }) {
      if (!tray || tray.isDestroyed()) return;
      tray.setToolTip(numWorking > 0 ? texts.working(numWorking) : 'Quoth');
      tray.setContextMenu(Menu.buildFromTemplate(trayTemplate(texts, watching, actions)));
    },
    remove() {
      tray?.destroy();
      tray = null;
    },
  };
}
