// @vitest-environment jsdom
import { createEvent, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { ModelFit } from '../../app/contract/types.ts';
import { type FakeApp, makeInstall, makeModel } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

const fitOf = (part: Partial<ModelFit> = {}): ModelFit => ({
  verdict: 'fits',
  device: 'cuda',
  contextTokens: 8192,
  neededBytes: 6.1e9,
  freeBytes: 11.9e9,
  tokensPerSecond: null,
  ...part,
});

function withModels(app: FakeApp): void {
  app.models.push(
    makeModel('tiny', { name: 'Tiny' }),
    makeModel('big', { name: 'Big', state: 'installed', planBytes: 4_900_000_000 }),
    makeModel('mini', { name: 'Mini', role: 'embedder', state: 'installed', inUse: true }),
  );
}

async function openModels(prepare: (app: FakeApp) => void = withModels, kind?: 'electron') {
  const opened = openWindow(prepare, kind);
  fireEvent.click(await screen.findByRole('button', { name: 'Models' }));
  await screen.findByRole('heading', { name: 'Models' });
  return opened;
}

describe('the models', () => {
  it('show their size and licence, and their way from the click to the end', async () => {
    const { app } = await openModels();
    const tiny = within(await screen.findByRole('article', { name: 'Tiny' }));
    tiny.getByText(/322 MB to fetch/);
    within(screen.getByRole('article', { name: 'Big' })).getByText(/4.9 GB on disk/);
    fireEvent.click(tiny.getByRole('button', { name: 'Install Tiny' }));
    await tiny.findByText('Waiting for its turn');
    app.setInstalls([makeInstall('tiny', { name: 'Tiny', doneBytes: 131e6, bytesPerSecond: 8.4e6, secondsLeft: 23 })]);
    await tiny.findByText('40 % · 131 MB of 322 MB · 8.4 MB/s · 23 s left');
    app.setInstalls([makeInstall('tiny', { step: 'build', doneBytes: 161e6, bytesPerSecond: 0, secondsLeft: null })]);
    await tiny.findByText('50 % · 161 MB of 322 MB');
    app.models[0]!.state = 'installed';
    app.setInstalls([]);
    await screen.findByText('Tiny is installed.');
    await tiny.findByRole('button', { name: 'Use Tiny' });
  });

  it('on their way are seen from every view, and after a reload of the window', async () => {
    openWindow((app) => {
      withModels(app);
      app.setInstalls([
        makeInstall('tiny', { name: 'Tiny', secondsLeft: 23 }),
        makeInstall('big', { name: 'Big', state: 'waiting' }),
      ]);
    });
    const line = await screen.findByRole('button', { name: /^Tiny ?\+1 ?Fetching ?25 % · 23 s left$/ });
    expect(line.textContent).toContain('+1');
    fireEvent.click(line);
    await screen.findByRole('heading', { name: 'Models' });
  });

  it('are paused, gone on with and given up', async () => {
    const { app } = await openModels((fake) => {
      withModels(fake);
      fake.setInstalls([makeInstall('tiny', { name: 'Tiny' })]);
    });
    fireEvent.click(await screen.findByRole('button', { name: 'Pause Tiny' }));
    fireEvent.click(await screen.findByRole('button', { name: 'Go on with Tiny' }));
    fireEvent.click(await screen.findByRole('button', { name: 'Cancel Tiny' }));
    await screen.findByRole('button', { name: 'Install Tiny' });
    expect(app.modelCalls).toEqual(['pause tiny', 'install tiny', 'cancel tiny']);
  });

  it('say why one of them could not be had, where it stands and at the edge of the window', async () => {
    const { app } = await openModels((fake) => {
      withModels(fake);
      fake.setInstalls([makeInstall('tiny', { name: 'Tiny' })]);
    });
    await screen.findByRole('button', { name: 'Pause Tiny' });
    const reason = 'The connection broke off. Please try again; the download will go on from here.';
    app.setInstalls([makeInstall('tiny', { name: 'Tiny', state: 'failed', reason })]);
    await screen.findByText(reason);
    await screen.findByText('Tiny could not be installed.');
    fireEvent.click(screen.getByRole('button', { name: 'Try again: Tiny' }));
    await waitFor(() => expect(app.modelCalls).toEqual(['install tiny']));
  });

  it('are put to use; removed after a yes that says what it frees, and brought back', async () => {
    const { app } = await openModels();
    fireEvent.click(await screen.findByRole('button', { name: 'Use Big' }));
    await waitFor(() => expect(app.models[1]?.inUse).toBe(true));
    fireEvent.click(await screen.findByRole('button', { name: 'Remove Big' }));
    const dialog = await screen.findByRole('dialog', { name: 'Remove Big?' });
    expect(dialog.textContent).toContain('4.9 GB become free');
    fireEvent.click(within(dialog).getByRole('button', { name: 'Remove' }));
    await screen.findByText('Big is removed: 4.9 GB become free.');
    fireEvent.click(screen.getByRole('button', { name: 'Undo' }));
    await waitFor(() => expect(app.models[1]?.state).toBe('installed'));
  });

  it('say how they fit this machine; what has no room waits behind a button', async () => {
    await openModels((app) => {
      withModels(app);
      app.models[0]!.fit = fitOf();
      app.models.push(
        makeModel('slow', { name: 'Slow', fit: fitOf({ verdict: 'slow', device: 'cpu', tokensPerSecond: 9.3 }) }),
        makeModel('huge', { name: 'Huge', fit: fitOf({ verdict: 'too-large', neededBytes: 43e9 }) }),
      );
    });
    const tiny = within(await screen.findByRole('article', { name: 'Tiny' }));
    tiny.getByText('Fits');
    tiny.getByText('Runs on the graphics card: takes 6.1 GB of 11.9 GB. Room for about 6,100 words at a time.');
    const slow = within(screen.getByRole('article', { name: 'Slow' }));
    slow.getByText('Slow here');
    slow.getByText(/only about 7 words a second/);
    expect(screen.queryByRole('article', { name: 'Huge' })).toBe(null);
    fireEvent.click(screen.getByRole('button', { name: 'One model is too large for this computer' }));
    within(screen.getByRole('article', { name: 'Huge' })).getByText(
      'Takes 43.0 GB, and the graphics card has 11.9 GB.',
    );
  });

  it('that put passages in order stand in their own group, and can be set aside', async () => {
    const { app } = await openModels((fake) => {
      withModels(fake);
      fake.models.push(makeModel('ranker', { name: 'Ranker', role: 'reranker', state: 'installed', inUse: true }));
    });
    const group = within(await screen.findByRole('region', { name: 'Put passages in order' }));
    expect(group.getByText('Ranker')).toBeTruthy();
    expect(group.queryByText('Mini')).toBe(null);
    // The others are always used.
    expect(screen.getAllByRole('button', { name: /^Do not use/ })).toHaveLength(1);
    fireEvent.click(group.getByRole('button', { name: 'Do not use Ranker' }));
    fireEvent.click(await group.findByRole('button', { name: 'Use Ranker' }));
    await group.findByRole('button', { name: 'Do not use Ranker' });
    expect(app.models.find(({ role }) => role === 'reranker')?.inUse).toBe(true);
  });

  it('of a role that the catalogue has none of make no group', async () => {
    await openModels();
    await screen.findByRole('region', { name: 'Find passages' });
    expect(screen.queryByRole('region', { name: 'Put passages in order' })).toBe(null);
  });

  it('that are missing are named before the first question, with one button', async () => {
    const { quoth } = openWindow(withModels);
    await screen.findByText('Ask your own documents.');
    quoth.models.setState({
      models: [makeModel('tiny', { name: 'Tiny' }), makeModel('m', { role: 'embedder', state: 'installed' })],
    });
    await screen.findByText(/No chat model is here yet/);
    expect(screen.getByRole('button', { name: 'Install Tiny (322 MB)' })).toBeTruthy();
  });

  it('of one’s own are made of what is chosen, or dropped on their page', async () => {
    const { app, calls } = await openModels();
    fireEvent.click(screen.getByRole('button', { name: 'Choose a file' }));
    await screen.findByRole('heading', { name: 'Mine' });
    app.setInstalls([]);
    expect(app.modelCalls).toEqual(['import 1 files']);
    const file = new File(['GGUF'], 'my.gguf');
    const drop = createEvent.drop(window, { dataTransfer: { types: ['Files'], files: [file], items: [] } });
    fireEvent(window, drop);
    await waitFor(() => expect(app.modelCalls).toEqual(['import 1 files', 'import 1 files']));
    expect(calls.taken).toMatchObject([{ names: ['my.gguf'] }]);
    expect(app.added).toEqual([]);
  });
});

describe('the folder of the models', () => {
  it('is moved where the person says, with its progress, and back at a word', async () => {
    const { app, quoth } = await openModels(withModels, 'electron');
    quoth.shell.chooseFolder = async () => ['a'.repeat(24) as never];
    await screen.findByText('727 MB in models · 120 GB free');
    fireEvent.click(screen.getByRole('button', { name: 'Move…' }));
    await screen.findByRole('progressbar', { name: 'Moving the models to D: › Quoth models' });
    await screen.findByText('27 % · 200 MB of 727 MB · 100 MB/s · 5.0 s left');
    fireEvent.click(screen.getByRole('button', { name: 'Cancel' }));
    await waitFor(() => expect(app.modelCalls).toEqual(['move', 'cancel the move']));
  });

  it('tells when it is not there, and why a move was undone', async () => {
    const { app } = await openModels();
    app.setModelsFolder({ state: 'unreachable' });
    await screen.findByText(/is its drive connected/);
    app.setModelsFolder({ state: 'here', reason: 'That disk is full: nothing was moved.' });
    await screen.findByText('That disk is full: nothing was moved.');
    // A browser has no name for a folder.
    expect(screen.queryByRole('button', { name: 'Move…' })).toBe(null);
    expect(screen.getByText(/quoth models move/)).toBeTruthy();
  });
});
