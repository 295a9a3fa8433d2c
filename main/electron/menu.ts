/** The menu of the window, in its language, and the lists of tasks that systems show for a program. */
import { app, Menu, type MenuItemConstructorOptions, type Task } from 'electron';
import type { ShellCommand } from '../../app/contract/shell.ts';
import { version } from '../version.ts';
import type { Texts } from './texts.ts';

type Item = MenuItemConstructorOptions;

/** The menu as a plain value. Words are given to every role: Electron's own are English wherever the system has none. */
export function menuTemplate(
  texts: Texts,
  isMac: boolean,
  say: (command: ShellCommand) => void,
  helpItems: Item[] = [],
): Item[] {
  const item = (label: string, accelerator: string, command: ShellCommand): Item => ({
    label,
    accelerator,
    click: () => say(command),
  });
  const line: Item = { type: 'separator' };
  const settings = item(`${texts.settings}…`, 'CommandOrControl+,', { type: 'view', view: 'settings' });
  const about: Item = { label: texts.about, role: 'about' };
  const quit: Item = { label: texts.quit, role: 'quit' };
  const mac: Item[] = isMac
    ? [{ label: 'Quoth', submenu: [about, line, settings, line, { role: 'hide' }, { role: 'unhide' }, line, quit] }]
    : [];
  return [
    ...mac,
    {
      label: texts.file,
      submenu: [
        item(texts.newChat, 'CommandOrControl+N', { type: 'new-chat' }),
        ...(isMac ? [] : [line, settings]),
        line,
        { label: texts.close, role: 'close', accelerator: 'CommandOrControl+W' },
        ...(isMac ? [] : [quit]),
      ],
    },
    {
      label: texts.edit,
      submenu: [
        { label: texts.undo, role: 'undo' },
        { label: texts.redo, role: 'redo' },
        line,
        { label: texts.cut, role: 'cut' },
        { label: texts.copy, role: 'copy' },
        { label: texts.paste, role: 'paste' },
        { label: texts.selectAll, role: 'selectAll' },
      ],
    },
    {
      label: texts.view,
      submenu: [
        item(texts.chat, 'CommandOrControl+1', { type: 'view', view: 'chat' }),
        item(texts.library, 'CommandOrControl+2', { type: 'view', view: 'library' }),
        item(texts.models, 'CommandOrControl+3', { type: 'view', view: 'models' }),
        line,
        { label: texts.reload, role: 'reload' },
        line,
        { label: texts.usualSize, role: 'resetZoom' },
        { label: texts.larger, role: 'zoomIn' },
        { label: texts.smaller, role: 'zoomOut' },
        line,
        { label: texts.fullScreen, role: 'togglefullscreen' },
      ],
    },
    { label: texts.window, submenu: [{ label: texts.minimize, role: 'minimize' }] },
    ...(isMac && helpItems.length === 0
      ? []
      : [{ label: texts.help, submenu: [...helpItems, ...(isMac ? [] : [about])] }]),
  ];
}

export function setMenu(texts: Texts, say: (command: ShellCommand) => void, helpItems: Item[]): void {
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(texts, process.platform === 'darwin', say, helpItems)));
  app.setAboutPanelOptions({ applicationName: 'Quoth', applicationVersion: version, copyright: texts.aboutWords });
}

/**
 * What Windows offers under the program's button. Tasks only: the names of chats would lie in the system's own files, where
 * "forget everything" does not reach.
 */
export function userTasks(texts: Texts, program: string): Task[] {
  const tasks: [string, string][] = [
    [texts.newChat, '--new-chat'],
    [texts.library, '--library'],
    [texts.settings, '--settings'],
  ];
  return tasks.map(([title, argument]) => ({
    program,
    arguments: argument,
    title,
    description: title,
    iconPath: program,
    iconIndex: 0,
  }));
}

/** The same on each system that has such a list. */
export function setTasks(texts: Texts, say: (command: ShellCommand) => void): void {
  if (process.platform === 'win32') app.setUserTasks(userTasks(texts, process.execPath));
  app.dock?.setMenu(Menu.buildFromTemplate([{ label: texts.newChat, click: () => say({ type: 'new-chat' }) }]));
}
