/** Quoth among the other programs of a desktop, in real Electron, as far as a display without a window manager has them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../main/setup/build.mjs';
import { canOpenDisplay, type Display, openDisplay } from './display.ts';
import { findElectron } from './electron-runtime.ts';
import { _electron, type ElectronApplication, type Page } from './playwright.ts';

const root = path.resolve(import.meta.dirname, '../..');
const electron = canOpenDisplay() ? findElectron() : { reason: 'there is no display and no Xvfb' };
const timeoutMs = 20_000;

describe.skipIf('reason' in electron)(
  `Quoth on a desktop${'reason' in electron ? ` (${electron.reason})` : ''}`,
  () => {
    let folder = '';
    let profile = '';
    let display: Display;
    let app: ElectronApplication;
    let page: Page;

    // Root has no sandbox to give; everybody else gets it.
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const words = (): string[] => [...sandbox, '--disable-gpu', root, `--profile=${profile}`];
    const env = (): Record<string, string> => ({ ...(process.env as Record<string, string>), DISPLAY: display.name });

    async function launch(more: string[] = []): Promise<void> {
      const executablePath = 'binary' in electron ? electron.binary : undefined;
      const options = { executablePath, args: [...words(), ...more], env: env(), timeout: 30_000 };
      // Now and then the driver waits for ever for a program that it has started: see electron.electron.test.ts.
      app = await _electron
        .launch(options)
        .catch(() => _electron.launch(options))
        .catch(() => _electron.launch(options));
      page = await app.firstWindow();
      await composer().waitFor();
    }
    const composer = () => page.getByRole('textbox', { name: 'Your question' });

    /** Starts Quoth on the same profile a second time: it hands over and ends. */
    async function startAgain(...more: string[]): Promise<number | null> {
      const binary = 'binary' in electron ? electron.binary : '';
      const second = spawn(binary, [...words(), ...more], { env: env(), stdio: 'ignore' });
      const [code] = (await once(second, 'exit')) as [number | null];
      return code;
    }
    const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: timeoutMs, interval: 50 });
    const isVisible = () => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible() ?? false);
    const changeSettings = async (section: string, change: () => Promise<void>): Promise<void> => {
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('tab', { name: section }).click();
      await change();
      await page.getByRole('button', { name: 'New chat' }).click();
    };

    beforeAll(async () => {
      await build();
      folder = await mkdtemp(path.join(os.tmpdir(), 'quoth desktop 山田 太郎 '));
      profile = path.join(folder, 'プロファイル');
      display = await openDisplay();
      await launch();
    }, 600_000);
    afterAll(async () => {
      await app?.close();
      display?.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    });

    it('a second start ends at once, and what it was asked for stands in the first: a question, not sent', async () => {
      expect(await startAgain('quoth://ask?question=How%20tall%20is%20the%20tower%3F')).toBe(0);
      await eventually(() => composer().inputValue()).toBe('How tall is the tower?');
      expect(await page.getByRole('article').count()).toBe(0);
      expect(await composer().evaluate((field) => field === document.activeElement)).toBe(true);
      await composer().fill('');
    });

    it('links that ask for more, or for other things, only bring the window', async () => {
      await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.hide());
      await startAgain('quoth://ask?question=x&send=1', 'quoth://forget', 'https://example.com/');
      await eventually(isVisible).toBe(true);
      expect(await composer().inputValue()).toBe('');
    });

    it('a task of the system’s own list shows its view', async () => {
      await startAgain('--library');
      await page.getByRole('heading', { name: 'Library', exact: true }).waitFor();
      await startAgain('--new-chat');
      await composer().waitFor();
    });

    it('the keys are registered with the system, bring a hidden window, and are free again after Remove', async () => {
      await changeSettings('Desktop', async () => {
        await page.getByRole('button', { name: 'Choose keys' }).click();
        await page.keyboard.press('Control+V');
        await page.getByText(/system and other programs use these keys/).waitFor();
        await page.keyboard.press('Control+Alt+Shift+Y');
        await page.getByRole('button', { name: /^Change the keys/ }).waitFor();
      });
      const isRegistered = () =>
        app.evaluate(({ globalShortcut }) => globalShortcut.isRegistered('Control+Alt+Shift+Y'));
      await eventually(isRegistered).toBe(true);
      await changeSettings('Desktop', () => page.getByRole('button', { name: 'Remove' }).click());
      await eventually(isRegistered).toBe(false);
    });

    it('in the tray: closing hides, a second start brings back, and out of it closing ends', async () => {
      await changeSettings('Desktop', () => page.getByRole('switch', { name: 'Stay in the tray' }).click());
      await eventually(() =>
        app.evaluate(({ BrowserWindow }) => {
          const [window] = BrowserWindow.getAllWindows();
          window?.close();
          return window === undefined || window.isDestroyed() ? 'gone' : window.isVisible();
        }),
      ).toBe(false);
      await startAgain();
      await eventually(isVisible).toBe(true);
      await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
      await eventually(isVisible).toBe(false);
      await startAgain('--settings');
      await eventually(isVisible).toBe(true);
      await page.getByRole('tab', { name: 'Desktop' }).click();
      await page.getByRole('switch', { name: 'Stay in the tray' }).click();
      await eventually(() => page.getByRole('switch', { name: 'Stay in the tray' }).getAttribute('aria-checked')).toBe(
        'false',
      );
    });

    it('the menu speaks the language of the window, at once', async () => {
      const labels = () =>
        app.evaluate(({ Menu }) => Menu.getApplicationMenu()?.items.map(({ label }) => label.replace('&', '')) ?? []);
      expect(await labels()).toEqual(['File', 'Edit', 'View', 'Window', 'Help']);
      await page.getByRole('tab', { name: 'Appearance' }).click();
      await page.getByRole('combobox', { name: 'Language' }).selectOption('日本語');
      await eventually(labels).toEqual(['ファイル(F)', '編集(E)', '表示(V)', 'ウィンドウ(W)', 'ヘルプ(H)']);
      await page.getByRole('combobox', { name: '言語' }).selectOption('English');
      await eventually(labels).toEqual(['File', 'Edit', 'View', 'Window', 'Help']);
    });

    it('an item of the menu shows what it says', async () => {
      await app.evaluate(({ Menu }) => {
        const view = Menu.getApplicationMenu()?.items[2]?.submenu?.items.find(({ label }) => label === 'Models');
        view?.click();
      });
      await page.getByRole('heading', { name: 'Models', exact: true }).waitFor();
    });

    it('work that is done before anybody would look away is not told of', async () => {
      const documents = path.join(folder, 'documents');
      await mkdir(documents);
      await writeFile(path.join(documents, 'tower.txt'), 'The tower is 330 metres tall.');
      await app.evaluate(({ Notification, BrowserWindow, dialog }, chosen) => {
        const shown: string[] = [];
        Notification.isSupported = () => true;
        Notification.prototype.show = function show(this: Electron.Notification) {
          shown.push(this.title);
        };
        Object.assign(globalThis, { shownNotices: shown });
        for (const window of BrowserWindow.getAllWindows()) window.isFocused = () => false;
        dialog.showOpenDialog = async () => ({ canceled: false, filePaths: [chosen] });
      }, documents);
      await page
        .getByRole('button', { name: /^Library/ })
        .first()
        .click();
      await page.getByRole('button', { name: 'Add folder' }).click();
      await eventually(() => page.getByRole('button', { name: /^Ready\s*1/ }).count()).toBe(1);
      expect(await app.evaluate(() => (globalThis as unknown as { shownNotices: string[] }).shownNotices)).toEqual([]);
    });

    it('a computer that wakes has its folders looked at: what changed in the sleep is found', async () => {
      await app.evaluate(({ powerMonitor }) => void powerMonitor.emit('resume'));
      const log = () => readFile(path.join(profile, 'quoth.log'), 'utf8');
      await eventually(log).toContain('the computer has woken');
      await writeFile(path.join(folder, 'documents', 'bridge.txt'), 'The bridge opened in 1937.');
      await eventually(() => page.getByRole('button', { name: /^Ready\s*2/ }).count()).toBe(1);
    });

    it('after a restart the window stands where it stood, and a link of the start is shown', async () => {
      const bounds = { x: 120, y: 90, width: 900, height: 640 };
      await app.evaluate(({ BrowserWindow }, wanted) => BrowserWindow.getAllWindows()[0]?.setBounds(wanted), bounds);
      const boundsNow = () => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getBounds());
      await eventually(boundsNow).toEqual(bounds);
      await app.close();
      await launch(['quoth://ask?question=%E6%A9%8B%E3%81%AF%EF%BC%9F']);
      expect(await boundsNow()).toEqual(bounds);
      await eventually(() => composer().inputValue()).toBe('橋は？');
      await app.close();
      // A screen that is not there any more.
      const state = { x: 9000, y: -3000, width: 900, height: 640, isMaximized: false };
      await writeFile(path.join(profile, 'electron', 'window.json'), JSON.stringify(state));
      await launch();
      const { x, y, width, height } = (await boundsNow())!;
      expect({ width, height }).toEqual({ width: 900, height: 640 });
      expect(x).toBeGreaterThanOrEqual(0);
      expect(y).toBeGreaterThanOrEqual(0);
    }, 120_000);

    it('everything is forgotten from the settings, and the window begins anew', async () => {
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('tab', { name: 'Appearance' }).click();
      await page.getByRole('radio', { name: 'Dark' }).click();
      await page.getByRole('tab', { name: 'Privacy' }).click();
      await page.getByRole('button', { name: 'Forget everything' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('textbox').fill('forget');
      await dialog.getByRole('button', { name: 'Forget everything' }).click();
      await dialog.waitFor({ state: 'detached' });
      await composer().waitFor();
      await page
        .getByRole('button', { name: /^Library/ })
        .first()
        .click();
      await page.getByText('Drop documents here').waitFor();
      expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBeUndefined();
      const database = await readFile(path.join(profile, 'quoth.db'));
      expect(database.includes('tower')).toBe(false);
    });
  },
);
