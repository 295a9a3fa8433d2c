// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { QuothError } from '../../app/contract/errors.ts';
import type { QuothShell } from '../../app/contract/shell.ts';
import type { ChatId, DocumentId } from '../../app/contract/types.ts';
import { type FakeApp, makeConnection, makeDocument, makeTurn } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

async function openSection(
  section: string,
  prepare: (app: FakeApp) => void = () => undefined,
  kind: QuothShell['kind'] = 'electron',
) {
  const user = userEvent.setup();
  const opened = openWindow(prepare, kind);
  await user.click(await screen.findByRole('button', { name: 'Settings' }));
  await user.click(await screen.findByRole('tab', { name: section }));
  await screen.findByRole('heading', { name: section });
  return { ...opened, user };
}

describe('the settings are parts', () => {
  it('one at a time, by pointer and by arrow keys, and a browser has none of the desktop', async () => {
    const { user } = await openSection('Privacy', undefined, 'loopback');
    expect(screen.getAllByRole('tabpanel')).toHaveLength(1);
    expect(screen.queryByRole('tab', { name: 'Desktop' })).toBeNull();
    screen.getByRole('tab', { name: 'Privacy' }).focus();
    await user.keyboard('{ArrowDown}');
    await screen.findByRole('region', { name: 'Local API' });
    await user.keyboard('{ArrowDown}');
    await screen.findByRole('heading', { name: 'This computer' });
  });
});

describe('answers', () => {
  it('the person’s own instruction is kept when its field is left, bounded and without blanks around it', async () => {
    const { app, user } = await openSection('Answers');
    const field = screen.getByRole('textbox', { name: 'Your own instruction' });
    expect(field.getAttribute('maxlength')).toBe('2000');
    await user.type(field, '  Answer in Italian.  ');
    expect(app.settings().systemPrompt).toBe('');
    await user.tab();
    await waitFor(() => expect(app.settings().systemPrompt).toBe('Answer in Italian.'));
  });
});

describe('models & engine', () => {
  it('context and precision are chosen, or left to Quoth, and it is said when they count', async () => {
    const { app, user } = await openSection('Models & engine');
    expect(screen.getByText(/takes effect the next time the chat model is loaded/)).toBeTruthy();
    await user.selectOptions(screen.getByRole('combobox', { name: 'Context' }), '16,384 tokens');
    await waitFor(() => expect(app.settings().contextTokens).toBe(16_384));
    await user.selectOptions(screen.getByRole('combobox', { name: 'Context' }), 'Automatic');
    await waitFor(() => expect(app.settings().contextTokens).toBeNull());
    await user.selectOptions(screen.getByRole('combobox', { name: 'Precision of the memory' }), '8 bits (int8)');
    await waitFor(() => expect(app.settings().kvPrecision).toBe('i8'));
  });
});

describe('desktop', () => {
  it('keys are taken as they are pressed, and removed again', async () => {
    const { app, user } = await openSection('Desktop');
    await user.click(screen.getByRole('button', { name: 'Choose keys' }));
    await user.keyboard('{Alt>}{Shift>}[KeyQ]{/Shift}{/Alt}');
    await waitFor(() => expect(app.settings().shortcut).toBe('Alt+Shift+Q'));
    const change = await screen.findByRole('button', { name: /Change the keys: ?Alt ?Shift ?Q/ });
    expect(within(change).getByText('Q').tagName).toBe('KBD');
    await user.click(screen.getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(app.settings().shortcut).toBeNull());
  });

  it('keys that cannot be had are refused with the reason, and others can be pressed at once', async () => {
    const { app, user, shortcuts } = await openSection('Desktop');
    shortcuts.set('Control+Alt+X', 'taken');
    await user.click(screen.getByRole('button', { name: 'Choose keys' }));
    await user.keyboard('[KeyQ]');
    await screen.findByText(/the key alone is for writing/);
    await user.keyboard('{Control>}[KeyV]{/Control}');
    await screen.findByText(/system and other programs use these/);
    await user.keyboard('{Control>}{Alt>}[KeyX]{/Alt}{/Control}');
    await screen.findByText(/Another program has taken/);
    expect(app.settings().shortcut).toBeNull();
    await user.keyboard('{Control>}{Alt>}[KeyY]{/Alt}{/Control}');
    await waitFor(() => expect(app.settings().shortcut).toBe('Control+Alt+Y'));
  });

  it('the recording ends with Escape or when the person goes on, and changes nothing', async () => {
    const { app, user } = await openSection('Desktop');
    for (const end of ['{Escape}', '{Tab}']) {
      await user.click(screen.getByRole('button', { name: 'Choose keys' }));
      await user.keyboard(end);
      await screen.findByRole('button', { name: 'Choose keys' });
    }
    expect(app.settings().shortcut).toBeNull();
  });

  it('keys that another program has taken since are named as such', async () => {
    const { shortcuts } = await openSection('Desktop', (app) => {
      void app.handlers.changeSettings({ shortcut: 'Alt+Shift+Q' }, new AbortController().signal);
    });
    shortcuts.set('Alt+Shift+Q', 'taken');
    fireEvent.mouseDown(screen.getByRole('tab', { name: 'Privacy' }), { button: 0 });
    fireEvent.mouseDown(screen.getByRole('tab', { name: 'Desktop' }), { button: 0 });
    await screen.findByText(/Another program has taken these keys/);
  });

  it('tray and notices are switched', async () => {
    const { app, user } = await openSection('Desktop');
    await user.click(screen.getByRole('switch', { name: 'Stay in the tray' }));
    await user.click(screen.getByRole('switch', { name: 'Notices' }));
    await waitFor(() => expect(app.settings()).toMatchObject({ keepInTray: true, notifications: false }));
  });
});

describe('privacy', () => {
  it('the offline switch is kept by the core', async () => {
    const { app, user } = await openSection('Privacy');
    await user.click(screen.getByRole('switch', { name: 'Stay offline' }));
    await waitFor(() => expect(app.settings().offline).toBe(true));
    expect(screen.getByRole('switch', { name: 'Stay offline' }).getAttribute('aria-checked')).toBe('true');
  });

  it('every connection is listed with its host, purpose, sizes and outcome, and the list is cleared', async () => {
    const { app, user } = await openSection('Privacy', ({ ledger }) => {
      ledger.push(
        makeConnection(3, { outcome: 'refused', status: null, sentBytes: 0, receivedBytes: 0 }),
        makeConnection(2, { host: 'npm', purpose: 'model', status: null, sentBytes: null, receivedBytes: null }),
        makeConnection(1, { status: 429 }),
      );
    });
    const rows = (await screen.findAllByRole('row')).slice(1);
    expect(
      rows.map((row) =>
        within(row)
          .getAllByRole('cell')
          .slice(1)
          .map((cell) => cell.textContent),
      ),
    ).toEqual([
      ['www.youtube.com', 'Reading a video', '0 B', '0 B', 'not made'],
      ['npm', 'Fetching a model', 'not known', 'not known', 'done'],
      ['www.youtube.com', 'Reading a video', '812 B', '48.2 kB', 'done (429)'],
    ]);
    await screen.findByText('3 connections');
    await user.click(screen.getByRole('button', { name: 'Clear the list' }));
    await screen.findByText('Quoth has made no connection.');
    expect(app.ledger).toEqual([]);
  });

  it('a long list shows more when that is asked for', async () => {
    const { user } = await openSection('Privacy', ({ ledger }) => {
      for (let n = 120; n > 0; n--) ledger.push(makeConnection(n));
    });
    expect(await screen.findAllByRole('row')).toHaveLength(51);
    await user.click(screen.getByRole('button', { name: 'Show more' }));
    await waitFor(() => expect(screen.getAllByRole('row')).toHaveLength(101));
  });

  it('everything is forgotten only after the word was typed', async () => {
    const { app, user } = await openSection('Privacy');
    await user.click(screen.getByRole('button', { name: 'Forget everything…' }));
    const dialog = await screen.findByRole('dialog', { name: 'Forget everything?' });
    const doIt = within(dialog).getByRole('button', { name: 'Forget everything' });
    const field = within(dialog).getByRole('textbox');
    await user.type(field, 'forge{Enter}');
    expect(doIt.hasAttribute('disabled')).toBe(true);
    expect(app.allForgotten).toEqual([]);
    await user.click(within(dialog).getByRole('checkbox', { name: /Remove the models too/ }));
    await user.type(field, 'T ');
    await user.click(doIt);
    await waitFor(() => expect(app.allForgotten).toEqual([{ modelsToo: true }]));
  });

  it('what went wrong with the forgetting is said, and it can be tried again', async () => {
    const { app, user } = await openSection('Privacy');
    const refuse = async (): Promise<never> => {
      throw new QuothError('denied', 'A file is locked.');
    };
    Object.assign(app.handlers, { forgetEverything: refuse });
    await user.click(screen.getByRole('button', { name: 'Forget everything…' }));
    const dialog = await screen.findByRole('dialog');
    await user.type(within(dialog).getByRole('textbox'), 'forget{Enter}');
    expect((await within(dialog).findByRole('alert')).textContent).toBe('A file is locked.');
    expect(within(dialog).getByRole('button', { name: 'Forget everything' }).hasAttribute('disabled')).toBe(false);
  });
});

describe('this computer', () => {
  it('says where the data lies, and opens the folder where there is a file manager', async () => {
    const { calls, user } = await openSection('This computer');
    await screen.findByText('/home/me/quoth/profile');
    await user.click(screen.getByRole('button', { name: 'Open the folder' }));
    expect(calls.numFoldersOpened).toBe(1);
  });
});

describe('what the shell asks to show', () => {
  it('a question of a link stands in the composer, with the focus, and is not sent', async () => {
    const { app, command } = openWindow(undefined, 'electron');
    command({ type: 'compose', question: 'How tall is the tower?' });
    const field = await screen.findByRole<HTMLTextAreaElement>('textbox', { name: 'Your question' });
    await waitFor(() => expect(field.value).toBe('How tall is the tower?'));
    await waitFor(() => expect(document.activeElement).toBe(field));
    expect(app.asked).toEqual([]);
  });

  it('what was being typed stays before it', async () => {
    const { command } = openWindow(undefined, 'electron');
    const field = await screen.findByRole<HTMLTextAreaElement>('textbox', { name: 'Your question' });
    fireEvent.change(field, { target: { value: 'My own' } });
    command({ type: 'compose', question: 'Theirs?' });
    await waitFor(() => expect(field.value).toBe('My own\nTheirs?'));
  });

  it('chats, documents and views come to the front; what is not there is said', async () => {
    const chatId = `chat_${'1'.repeat(16)}` as ChatId;
    const { command } = openWindow((app) => {
      app.setDocument(makeDocument(1, { title: 'Report' }));
      app.chats.set(chatId, {
        chat: { id: chatId, title: 'Kept', numTurns: 1, updatedAtMs: 1 },
        turns: [makeTurn(5, 'What was kept?')],
      });
    }, 'electron');
    await screen.findByRole('button', { name: 'Kept' });
    command({ type: 'chat', chatId, turnId: null });
    await screen.findByRole('article', { name: 'What was kept?' });
    command({ type: 'document', documentId: makeDocument(1).id });
    await screen.findByRole('complementary', { name: 'Reader: Report' });
    command({ type: 'document', documentId: `doc_${'z'.repeat(16)}` as DocumentId });
    await screen.findByText('This document is not in the library.');
    command({ type: 'view', view: 'settings' });
    await screen.findByRole('heading', { name: 'Settings' });
    command({ type: 'new-chat' });
    await screen.findByText('Ask your own documents.');
  });
});
