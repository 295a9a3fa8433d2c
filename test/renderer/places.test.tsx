// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { InstallProgress, ModelId } from '../../app/contract/types.ts';
import { type FakeApp, makeModel, Tape } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

const tiny = 'tiny' as ModelId;

function withModels(app: FakeApp): Tape<InstallProgress> {
  app.models.push(
    makeModel('tiny', { name: 'Tiny' }),
    makeModel('big', { name: 'Big', state: 'installed', planBytes: 4_900_000_000 }),
    makeModel('mini', { name: 'Mini', role: 'embedder', state: 'installed', inUse: true }),
  );
  const tape = new Tape<InstallProgress>();
  app.script.installs.set(tiny, tape);
  return tape;
}

async function open(place: 'Models' | 'Settings', prepare: (app: FakeApp) => void) {
  const opened = openWindow(prepare);
  fireEvent.click(await screen.findByRole('button', { name: place }));
  return opened;
}

describe('the models', () => {
  it('show their size, licence and state, and install with progress', async () => {
    let tape = new Tape<InstallProgress>();
    await open('Models', (app) => {
      tape = withModels(app);
    });
    await screen.findByText('322 MB to fetch · Apache-2.0');
    expect(screen.getByText('4.9 GB on disk · Apache-2.0')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Install Tiny' }));
    tape.push({ step: 'download', doneBytes: 131e6, totalBytes: 322e6, bytesPerSecond: 8.4e6, secondsLeft: 23 });
    await screen.findByText('40 % · 131 MB of 322 MB · 8.4 MB/s · 23 s left');
    tape.push({ step: 'build', doneBytes: 161e6, totalBytes: 322e6, bytesPerSecond: 0, secondsLeft: null });
    await screen.findByText('50 % · 161 MB of 322 MB');
    tape.end();
    await screen.findByText('Tiny is installed.');
    await screen.findByRole('button', { name: 'Use Tiny' });
  });

  it('stop an install that is cancelled, without calling it an error', async () => {
    await open('Models', withModels);
    fireEvent.click(await screen.findByRole('button', { name: 'Install Tiny' }));
    fireEvent.click(await screen.findByRole('button', { name: 'Cancel' }));
    await screen.findByRole('button', { name: 'Install Tiny' });
    expect(screen.queryByText(/was stopped/)).toBe(null);
  });

  it('say in one sentence why an install failed', async () => {
    await open('Models', (app) => {
      withModels(app);
      app.script.installs.clear();
    });
    fireEvent.click(await screen.findByRole('button', { name: 'Install Tiny' }));
    await screen.findByText('The address of the model did not answer. Please try again later.');
  });

  it('are put to use and removed after a yes', async () => {
    const { app } = await open('Models', withModels);
    fireEvent.click(await screen.findByRole('button', { name: 'Use Big' }));
    await waitFor(() => expect(app.models[1]?.inUse).toBe(true));
    fireEvent.click(await screen.findByRole('button', { name: 'Remove Big' }));
    const dialog = await screen.findByRole('dialog', { name: 'Remove Big?' });
    fireEvent.click(within(dialog).getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(app.models[1]?.state).toBe('available'));
  });

  it('that put passages in order stand in their own group, and can be set aside', async () => {
    const { app } = await open('Models', (fake) => {
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
    await open('Models', withModels);
    await screen.findByRole('region', { name: 'Find passages' });
    expect(screen.queryByRole('region', { name: 'Put passages in order' })).toBe(null);
  });

  it('that are missing are named before the first question, with one button', async () => {
    const { quoth } = openWindow((app) => void withModels(app).end());
    await screen.findByText('Ask your own documents.');
    quoth.models.setState({
      models: [makeModel('tiny', { name: 'Tiny' }), makeModel('m', { role: 'embedder', state: 'installed' })],
    });
    await screen.findByText(/No chat model is here yet/);
    expect(screen.getByRole('button', { name: 'Install Tiny (322 MB)' })).toBeTruthy();
  });
});

describe('the settings', () => {
  it('change at once and are kept by the core', async () => {
    const { app } = await open('Settings', () => undefined);
    fireEvent.click(await screen.findByRole('radio', { name: 'Dark' }));
    await waitFor(() => expect(app.settings().theme).toBe('dark'));
    expect(document.documentElement.dataset.theme).toBe('dark');
    fireEvent.click(screen.getByRole('radio', { name: 'System' }));
    await waitFor(() => expect(document.documentElement.dataset.theme).toBe(undefined));
    const user = userEvent.setup();
    await user.click(screen.getByRole('tab', { name: 'Answers' }));
    await user.selectOptions(screen.getByRole('combobox', { name: 'Longest answer' }), '1,024 tokens');
    await waitFor(() => expect(app.settings().answerTokens).toBe(1024));
    screen.getByRole('slider', { name: 'Freedom of words' }).focus();
    await user.keyboard('{ArrowRight}');
    await waitFor(() => expect(app.settings().temperature).toBe(0.1));
    await user.click(screen.getByRole('tab', { name: 'Library' }));
    const field = screen.getByRole('textbox', { name: 'Languages of captions' });
    await user.clear(field);
    await user.type(field, 'ja, de nonsense! ja{Enter}');
    await waitFor(() => expect(app.settings().captionLanguages).toEqual(['ja', 'de']));
  });

  it('turn the whole window into another language and size, which the next start begins with', async () => {
    const { app } = await open('Settings', () => undefined);
    const user = userEvent.setup();
    await user.selectOptions(await screen.findByRole('combobox', { name: 'Language' }), '日本語');
    await screen.findByRole('heading', { name: '設定' });
    expect(screen.getByRole('button', { name: '新しいチャット' })).toBeTruthy();
    expect(document.documentElement.lang).toBe('ja');
    expect(app.settings().language).toBe('ja');
    await user.selectOptions(screen.getByRole('combobox', { name: '文字の大きさ' }), '200 %');
    await waitFor(() => expect(document.documentElement.style.fontSize).toBe('200%'));
    expect([localStorage.getItem('quoth.language'), localStorage.getItem('quoth.textSize')]).toEqual(['ja', '200']);
    await user.selectOptions(screen.getByRole('combobox', { name: '言語' }), 'English');
    await screen.findByRole('heading', { name: 'Settings' });
  });

  it('tell what this computer has, with the reasons', async () => {
    await open('Settings', () => undefined);
    fireEvent.mouseDown(await screen.findByRole('tab', { name: 'This computer' }), { button: 0 });
    await screen.findByText('No CUDA device was found.');
    expect(screen.getByText('24.0 GB')).toBeTruthy();
  });
});

describe('a lost connection', () => {
  it('is told with a way back', async () => {
    const { endConnection } = openWindow();
    await screen.findByText('Ask your own documents.');
    endConnection();
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The connection to Quoth ended.');
    expect(within(alert).getByRole('button', { name: 'Reload' })).toBeTruthy();
  });
});
