// @vitest-environment jsdom
/** Languages of scanned pages, and the next step at what could not be read or heard. */
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { type FakeApp, makeDocument, makeInstall, makeModel } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

const scan = (id: string, language: string, part = {}) =>
  makeModel(id, { name: id, role: 'scan', languages: [language], downloadBytes: 8.1e6, planBytes: 1.4e6, ...part });

function withLanguages(app: FakeApp): void {
  app.models.push(
    scan('scan-fra', 'fr', { state: 'installed', inUse: true }),
    scan('scan-jpn', 'ja'),
    scan('scan-pol', 'pl'),
  );
  app.script.numScanned = 2;
}

async function openScans(prepare = withLanguages) {
  const opened = openWindow(prepare);
  fireEvent.click(await screen.findByRole('button', { name: 'Settings' }));
  opened.quoth.view.getState().showSettings('library');
  return { ...opened, part: within(await screen.findByRole('region', { name: 'Languages of scanned pages' })) };
}

describe('Languages of scanned pages', () => {
  it('that are here are used or set aside, and removed with a way back', async () => {
    const { app, part } = await openScans();
    part.getByText('Comes with Quoth');
    const toggle = await part.findByRole('switch', { name: 'Read pages in French' });
    expect(toggle.getAttribute('aria-checked')).toBe('true');
    fireEvent.click(toggle);
    await waitFor(() => expect(app.models[0]!.inUse).toBe(false));
    fireEvent.click(part.getByRole('button', { name: 'Remove French' }));
    await waitFor(() => expect(app.models[0]!.state).toBe('available'));
    fireEvent.click(await screen.findByRole('button', { name: 'Undo' }));
    await waitFor(() => expect(app.models[0]!.state).toBe('installed'));
  });

  it('are fetched by their name, with progress, and the scans can be read again then', async () => {
    const { app, part } = await openScans();
    fireEvent.change(await part.findByRole('combobox', { name: 'Language to install' }), { target: { value: 1 } });
    fireEvent.click(part.getByRole('button', { name: 'Install Polish' }));
    await waitFor(() => expect(app.modelCalls).toContain('install scan-pol'));
    app.setInstalls([
      makeInstall('scan-pol', { name: 'Polish', role: 'scan', doneBytes: 4e6, totalBytes: 8e6, secondsLeft: 3 }),
    ]);
    await part.findByText(/^50 % · 4.0 MB of 8.0 MB/);
    // In the sidebar it is said what it is for, and a click leads to it.
    fireEvent.click(await screen.findByRole('button', { name: /^Polish on scanned pages/ }));
    part.getByRole('button', { name: 'Pause Polish' });
    Object.assign(app.models[2]!, { state: 'installed', inUse: true });
    app.setInstalls([]);
    await screen.findByText('Polish is there. Scanned documents can be read again with it.');
    part.getByText(/^2 documents have scanned pages/);
    fireEvent.click(part.getByRole('button', { name: 'Read again' }));
    await waitFor(() => expect(app.modelCalls).toContain('read scans again'));
  });
});

describe('The next step', () => {
  it('at a recording without a speech model leads to the models, at a scan without words to its language', async () => {
    const { quoth } = openWindow((app) => {
      withLanguages(app);
      app.models.push(makeModel('whisper-base', { name: 'Whisper base', role: 'speech', languages: ['en', 'fr'] }));
      app.setDocument(
        makeDocument(1, { title: 'Talk', kind: 'recording', state: 'failed', problem: 'no-speech-model', reason: 'x' }),
      );
      app.setDocument(
        makeDocument(2, { title: 'Letter', kind: 'pdf', state: 'no-text', problem: 'no-text', reason: 'x' }),
      );
    });
    fireEvent.click(await screen.findByRole('button', { name: /^Library/ }));
    fireEvent.click(await screen.findByRole('button', { name: 'Add the language of “Letter”' }));
    await screen.findByRole('region', { name: 'Languages of scanned pages' });
    quoth.view.getState().show('library');
    fireEvent.click(await screen.findByRole('button', { name: 'Install a speech model for “Talk”' }));
    const card = within(await screen.findByRole('article', { name: 'Whisper base' }));
    card.getByText('Hears 2 languages.');
    within(screen.getByRole('region', { name: 'Hear recordings' })).getByRole('article', { name: 'Whisper base' });
  });

  it('at a document whose scans seem to be in another language is a hint with the way to them', async () => {
    const document = makeDocument(1, { title: 'Letter', kind: 'pdf', state: 'ready' });
    const { quoth } = openWindow((app) => {
      withLanguages(app);
      app.setDocument(document);
      app.details.set(document.id, {
        scans: { numPages: 3, confidence: 66, languages: ['en', 'fr'], seemsOther: true },
      });
    });
    await screen.findByRole('button', { name: 'Settings' });
    quoth.view.getState().showDocument(document.id);
    await screen.findByText(/3 pages, read in English and French/);
    fireEvent.click(await screen.findByRole('button', { name: 'Languages of scanned pages…' }));
    await screen.findByRole('region', { name: 'Languages of scanned pages' });
  });
});
