/** Models on other computers and the local API, in the browser that draws them: axe, and no word cut off, in each theme. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChatId, ModelId } from '../../app/contract/types.ts';
import { createFakeApp, makeAnswer, makeDocument, makeModel, makeTurn } from '../fakes/app-handlers.ts';
import { type BuiltWindow, chromiumPath, startBuiltWindow } from './built-window.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const where = { host: 'gpu.example:8000', isLoopback: false, isPrivate: false };
const address = 'http://gpu.example:8000/v1';
const name = 'meta-llama/Llama-3.3-70B-Instruct';

/** What axe finds that stands in somebody's way. */
async function findingsOf(page: Page): Promise<string[]> {
  return (await page.evaluate(`(async () => {
    ${axeSource};
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html.slice(0, 160)));
  })()`)) as string[];
}

describe.skipIf(!chromiumPath)('what goes to other computers and programs', () => {
  let window: BuiltWindow;
  beforeAll(async () => {
    window = await startBuiltWindow();
  });
  afterAll(() => window?.close());
  afterEach(() => window?.closePage());

  it.each(['light', 'dark', 'contrast'] as const)('stands in nobody’s way, in the theme %s', async (theme) => {
    const app = createFakeApp({ theme });
    window.app = app;
    app.setDocument(makeDocument(1));
    app.models.push(makeModel('Mistral 7B', { state: 'installed' }));
    const id = 'remote-1' as ModelId;
    app.remoteModels.push({ ...where, id, name, address, hasKey: true, contextTokens: 32_768, inUse: true });
    app.script.remoteOffers.set(where.host, { ...where, address, models: [{ name, contextTokens: 32_768 }] });
    const sentTo = { model: name, host: where.host, isLoopback: false, numPassages: 4 };
    const chatId = 'chat_0000000000000001' as ChatId;
    app.chats.set(chatId, {
      chat: { id: chatId, title: 'Kept', numTurns: 1, updatedAtMs: 1 },
      turns: [makeTurn(1, 'How was the harvest?', makeAnswer('It was good.', [], { sentTo }))],
    });

    const page = await window.open();
    await page.getByRole('button', { name: 'Kept', exact: true }).click();
    await page.getByText(/4 passages were sent there/).waitFor();
    expect(await page.getByText(/writes the answer/).isVisible()).toBe(true);
    expect(await findingsOf(page)).toEqual([]);

    await page.getByRole('button', { name: 'Models', exact: true }).click();
    await page.getByRole('button', { name: 'Add a server' }).click();
    await page.getByLabel('Address', { exact: true }).fill(where.host);
    await page.getByLabel(/^Key/).fill('sk-1');
    await page.keyboard.press('Enter');
    await page.getByText('The server says 32,768.').waitFor();
    expect(await findingsOf(page)).toEqual([]);
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    await page.getByRole('tab', { name: 'Other programs' }).click();
    const door = page.getByRole('switch', { name: 'Let other programs in' });
    await door.focus();
    await page.keyboard.press('Space');
    await page.getByText('quoth-the-first-key').waitFor();
    expect(await findingsOf(page)).toEqual([]);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBeLessThanOrEqual(0);
    expect(window.violations).toEqual([]);
    expect(window.strayRequests).toEqual([]);
  });
});
