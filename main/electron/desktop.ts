/**
 * Quoth as a guest of the desktop: tray, keys from anywhere, tasks and links, progress in the task bar, notices, sleep. What
 * it shows comes from the core's word of settings and work; what it does is said to the page or to the core.
 */
import {
  app,
  type BrowserWindow,
  globalShortcut,
  type MenuItemConstructorOptions,
  Notification,
  powerMonitor,
} from 'electron';
import type { ShellCommand, ShortcutState } from '../../app/contract/shell.ts';
import { commandChannel } from './channels.ts';
import { noticeIcon } from './icon.ts';
import { setMenu, setTasks } from './menu.ts';
import type { Activity, DesktopSettings, Ended } from './messages.ts';
import { noticeOf } from './notifications.ts';
import { createShortcut } from './shortcut.ts';
import { type Texts, textsOf } from './texts.ts';
import { createTray, type QuothTray } from './tray.ts';

export type Desktop = {
  /** In the window's language, as far as it is known. */
  texts(): Texts;
  settings(settings: DesktopSettings): void;
  activity(activity: Activity): void;
  ended(ended: Ended): void;
  /** Brings the window and has the page show something; null: only the window. */
  show(command: ShellCommand | null): void;
  checkShortcut(shortcut: string): ShortcutState;
  /** To be called with every window that is opened. */
  adopt(window: BrowserWindow): void;
  /** The program ends: windows may close from now on. */
  leave(): void;
};

export type DesktopParts = {
  /** The window, opened anew where there is none. */
  window: () => BrowserWindow;
  /** The window if there is one. */
  currentWindow: () => BrowserWindow | null;
  /** More items of the help menu, in the first of the languages that they know. */
  helpItems: (languages: string[]) => MenuItemConstructorOptions[];
  say: (message: { type: 'watch'; paused: boolean } | { type: 'woken' }) => void;
};

export function createDesktop({ window, currentWindow, helpItems, say }: DesktopParts): Desktop {
  let settings: DesktopSettings = {
    language: 'system',
    shortcut: null,
    keepInTray: false,
    notifications: true,
    offline: true,
  };
  let activity: Activity = { numWorking: 0, progress: null, watching: 'none' };
  let texts = textsOf('system', app.getPreferredSystemLanguages());
  let tray: QuothTray | null = null;
  let isLeaving = false;
  let numUnseen = 0;
  /** Notices that are on the screen: one that nobody holds is collected, and its click with it. */
  const notices = new Set<Notification>();
  const loaded = new WeakSet<BrowserWindow>();

  const shortcut = createShortcut(globalShortcut, () => show({ type: 'compose', question: null }));

  function show(command: ShellCommand | null): void {
    const one = window();
    if (one.isMinimized()) one.restore();
    if (loaded.has(one)) {
      one.show();
      one.focus();
      if (command) one.webContents.send(commandChannel, command);
    } else if (command) one.webContents.once('did-finish-load', () => one.webContents.send(commandChannel, command));
  }

  function applyTray(): void {
    if (settings.keepInTray)
      tray ??= createTray({
        open: () => show(null),
        newChat: () => show({ type: 'new-chat' }),
        watch: (paused) => say({ type: 'watch', paused }),
        quit: () => app.quit(),
      });
    else {
      tray?.remove();
      tray = null;
      // A window that was only hidden would be out of reach.
      const one = currentWindow();
      if (one && !one.isVisible() && loaded.has(one)) one.show();
    }
    tray?.show(texts, activity);
  }

  function applyTexts(): void {
    const system = app.getPreferredSystemLanguages();
    texts = textsOf(settings.language, system);
    setMenu(texts, show, helpItems([settings.language, ...system]));
    setTasks(texts, show);
  }

  function showProgress(): void {
    currentWindow()?.setProgressBar(activity.progress ?? -1);
  }

  /** How much has ended that the person has not seen: on the program's button, where the system has a place for it. */
  function showUnseen(count: number): void {
    numUnseen = count;
    app.setBadgeCount(count);
    if (process.platform === 'win32') {
      const one = currentWindow();
      one?.setOverlayIcon(count > 0 ? noticeIcon() : null, count > 0 ? texts.documentsTitle : '');
      one?.flashFrame(count > 0);
    }
  }

  applyTexts();
  powerMonitor.on('resume', () => say({ type: 'woken' }));
  app.on('will-quit', shortcut.release);

  return {
    texts: () => texts,
    settings(next) {
      const languageChanged = next.language !== settings.language;
      settings = next;
      if (languageChanged) applyTexts();
      shortcut.use(settings.shortcut);
      applyTray();
    },
    activity(next) {
      activity = next;
      showProgress();
      tray?.show(texts, activity);
    },
    ended(ended) {
      const isFocused = currentWindow()?.isFocused() ?? false;
      const notice = noticeOf(ended, { isWanted: settings.notifications, isFocused }, texts);
      if (!notice) return;
      showUnseen(numUnseen + 1);
      if (!Notification.isSupported()) return;
      const shown = new Notification({ title: notice.title, body: notice.body, icon: noticeIcon() });
      notices.add(shown);
      shown.once('click', () => {
        notices.delete(shown);
        show(notice.command);
      });
      shown.once('close', () => notices.delete(shown));
      shown.show();
    },
    show,
    checkShortcut: shortcut.check,
    adopt(one) {
      one.webContents.once('did-finish-load', () => {
        loaded.add(one);
        showProgress();
      });
      one.on('focus', () => showUnseen(0));
      one.on('close', (event) => {
        if (isLeaving || !settings.keepInTray || !tray) return;
        event.preventDefault();
        one.hide();
      });
    },
    leave() {
      isLeaving = true;
    },
  };
}
