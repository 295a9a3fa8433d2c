// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { type FakeApp, makeEngine } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

async function openSettings(prepare: (app: FakeApp) => void) {
  const opened = openWindow(prepare);
  fireEvent.click(await screen.findByRole('button', { name: 'Settings' }));
  await userEvent.click(await screen.findByRole('tab', { name: 'Models & engine' }));
  return opened;
}

/** The facts of a card by their names. */
function factsOf(model: string): Record<string, string> {
  const card = screen.getByRole('region', { name: model });
  const names = within(card).getAllByRole('term');
  return Object.fromEntries(names.map((name) => [name.textContent, name.nextElementSibling?.textContent ?? '']));
}

describe('the engines in the settings', () => {
  it('are told with what they take, how fast they are and what was saved', async () => {
    await openSettings((app) => app.engines.push(makeEngine()));
    await screen.findByRole('heading', { name: 'Engine' });
    expect(screen.getByText('Chat model · on the GPU · idle')).toBeTruthy();
    expect(factsOf('Mistral 7B')).toEqual({
      Memory: '5.2 GB',
      'Until the first word': '82 msat worst 240 ms',
      'For each further word': '1.1 ms',
      'Speed of writing': '872 tokens/s',
      'Of the memory’s speed': '73 %3.6 TB/s',
      'Memory pages in use': '10 of 12838 more are kept for reuse',
      'Of prompts, read before': '75 %',
      'Drafted words that were right': '86 %',
    });
  });

  it('say no number that nobody has measured yet, and of an embedder what it takes', async () => {
    const nothing = { numFinished: 0, promptTokens: 0, cachedTokens: 0, draftedTokens: 0, acceptedTokens: 0 };
    const unknown = { bytesPerToken: null, bytesPerSecond: null, tokensPerSecond: null, bandwidthFraction: null };
    await openSettings((app) =>
      app.engines.push(
        makeEngine({ ...nothing, ...unknown, device: 'cpu', numRunning: 1 }),
        makeEngine({ ...nothing, ...unknown, role: 'embedder', model: 'MiniLM', weightBytes: 46e6, kvBytes: 0 }),
      ),
    );
    await screen.findByText('Chat model · on the processor · working');
    expect(Object.keys(factsOf('Mistral 7B'))).toEqual(['Memory', 'Memory pages in use']);
    expect(factsOf('MiniLM')).toEqual({ Memory: '103 MB' });
  });

  it('on a processor are told by what they read, for it does not say what its memory could give', async () => {
    await openSettings((app) =>
      app.engines.push(makeEngine({ device: 'cpu', bandwidthFraction: null, bytesPerSecond: 42e9 })),
    );
    await screen.findByRole('heading', { name: 'Engine' });
    expect(factsOf('Mistral 7B')).toMatchObject({ 'Read from memory': '42.0 GB/s' });
  });

  it('are not there while nothing is loaded', async () => {
    const { app } = await openSettings(() => undefined);
    await waitFor(() => expect(app.engines).toEqual([]));
    expect(screen.queryByRole('heading', { name: 'Engine' })).toBeNull();
  });
});
