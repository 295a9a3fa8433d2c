/** Updates in the running app: the real updater, and the menu's item for it. */
import path from 'node:path';
import { app, BrowserWindow, dialog, type MenuItemConstructorOptions } from 'electron';
import { askForUpdate } from './ask-for-update.ts';
import { createUpdates, readFeed, type UpdateOutside } from './update.ts';
import { type UpdateTexts, updateTexts } from './update-texts.ts';

/** What the app knows of the person's wishes; `isOffline` and `around` are the application's own switch and ledger. */
type Wishes = Pick<UpdateOutside, 'mayCheckAlone' | 'isOffline' | 'around'>;

/**
 * The menu's items in the first of the languages that is known: none in a build that has no feed. Asks at once where the
 * settings allow it.
 */
export function startUpdates(wishes: Wishes): (languages: string[]) => MenuItemConstructorOptions[] {
  const feed = app.isPackaged ? readFeed(path.join(process.resourcesPath, 'app-update.yml')) : null;
  if (feed === null) return () => [];
  const updates = createUpdates({
    ...wishes,
    feed,
    platform: process.platform,
    loadUpdater: async () => (await import('electron-updater')).default.autoUpdater,
  });
  void updates.check('settings');
  const ask = (texts: UpdateTexts): void =>
    void askForUpdate(updates, texts, async ({ buttons, ...message }) => {
      const options = { ...message, type: 'info' as const, buttons, cancelId: buttons.length - 1, noLink: true };
      const [window] = BrowserWindow.getAllWindows();
      const { response } = window ? await dialog.showMessageBox(window, options) : await dialog.showMessageBox(options);
      return response;
    });
  return (languages) => {
    const texts = updateTexts(languages);
    return [{ label: texts.menu, click: () => ask(texts) }];
  };
}
