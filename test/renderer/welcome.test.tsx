// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import { type FakeApp, makeAnswer, makeDocument, makeInstall, makeModel, Tape } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

function firstStart(app: FakeApp): void {
  app.welcome.seen = false;
  Object.assign(app.machine, { device: 'cuda', deviceName: 'NVIDIA GeForce RTX 4070', deviceBytes: 12.9e9 });
  const fit = { verdict: 'fits', device: 'cuda', contextTokens: 8192, neededBytes: 6.1e9, freeBytes: 11.9e9 } as const;
  app.models.push(
    makeModel('tiny', { name: 'Tiny', fit: { ...fit, tokensPerSecond: null } }),
    makeModel('mistral-7b-instruct-v0.3', {
      name: 'Mistral 7B Instruct v0.3',
      downloadBytes: 4.37e9,
      fit: { ...fit, tokensPerSecond: null },
    }),
    makeModel('all-minilm-l6-v2', { name: 'MiniLM', role: 'embedder', downloadBytes: 42e6 }),
  );
}

describe('the welcome', () => {
  it('needs two clicks from the first start to an answer with its source', async () => {
    const { app } = openWindow(firstStart);
    await screen.findByText(
      /NVIDIA GeForce RTX 4070 with 12 GB: Mistral 7B Instruct v0.3 fits, with room for about 6,100 words at a time\./,
    );
    fireEvent.click(screen.getByRole('button', { name: 'Add the sample documents' }));
    await waitFor(() => expect(app.added).toEqual(['samples']));
    app.setDocument(makeDocument(1, { source: 'Lease, 12 Harbour Street.pdf', kind: 'pdf' }));
    app.script.adding.push({ type: 'summary', numReady: 6, numFailed: 0, seconds: 2 });
    app.script.adding.end();
    const answer = new Tape<AskEvent>();
    answer.push({ type: 'answer', answer: makeAnswer('On the third working day.') });
    answer.end();
    app.script.answers.push(answer);
    fireEvent.click(await screen.findByRole('button', { name: 'When is the rent due?' }));
    await screen.findByText('On the third working day.');
    expect(screen.queryByText('Try it at once')).toBe(null);
    expect(app.modelCalls).toEqual([]);
  });

  it('fetches the model that it names and the small one beside it, and shows both on their way', async () => {
    const { app } = openWindow(firstStart);
    await screen.findByText(/4\.4 GB to fetch · Apache-2\.0/);
    fireEvent.click(screen.getByRole('button', { name: 'Install Mistral 7B Instruct v0.3' }));
    await waitFor(() =>
      expect(app.modelCalls).toEqual(['install all-minilm-l6-v2', 'install mistral-7b-instruct-v0.3']),
    );
    app.setInstalls([
      makeInstall('mistral-7b-instruct-v0.3', { name: 'Mistral', secondsLeft: 200, totalBytes: 4.37e9 }),
    ]);
    await screen.findByRole('progressbar', { name: 'Mistral: Fetching' });
    expect(screen.getAllByText(/3 min left/).length).toBeGreaterThan(0);
  });

  it('is skipped with one click and comes back only when it is asked for', async () => {
    const { app } = openWindow(firstStart);
    fireEvent.click(await screen.findByRole('button', { name: 'Skip' }));
    await screen.findByText(/Or drop files, folders or an address/);
    expect(app.welcome.seen).toBe(true);
    fireEvent.click(screen.getByRole('button', { name: 'Settings' }));
    fireEvent.mouseDown(await screen.findByRole('tab', { name: 'This computer' }), { button: 0 });
    fireEvent.click(await screen.findByRole('button', { name: 'Show the first steps' }));
    await screen.findByText('Try it at once');
  });

  it('does not come on a later start', async () => {
    openWindow((app) => {
      firstStart(app);
      app.welcome.seen = true;
    });
    await screen.findByText(/Or drop files, folders or an address/);
    expect(screen.queryByRole('button', { name: 'Skip' })).toBe(null);
  });

  it('takes the sample documents out again', async () => {
    const { app } = openWindow((fake) => {
      firstStart(fake);
      fake.setDocument(makeDocument(1, { source: 'Team meeting, 14 March.vtt' }));
    });
    fireEvent.click(await screen.findByRole('button', { name: 'Remove the sample documents' }));
    await waitFor(() => expect(app.welcome.samplesRemoved).toBe(1));
  });
});
