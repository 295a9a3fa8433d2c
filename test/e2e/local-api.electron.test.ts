/** The door for other programs and a model on another computer, in real Electron: its core's process listens and asks. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../main/setup/build.mjs';
import { type OpenAiServer, startOpenAiServer } from '../fakes/openai-server.ts';
import { canOpenDisplay, type Display, openDisplay } from './display.ts';
import { findElectron } from './electron-runtime.ts';
import { _electron, type ElectronApplication, type Page } from './playwright.ts';

const root = path.resolve(import.meta.dirname, '../..');
const electron = canOpenDisplay() ? findElectron() : { reason: 'there is no display and no Xvfb' };

describe.skipIf('reason' in electron)(`in Electron${'reason' in electron ? ` (${electron.reason})` : ''}`, () => {
  let folder = '';
  let display: Display;
  let app: ElectronApplication;
  let page: Page;
  let server: OpenAiServer;

  beforeAll(async () => {
    await build();
    folder = await mkdtemp(path.join(os.tmpdir(), 'quoth electron api 山田 '));
    server = await startOpenAiServer();
    display = await openDisplay();
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const options = {
      executablePath: 'binary' in electron ? electron.binary : undefined,
      args: [...sandbox, '--disable-gpu', root, `--profile=${path.join(folder, 'profile')}`],
      env: { ...(process.env as Record<string, string>), DISPLAY: display.name },
      timeout: 30_000,
    };
    app = await _electron
      .launch(options)
      .catch(() => _electron.launch(options))
      .catch(() => _electron.launch(options));
    page = await app.firstWindow();
    await page.getByRole('textbox', { name: 'Your question' }).waitFor();
  }, 600_000);
  afterAll(async () => {
    await app?.close();
    display?.close();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('a program with the key that the settings show once is let in, until the door is shut', async () => {
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    await page.getByRole('tab', { name: 'Other programs' }).click();
    const section = page.getByRole('region', { name: 'Local API' });
    await section.getByRole('switch').click();
    const key = await section.getByText(/^quoth-/).innerText();
    const address = await section.getByText(/^http:\/\/127/).innerText();
    const ask = () => fetch(`${address}/models`, { headers: { authorization: `Bearer ${key}` } });
    const models = (await (await ask()).json()) as { data: { id: string }[] };
    expect(models.data.map(({ id }) => id)).toContain('quoth-library');
    expect((await fetch(`${address}/models`)).status).toBe(401);
    await section.getByRole('switch').click();
    await expect
      .poll(() =>
        ask()
          .then(() => 'open')
          .catch(() => 'shut'),
      )
      .toBe('shut');
  });

  it('a server is added with its key, which is kept as the dialog says', async () => {
    await page.getByRole('button', { name: 'Models', exact: true }).click();
    await page.getByRole('button', { name: 'Add a server' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Address', { exact: true }).fill(server.host);
    await dialog.getByLabel(/^Key/).fill('sk-a-canary');
    const isEncrypted = await dialog.getByText(/kept encrypted/).isVisible();
    await dialog.getByRole('button', { name: 'Find its models' }).click();
    await dialog.getByRole('button', { name: 'Try it' }).click();
    await dialog.getByText(/It says “Hello there\.”/).waitFor();
    expect(server.received.at(-1)?.authorization).toBe('Bearer sk-a-canary');
    await dialog.getByRole('button', { name: 'Add and use' }).click();
    await page.getByRole('region', { name: 'On another computer' }).getByText('In use').waitFor();
    const file = path.join(folder, 'profile', 'keys.json');
    expect((await readFile(file, 'utf8')).includes('sk-a-canary')).toBe(!isEncrypted);
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600);
    await page.getByRole('button', { name: 'New chat' }).click();
    await page.getByText(`big at ${server.host} writes the answer, on this computer.`).waitFor();
  });
});
