/**
 * Japanese, Chinese and Korean are written in two steps: letters become words, and Enter chooses the words. That Enter must
 * send nothing, in any field that takes one. Chromium composes here as it does for a person's input method (CDP's
 * `Input.imeSetComposition`), with the keys that Windows sends meanwhile: key "Process", code 229.
 */
import type { CDPSession, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { ChatId } from '../../app/contract/types.ts';
import { createFakeApp, makeAnswer, makeDocument, makeTurn, Tape } from '../fakes/app-handlers.ts';
import { type BuiltWindow, chromiumPath, startBuiltWindow } from './built-window.ts';

type Word = { language: string; steps: string[]; word: string };

/** What the field shows while the word is being written, and what is chosen in the end. */
const words: Word[] = [
  { language: 'Japanese', steps: ['に', 'にh', 'にほ', 'にほんご', '日本語'], word: '日本語' },
  { language: 'Chinese', steps: ['z', 'zh', 'zhong', 'zhong wen'], word: '中文' },
  { language: 'Korean', steps: ['ㅎ', '하', '한', '한ㄱ', '한그', '한글'], word: '한글' },
];

/** The Enter of an input method: pressed while the word is open, and named "Process". */
async function pressComposingEnter(session: CDPSession): Promise<void> {
  const key = { key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229, nativeVirtualKeyCode: 13 };
  await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...key });
  await session.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key, key: 'Enter', windowsVirtualKeyCode: 13 });
}

/** Writes a word into the field that has the focus, choosing it with Enter. `check` is called at every step. */
async function compose(page: Page, { steps, word }: Word, check: () => Promise<void>): Promise<void> {
  const session = await page.context().newCDPSession(page);
  for (const step of steps) {
    await session.send('Input.imeSetComposition', {
      text: step,
      selectionStart: step.length,
      selectionEnd: step.length,
    });
    await check();
  }
  await pressComposingEnter(session);
  await check();
  // macOS and Linux name the key, and mark the event as one of a composition. No character comes of it.
  const enter = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 };
  await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...enter });
  await session.send('Input.dispatchKeyEvent', { type: 'keyUp', ...enter });
  await check();
  await session.send('Input.insertText', { text: word });
  await check();
  await session.detach();
}

describe.skipIf(!chromiumPath)('A word that is being composed', () => {
  let window: BuiltWindow;
  beforeAll(async () => {
    window = await startBuiltWindow();
  });
  afterAll(() => window?.close());
  afterEach(() => window?.closePage());

  const chatId = `chat_${'1'.repeat(16)}` as ChatId;
  async function open(): Promise<Page> {
    const app = createFakeApp();
    window.app = app;
    app.setDocument(makeDocument(1));
    app.chats.set(chatId, {
      chat: { id: chatId, title: 'Kept', numTurns: 1, updatedAtMs: 2 },
      turns: [makeTurn(61, 'What was kept?', makeAnswer('All.', []))],
    });
    const tape = new Tape<AskEvent>();
    tape.end();
    app.script.answers.push(tape, tape);
    return window.open();
  }

  it.each(words)(
    'is not sent from the composer by the Enter that chooses it, and by the next one it is: $language',
    async (word) => {
      const page = await open();
      const composer = page.getByRole('textbox', { name: 'Your question' });
      await composer.focus();
      await compose(page, word, async () => expect(window.app.asked).toEqual([]));
      expect(await composer.inputValue()).toBe(word.word);
      await page.keyboard.press('Enter');
      await expect.poll(() => window.app.asked.map(({ question }) => question)).toEqual([word.word]);
    },
  );

  // Every other field that takes an Enter, with one of them.
  const word = words[0]!;

  it('is not sent from an edited question', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Kept', exact: true }).click();
    await page.getByRole('button', { name: 'Edit the question' }).click();
    const field = page.getByRole('textbox', { name: 'The question, edited' });
    await compose(page, word, async () => {
      expect(window.app.asked).toEqual([]);
      expect(await field.isVisible()).toBe(true);
    });
    await page.keyboard.press('Enter');
    await expect.poll(() => window.app.asked.map(({ question }) => question)).toEqual([`What was kept?${word.word}`]);
  });

  it('does not end the new name of a chat', async () => {
    const page = await open();
    await page.getByRole('button', { name: /^More for “Kept”/ }).click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    const field = page.getByRole('textbox', { name: 'New name of the chat' });
    await compose(page, word, async () => expect(await field.isVisible()).toBe(true));
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: word.word, exact: true }).waitFor();
  });

  it('does not add an address', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Library' }).click();
    await page.getByRole('button', { name: 'Add address' }).click();
    const field = page.getByRole('dialog').getByRole('textbox');
    await field.focus();
    await compose(page, word, async () => {
      expect(window.app.added).toEqual([]);
      expect(await field.isVisible()).toBe(true);
    });
    expect(await field.inputValue()).toBe(word.word);
  });

  it('does not start work on whole documents', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Read whole documents' }).click();
    await page.getByRole('button', { name: 'Every mention' }).click();
    const field = page.getByRole('textbox', { name: 'What is mentioned?' });
    await field.focus();
    await compose(page, word, async () => expect(window.app.started).toEqual([]));
    expect(await field.inputValue()).toBe(word.word);
  });

  it('does not choose a command of the composer', async () => {
    const page = await open();
    await page.getByRole('textbox', { name: 'Your question' }).fill('/');
    await page.getByRole('listbox').waitFor();
    await compose(page, word, async () => expect(await page.getByRole('dialog').count()).toBe(0));
  });

  it('does not forget everything, nor save the languages of captions half written', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('tab', { name: 'Library' }).click();
    await page.getByRole('textbox', { name: 'Languages of captions' }).focus();
    await compose(page, word, async () => expect(window.app.settings().captionLanguages).toEqual(['en']));
    await page.getByRole('tab', { name: 'Privacy' }).click();
    await page.getByRole('button', { name: 'Forget everything' }).click();
    await page.getByRole('dialog').getByRole('textbox').focus();
    await compose(page, word, async () => expect(window.app.allForgotten).toEqual([]));
  });
});
