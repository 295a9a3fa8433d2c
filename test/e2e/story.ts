/** The road, as a person walks it, in a window of either shell. */

import { answerWords, question, stopQuestion } from './documents.ts';
import { expect, type Page } from './playwright.ts';

/** Everything that the page's policy blocked or that threw in it: none of it may happen. */
export function watchFaults(page: Page): string[] {
  const faults: string[] = [];
  page.on('console', (message) => {
    if (/content security policy|refused to/i.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  return faults;
}

export async function openLibrary(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Library/ }).click();
}

/** All four documents come to their end, three of them ready and one with its reason. */
export async function seeLibrary(page: Page): Promise<void> {
  await openLibrary(page);
  const rows = page.getByRole('grid', { name: 'Library' });
  for (const name of ['bridges', 'Tea', 'lighthouse'])
    await expect(rows.getByRole('button', { name: new RegExp(`^${name}`, 'i') })).toBeVisible();
  await expect(page.getByRole('button', { name: /^Ready\s*3/ })).toBeVisible();
  await expect(page.getByRole('button', { name: /^Not read\s*1/ })).toBeVisible();
  await expect(rows.getByText(/empty/i).first()).toBeVisible();
}

/** Asks in a new chat, sees the answer with its citation, opens it, and finds the words in the reader. */
export async function askAndOpenCitation(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'New chat' }).click();
  await page.getByRole('textbox', { name: 'Your question' }).fill(question);
  await page.keyboard.press('Enter');
  const answer = page.getByRole('article', { name: question });
  await expect(answer).toHaveAttribute('aria-busy', 'false');
  const citation = answer.getByRole('button', { name: /^Source \d+: .*p\. 2/ }).first();
  await expect(citation).toBeVisible();
  await citation.click();
  const reader = page.getByRole('complementary', { name: /^Reader: bridges/i });
  await expect(reader).toBeVisible();
  await reader
    .getByRole('button', { name: 'Text' })
    .or(reader.getByRole('radio', { name: 'Text' }))
    .click();
  await expect(reader.getByText(new RegExp(answerWords)).first()).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(reader).toBeHidden();
}

/** After a restart: the chat with its answer, as it was. */
export async function findChatAgain(page: Page): Promise<void> {
  await page
    .getByRole('navigation', { name: 'Chats' })
    .getByRole('button', { name: /^How long/ })
    .first()
    .click();
  const answer = page.getByRole('article', { name: question });
  // Its source, not its words: a model that is not greedy may have put the answer in its own.
  await expect(answer.getByRole('button', { name: /^Source \d+: .*p\. 2/ }).first()).toBeVisible();
}

/**
 * Stops an answer while it is written; what was said is kept. Needs a chat model.
 *
 * The engine writes faster than a test can look and click, so the click is made in the page, at the first word.
 */
export async function stopAnAnswer(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'New chat' }).click();
  await page.getByRole('textbox', { name: 'Your question' }).fill(stopQuestion);
  await page.evaluate((name) => {
    const observer = new MutationObserver(() => {
      const answer = [...document.querySelectorAll('article')].find(
        (article) => article.getAttribute('aria-label') === name,
      );
      const stop = document.querySelector<HTMLButtonElement>('button[aria-label="Stop"]');
      if (!stop || !/lighthouse|built|century|Alexandria/i.test(answer?.textContent?.replace(name, '') ?? '')) return;
      observer.disconnect();
      stop.click();
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  }, stopQuestion);
  await page.keyboard.press('Enter');
  const answer = page.getByRole('article', { name: stopQuestion });
  await expect(answer).toHaveAttribute('aria-busy', 'false');
  await expect(answer).toContainText(/Stopped/);
}

/** Chooses a document with the keys alone, makes a collection of it, and asks in it. */
export async function askInACollection(page: Page): Promise<void> {
  await openLibrary(page);
  const rows = page.getByRole('grid', { name: 'Library' });
  await rows.getByRole('row').first().focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('t'); // "Tea"
  await page.keyboard.press('Space');
  await rows.getByRole('row', { selected: true }).waitFor();
  await page.getByRole('button', { name: 'Add to collection' }).press('Enter');
  await page.getByRole('menuitem', { name: 'New collection…' }).press('Enter');
  await page.getByRole('textbox', { name: 'Name of the collection' }).fill('Kitchen 台所');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /^Kitchen 台所\s?, 1 document$/ }).click();
  await rows.getByRole('row').nth(1).waitFor({ state: 'detached' });
  await expect(rows.getByRole('button', { name: /^Tea$/ })).toBeVisible();
  await page.getByRole('button', { name: 'More for the collection “Kitchen 台所”' }).press('Enter');
  await page.getByRole('menuitem', { name: 'Ask in it' }).press('Enter');
  // What the bridge's document says is not in the collection.
  await page.getByRole('textbox', { name: 'Your question' }).fill('How hot is the water for green tea?');
  await page.keyboard.press('Enter');
  const answer = page.getByRole('article', { name: 'How hot is the water for green tea?' });
  await expect(answer).toHaveAttribute('aria-busy', 'false');
  await expect(answer.getByText('In: Kitchen 台所')).toBeVisible();
  await answer.getByRole('button', { name: '1 passage from 1 document' }).waitFor();
  await openLibrary(page);
  await page.getByRole('button', { name: /^All documents/ }).click();
}

/** Adds a document, opens its own page, looks for its words, and removes it. */
export async function removeForGood(page: Page, file: string): Promise<void> {
  await openLibrary(page);
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Add files' }).click();
  await (await chooser).setFiles(file);
  const rows = page.getByRole('grid', { name: 'Library' });
  await rows.getByRole('button', { name: 'secret', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'secret' })).toBeVisible();
  await page.keyboard.press('Control+f');
  await expect(page.getByText(/Zyxwvutania/).first()).toBeVisible();
  await page.keyboard.type('IS our');
  await expect(page.getByText('1 of 1')).toBeVisible();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByText(/^Gone: 1 document with 1 passage\. .+ freed\.$/)).toBeVisible();
  await rows.getByRole('button', { name: 'secret', exact: true }).waitFor({ state: 'detached' });
}
