// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { DocumentId } from '../../app/contract/types.ts';
import { type FakeApp, makeDocument, makeFolder } from '../fakes/app-handlers.ts';
import { makeCollection } from '../fakes/shelf.ts';
import { openWindow } from './open-window.tsx';

const titles = ['Apple', 'Banana', 'Cherry', 'Damson', 'Elder'];
const contracts = makeCollection(1, { name: 'Contracts' });

function fill(app: FakeApp): void {
  titles.forEach((title, n) => {
    app.setDocument(makeDocument(n + 1, { title, addedAtMs: 1000 - n }));
  });
}

async function openLibrary(prepare: (app: FakeApp) => void = fill, kind?: 'electron' | 'loopback') {
  const opened = openWindow(prepare, kind);
  fireEvent.click(await screen.findByRole('button', { name: /^Library/ }));
  await screen.findByRole('grid', { name: 'Library' });
  return { ...opened, user: userEvent.setup() };
}

const idOf = (title: string): DocumentId => makeDocument(titles.indexOf(title) + 1).id;
const rowOf = (title: string): HTMLElement => screen.getByRole('button', { name: title }).closest('[role="row"]')!;
const focused = (): string | undefined => document.activeElement?.querySelector('button')?.textContent ?? undefined;
const chosen = (): string[] =>
  screen
    .getAllByRole('row')
    .filter((row) => row.getAttribute('aria-selected') === 'true')
    .map((row) => within(row).getAllByRole('button')[0]!.textContent!);

async function openMenu(name: string): Promise<void> {
  fireEvent.keyDown(await screen.findByRole('button', { name }), { key: 'Enter' });
  await screen.findByRole('menu');
}

describe('the rows by keyboard', () => {
  it('are walked, chosen one by one, in a row, and all; Escape lets them go', async () => {
    const { user } = await openLibrary();
    rowOf('Apple').focus();
    await user.keyboard('{ArrowDown}');
    await waitFor(() => expect(focused()).toBe('Banana'));
    await user.keyboard(' ');
    expect(chosen()).toEqual(['Banana']);
    await user.keyboard('{ArrowDown}{Shift>}{ArrowDown}{ArrowDown}{/Shift}');
    await waitFor(() => expect(chosen()).toEqual(['Cherry', 'Damson', 'Elder']));
    await user.keyboard('{Escape}');
    expect(chosen()).toEqual([]);
    await user.keyboard('{Control>}a{/Control}');
    expect(chosen()).toEqual(titles);
    await user.keyboard('{Home}');
    await waitFor(() => expect(focused()).toBe('Apple'));
    await user.keyboard('{End}');
    await waitFor(() => expect(focused()).toBe('Elder'));
  });

  it('are jumped to by what their names begin with', async () => {
    const { user } = await openLibrary((app) => {
      fill(app);
      app.setDocument(makeDocument(9, { title: 'Cellar', addedAtMs: 1 }));
    });
    rowOf('Apple').focus();
    await user.keyboard('c');
    await waitFor(() => expect(focused()).toBe('Cherry'));
    await user.keyboard('e');
    await waitFor(() => expect(focused()).toBe('Cellar'));
  });

  it('lead into what is in them and back', async () => {
    const { user } = await openLibrary();
    rowOf('Apple').focus();
    await user.keyboard('{ArrowRight}{ArrowRight}');
    expect(document.activeElement?.textContent).toBe('Apple');
    await user.keyboard('{Escape}');
    expect(document.activeElement).toBe(rowOf('Apple'));
    // One row is on the way of Tab, the others are not.
    expect(screen.getAllByRole('row').filter((row) => row.tabIndex === 0)).toHaveLength(1);
  });

  it('open with Enter, and the way back leads to the same row', async () => {
    const { user } = await openLibrary();
    rowOf('Apple').focus();
    await user.keyboard('{ArrowDown}{ArrowDown}');
    await waitFor(() => expect(focused()).toBe('Cherry'));
    await user.keyboard('{Enter}');
    await screen.findByRole('heading', { level: 1, name: 'Cherry' });
    await user.click(screen.getByRole('button', { name: 'Back' }));
    await waitFor(() => expect(rowOf('Cherry').tabIndex).toBe(0));
  });

  it('are removed with Delete, after a yes; the focus goes on from the row in their place', async () => {
    const { app, user } = await openLibrary();
    rowOf('Apple').focus();
    await user.keyboard('{ArrowDown}');
    await waitFor(() => expect(focused()).toBe('Banana'));
    await user.keyboard('{Delete}');
    const dialog = await screen.findByRole('dialog', { name: 'Remove “Banana”?' });
    expect(dialog.textContent).toContain('This cannot be undone.');
    expect(dialog.textContent).toContain('copies that Quoth made of them are deleted');
    expect(app.removedAll).toEqual([]);
    await user.click(within(dialog).getByRole('button', { name: 'Remove' }));
    await screen.findByText('Gone: 1 document with 3 passages. 2.5 MB freed.');
    expect(app.removedAll).toEqual([[idOf('Banana')]]);
    await waitFor(() => expect(focused()).toBe('Cherry'));
  });
});

describe('rows that are chosen', () => {
  it('are removed, asked about and summarised together', async () => {
    const { app, user, quoth } = await openLibrary();
    await user.click(screen.getByRole('checkbox', { name: 'Select “Banana”' }));
    await user.keyboard('{Shift>}');
    await user.click(screen.getByRole('checkbox', { name: 'Select “Damson”' }));
    await user.keyboard('{/Shift}');
    expect(chosen()).toEqual(['Banana', 'Cherry', 'Damson']);
    const bar = screen.getByRole('region', { name: 'Selected documents' });
    within(bar).getByText('3 documents selected');
    await user.click(within(bar).getByRole('button', { name: 'Ask about these' }));
    await screen.findByRole('button', { name: 'Ask in: Banana, Cherry +1' });
    const { conversationKey } = quoth.view.getState();
    const { scope } = quoth.conversations.getState().conversations[conversationKey]!;
    const ids = ['Banana', 'Cherry', 'Damson'].map(idOf);
    expect(scope?.places.map((place) => place.type === 'document' && place.documentId)).toEqual(ids);

    // The choice is kept while another view is in front.
    await user.click(screen.getByRole('button', { name: 'Library' }));
    expect(chosen()).toEqual(['Banana', 'Cherry', 'Damson']);
    await user.click(screen.getByRole('button', { name: 'Summarise' }));
    await waitFor(() => expect(app.started[0]!.task).toMatchObject({ scope: { documentIds: ids } }));
    await user.click(screen.getByRole('button', { name: 'Library' }));
    await user.click(
      within(screen.getByRole('region', { name: 'Selected documents' })).getByRole('button', { name: 'Remove' }),
    );
    const dialog = await screen.findByRole('dialog', { name: 'Remove 3 documents?' });
    await user.click(within(dialog).getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(app.removedAll).toEqual([ids]));
    expect(chosen()).toEqual([]);
  });

  it('and are not shown are left alone', async () => {
    const { app, user } = await openLibrary();
    await user.click(screen.getByRole('checkbox', { name: 'Select “Banana”' }));
    await user.click(screen.getByRole('checkbox', { name: 'Select “Cherry”' }));
    await user.type(screen.getByRole('searchbox', { name: 'Filter by name' }), 'cher');
    await screen.findByText('1 document selected');
    await user.click(
      within(screen.getByRole('region', { name: 'Selected documents' })).getByRole('button', { name: 'Remove' }),
    );
    await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(app.removedAll).toEqual([[idOf('Cherry')]]));
  });

  it('that failed are tried again, these or all', async () => {
    const failed = { state: 'failed', problem: 'locked', reason: 'x' } as const;
    const { app, user } = await openLibrary((fake) => {
      fill(fake);
      fake.setDocument(makeDocument(1, { title: 'Apple', ...failed }));
      fake.setDocument(makeDocument(2, { title: 'Banana', ...failed }));
    });
    await user.click(await screen.findByRole('button', { name: 'Not read 2' }));
    await user.click(await screen.findByRole('button', { name: 'Try all 2 again' }));
    await waitFor(() => expect(app.retriedAll).toHaveLength(1));
    expect(app.retriedAll[0]!.documentIds.toSorted()).toEqual([idOf('Apple'), idOf('Banana')]);
  });

  it('and are too many to be named one by one are offered a collection', async () => {
    const { user } = await openLibrary((app) => {
      for (let n = 1; n <= 230; n++) app.setDocument(makeDocument(n));
    });
    rowOf('Document 230').focus();
    await user.keyboard('{Control>}a{/Control}');
    await user.click(screen.getByRole('button', { name: 'Ask about these' }));
    await screen.findByText(/^At most 200 documents/);
    fireEvent.click(screen.getAllByRole('button', { name: 'New collection' }).at(-1)!);
    await screen.findByRole('dialog', { name: 'New collection' });
  });
});

describe('a document that could not be read', () => {
  it('says why in the window’s words, with the step that helps', async () => {
    const { user, app } = await openLibrary((fake) => {
      const reason = 'a sentence of the core';
      fake.setDocument(makeDocument(1, { title: 'Sealed', state: 'password', problem: 'password', reason }));
      fake.setDocument(makeDocument(2, { title: 'Talk', state: 'failed', problem: 'private', reason }));
      fake.setDocument(makeDocument(3, { title: 'Pipe', state: 'failed', problem: 'not-a-file', reason }));
    });
    await screen.findByText(/^It is protected by a password. Save a copy/);
    await user.click(screen.getByRole('button', { name: 'Choose another file for “Sealed”' }));
    await waitFor(() => expect(app.added).toHaveLength(1));
    await user.click(screen.getByRole('button', { name: 'Another address for “Talk”' }));
    await screen.findByRole('dialog', { name: 'Add an address' });
    await user.keyboard('{Escape}');
    expect(within(rowOf('Pipe')).queryByRole('button', { name: /Pipe”$/i, description: 'Try' })).toBe(null);
  });
});

describe('collections', () => {
  it('are made of what is chosen, narrow the rows, and are asked in', async () => {
    const { app, user } = await openLibrary();
    await user.click(screen.getByRole('checkbox', { name: 'Select “Banana”' }));
    await user.click(screen.getByRole('checkbox', { name: 'Select “Elder”' }));
    await openMenu('Add to collection');
    fireEvent.click(await screen.findByRole('menuitem', { name: 'New collection…' }));
    const dialog = await screen.findByRole('dialog', { name: 'New collection' });
    await user.type(within(dialog).getByRole('textbox', { name: 'Name of the collection' }), ' Fruit {Enter}');
    await screen.findByText('Added to “Fruit”: 2 documents.');
    const rail = screen.getByRole('navigation', { name: 'Collections and folders' });
    await user.click(await within(rail).findByRole('button', { name: /^Fruit\s?, 2 documents$/ }));
    await waitFor(() => expect(screen.getAllByRole('row')).toHaveLength(2));
    rowOf('Banana');
    rowOf('Elder');
    await openMenu('More for the collection “Fruit”');
    fireEvent.click(await screen.findByRole('menuitem', { name: 'Ask in it' }));
    await screen.findByRole('button', { name: 'Ask in: Fruit' });
    await user.type(screen.getByRole('textbox', { name: 'Your question' }), 'Which fruit?{Enter}');
    const { id } = app.collections()[0]!;
    await waitFor(() =>
      expect(app.asked[0]!.scope?.places).toEqual([{ type: 'collection', collectionId: id, name: 'Fruit' }]),
    );
  });

  it('take what is dragged onto them, and it can be undone', async () => {
    const { app } = await openLibrary((fake) => {
      fill(fake);
      fake.setCollections([contracts]);
    });
    const held = new Map<string, string>();
    const dataTransfer = {
      get types() {
        return [...held.keys()];
      },
      setData: (type: string, text: string) => void held.set(type, text),
      getData: (type: string) => held.get(type) ?? '',
    };
    fireEvent.dragStart(rowOf('Cherry'), { dataTransfer });
    const target = await screen.findByRole('button', { name: /^Contracts\s?, 0 documents$/ });
    fireEvent.dragOver(target, { dataTransfer });
    fireEvent.drop(target, { dataTransfer });
    await screen.findByText('Added to “Contracts”: 1 document.');
    expect(app.documents.get(idOf('Cherry'))!.collections).toEqual([contracts.id]);
    expect(screen.queryByText('Drop to add to your library')).toBe(null);
    fireEvent.click(screen.getByRole('button', { name: 'Undo' }));
    await waitFor(() => expect(app.documents.get(idOf('Cherry'))!.collections).toEqual([]));
  });

  it('are chosen in a document’s menu, where a tick says that it is in', async () => {
    const { app } = await openLibrary((fake) => {
      fill(fake);
      fake.setCollections([contracts]);
    });
    await openMenu('Whole document: “Apple”');
    fireEvent.keyDown(await screen.findByRole('menuitem', { name: 'Collections' }), { key: 'ArrowRight' });
    fireEvent.click(await screen.findByRole('menuitemcheckbox', { name: 'Contracts', checked: false }));
    await waitFor(() => expect(app.documents.get(idOf('Apple'))!.collections).toEqual([contracts.id]));
  });

  it('hold a watched folder as a whole, and keep a document that is in it', async () => {
    const folder = makeFolder(1);
    const { app, user } = await openLibrary((fake) => {
      fill(fake);
      fake.setDocument(makeDocument(1, { title: 'Apple', folder: folder.place }));
      fake.setFolders([folder]);
      fake.setCollections([contracts]);
    });
    await openMenu('More for the folder “Documents › Folder 1”');
    fireEvent.keyDown(await screen.findByRole('menuitem', { name: 'Collections' }), { key: 'ArrowRight' });
    fireEvent.click(await screen.findByRole('menuitemcheckbox', { name: 'Contracts' }));
    await screen.findByText('The folder is in “Contracts” now, with all that comes into it.');
    await waitFor(() => expect(app.documents.get(idOf('Apple'))!.collections).toEqual([contracts.id]));
    await user.click(await screen.findByRole('button', { name: /^Contracts\s?, 1 document$/ }));
    await waitFor(() => expect(screen.getAllByRole('row')).toHaveLength(1));
    await user.click(screen.getByRole('checkbox', { name: 'Select “Apple”' }));
    await user.click(screen.getByRole('button', { name: 'Take out of “Contracts”' }));
    await screen.findByText('Still in “Contracts” because of the folder: 1 document.');
  });

  it('are renamed, a name that is taken is refused in the dialog, and deleted with a way back', async () => {
    const { user } = await openLibrary((fake) => {
      fill(fake);
      fake.setDocument(makeDocument(1, { title: 'Apple', collections: [contracts.id] }));
      fake.setCollections([contracts]);
    });
    await openMenu('More for the collection “Contracts”');
    fireEvent.click(await screen.findByRole('menuitem', { name: 'Rename' }));
    const dialog = await screen.findByRole('dialog', { name: 'Rename the collection' });
    const field = within(dialog).getByRole('textbox');
    expect((field as HTMLInputElement).value).toBe('Contracts');
    await user.clear(field);
    await user.type(field, '契約{Enter}');
    await screen.findByRole('button', { name: /^契約\s?, 1 document$/ });
    await user.click(screen.getByRole('button', { name: 'New collection' }));
    await user.type(await screen.findByRole('textbox', { name: 'Name of the collection' }), '契約{Enter}');
    await screen.findByText('There is a collection of this name already.');
    await user.keyboard('{Escape}');
    await openMenu('More for the collection “契約”');
    fireEvent.click(await screen.findByRole('menuitem', { name: 'Delete the collection' }));
    await screen.findByText('“契約” is deleted. Its documents stay.');
    await waitFor(() => expect(screen.queryByRole('button', { name: /^契約\s?, 1 document$/ })).toBe(null));
    fireEvent.click(screen.getByRole('button', { name: 'Undo' }));
    await screen.findByRole('button', { name: /^契約\s?, 1 document$/ });
    rowOf('Apple');
  });
});

describe('the filters', () => {
  it('are kept while another view is in front, with the order', async () => {
    const { user } = await openLibrary((fake) => {
      fill(fake);
      fake.setDocument(makeDocument(5, { title: 'Elder', kind: 'pdf', numPages: 9 }));
      fake.setDocument(makeDocument(4, { title: 'Damson', kind: 'pdf', numPages: 4 }));
    });
    await user.click(screen.getByRole('button', { name: 'Filters' }));
    await user.click(await screen.findByRole('button', { name: 'PDF' }));
    await user.keyboard('{Escape}');
    await user.selectOptions(screen.getByRole('combobox', { name: 'Sort by' }), 'pages');
    const shown = (): (string | null)[] =>
      screen.getAllByRole('row').map((row) => within(row).getAllByRole('button')[0]!.textContent);
    await waitFor(() => expect(shown()).toEqual(['Elder', 'Damson']));
    await user.click(screen.getByRole('button', { name: 'Descending' }));
    await waitFor(() => expect(shown()).toEqual(['Damson', 'Elder']));
    await user.click(screen.getByRole('button', { name: 'Settings' }));
    await user.click(screen.getByRole('button', { name: 'Library' }));
    expect(shown()).toEqual(['Damson', 'Elder']);
    screen.getByRole('button', { name: 'Filters: 1' });
  });
});
