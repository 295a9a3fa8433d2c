// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { makeFolder } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

const openLibrary = () => fireEvent.click(screen.getByRole('button', { name: 'Library' }));

describe('watched folders in the library', () => {
  it('are shown with their states, paused, resumed and forgotten', async () => {
    const { app } = openWindow((fake) => fake.setFolders([makeFolder(1), makeFolder(2, { state: 'unreachable' })]));
    openLibrary();
    await screen.findByRole('heading', { name: 'Watched folders' });
    expect(screen.getByText(/^Not reachable: its documents stay/)).toBeTruthy();
    const choose = async (n: number, name: string): Promise<void> => {
      const more = await screen.findByRole('button', { name: `More for the folder “Documents › Folder ${n}”` });
      fireEvent.keyDown(more, { key: 'Enter' });
      fireEvent.click(await screen.findByRole('menuitem', { name }));
    };
    await choose(1, 'Pause watching');
    await screen.findByText('Paused');
    await choose(1, 'Watch again');
    await waitFor(() => expect(screen.queryByText('Paused')).toBe(null));

    await choose(1, 'Stop watching');
    fireEvent.click(await screen.findByRole('button', { name: 'Stop and keep its documents' }));
    await choose(2, 'Stop watching');
    fireEvent.click(await screen.findByRole('button', { name: 'Stop and remove its documents' }));
    await waitFor(() => expect(screen.queryByRole('heading', { name: 'Watched folders' })).toBeNull());
    expect(app.forgotten.map(({ keepDocuments }) => keepDocuments)).toEqual([true, false]);
  });

  it.each(['electron', 'loopback'] as const)('are what folders become in %s, or not', async (kind) => {
    const { app } = openWindow(() => undefined, kind);
    openLibrary();
    fireEvent.click(await screen.findByRole('button', { name: 'Add files' }));
    await waitFor(() => expect(app.watched).toEqual([kind === 'electron']));
    expect(screen.queryByText(/^Folders that you add are watched/) !== null).toBe(kind === 'electron');
  });
});
