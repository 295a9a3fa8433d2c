// @vitest-environment jsdom
import { createEvent, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { makeDocument } from '../fakes/app-handlers.ts';
import { openWindow, someTicket } from './open-window.tsx';

type FakeEntry = { isFile: boolean; fullPath: string; file?: unknown; createReader?: unknown };

function fileEntry(path: string): FakeEntry {
  const name = path.split('/').at(-1) ?? '';
  return { isFile: true, fullPath: path, file: (done: (file: File) => void) => done(new File(['x'], name)) };
}

/** A folder as a browser gives it: its children come in pieces of two. */
function folderEntry(path: string, children: FakeEntry[]): FakeEntry {
  const createReader = () => {
    const left = [...children];
    return { readEntries: (done: (entries: FakeEntry[]) => void) => done(left.splice(0, 2)) };
  };
  return { isFile: false, fullPath: path, createReader };
}

function drop(transfer: object): void {
  const event = createEvent.drop(window);
  Object.defineProperty(event, 'dataTransfer', { value: transfer });
  fireEvent(window, event);
}

const addressDrop = (address: string) => ({
  types: ['text/uri-list'],
  files: [],
  items: [],
  getData: (type: string) => (type === 'text/uri-list' ? `# a comment\r\n${address}` : ''),
});

async function openLibrary(...given: Parameters<typeof openWindow>) {
  const opened = openWindow(...given);
  fireEvent.click(await screen.findByRole('button', { name: /^Library/ }));
  return opened;
}

describe('the rows', () => {
  it('follow each state that the core tells, to the end', async () => {
    const { app } = await openLibrary((app) =>
      app.setDocument(makeDocument(1, { title: 'Report', state: 'queued', progress: 0 })),
    );
    await screen.findByText('Waiting');
    app.setDocument(makeDocument(1, { title: 'Report', state: 'embedding', progress: 0.4 }));
    const bar = await screen.findByRole('progressbar', { name: 'Progress of “Report”' });
    expect(bar.getAttribute('aria-valuenow')).toBe('40');
    app.setDocument(makeDocument(1, { title: 'Report', numPages: 12, numPassages: 84 }));
    await screen.findByText('document-1.txt · 12 pages · 84 passages · 12.0 kB');
    expect(screen.queryByRole('progressbar')).toBe(null);
  });

  it('say why a document could not be read, and try again', async () => {
    const reason = 'The file is protected by a password. Save a copy without one and add that.';
    const { app } = await openLibrary((app) => app.setDocument(makeDocument(1, { state: 'failed', reason })));
    await screen.findByText(reason, { exact: false });
    fireEvent.click(screen.getByRole('button', { name: 'Try again: “Document 1”' }));
    await waitFor(() => expect(app.retriedAll).toEqual([{ documentIds: [makeDocument(1).id], anew: false }]));
  });

  it('are only as many as can be seen of ten thousand', async () => {
    await openLibrary((app) => {
      for (let n = 0; n < 10_000; n++) app.documents.set(makeDocument(n).id, makeDocument(n));
      const documents = [...app.documents.values()];
      const watch = async function* () {
        yield { type: 'reset' as const, documents };
      };
      Object.assign(app.handlers, { watchLibrary: watch });
    });
    await screen.findByText(/^10,000 documents · 30,000 passages · 120 MB of files/);
    const rows = await screen.findAllByRole('row');
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.length).toBeLessThan(60);
    expect(screen.getByText('Document 9999')).toBeTruthy();
  });

  it('are filtered by words and by state', async () => {
    await openLibrary((app) => {
      app.setDocument(makeDocument(1, { title: 'Ｌｅａｓｅ of 2024' }));
      app.setDocument(makeDocument(2, { title: 'Lease of 2023' }));
      app.setDocument(makeDocument(3, { title: 'Scan', state: 'no-text' }));
    });
    const user = userEvent.setup();
    await screen.findByText('Scan');
    await user.type(screen.getByRole('searchbox'), '2024 lease');
    await waitFor(() => expect(screen.queryByText('Lease of 2023')).toBe(null));
    expect(screen.getByText('Ｌｅａｓｅ of 2024')).toBeTruthy();
    await user.clear(screen.getByRole('searchbox'));
    await user.click(screen.getByRole('button', { name: 'Not read 1' }));
    await waitFor(() => expect(screen.queryByText('Lease of 2023')).toBe(null));
    expect(screen.getByText('Scan')).toBeTruthy();
  });

  it('leave after a yes, and not before', async () => {
    const { app } = await openLibrary((app) => app.setDocument(makeDocument(1)));
    fireEvent.click(await screen.findByRole('button', { name: 'Remove “Document 1”' }));
    const dialog = await screen.findByRole('dialog', { name: 'Remove “Document 1”?' });
    expect(app.documents.size).toBe(1);
    fireEvent.click(within(dialog).getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(screen.queryByText('Document 1')).toBe(null));
    expect(app.documents.size).toBe(0);
  });
});

describe('a drop on the window', () => {
  it('in a browser walks folders, and gives each file with its path', async () => {
    const { calls, app } = openWindow();
    const folder = folderEntry('/papers', [
      fileEntry('/papers/a.pdf'),
      folderEntry('/papers/山田 太郎', [fileEntry('/papers/山田 太郎/b.docx')]),
      fileEntry('/papers/c.txt'),
    ]);
    drop({
      types: ['Files'],
      files: [new File([], 'papers')],
      items: [{ kind: 'file', webkitGetAsEntry: () => folder }],
    });
    await waitFor(() => expect(app.added).toHaveLength(1));
    expect(calls.taken).toEqual([
      {
        names: ['a.pdf', 'b.docx', 'c.txt'],
        relativePaths: ['papers/a.pdf', 'papers/山田 太郎/b.docx', 'papers/c.txt'],
      },
    ]);
    expect(app.added[0]).toHaveLength(3);
    await screen.findByRole('heading', { name: 'Library' });
  });

  it('in Electron gives the folder itself', async () => {
    const { calls, app } = openWindow(undefined, 'electron');
    drop({ types: ['Files'], files: [new File([], 'papers')], items: [] });
    await waitFor(() => expect(app.added).toHaveLength(1));
    expect(calls.taken).toEqual([{ names: ['papers'], relativePaths: ['papers'] }]);
  });

  it('of an address asks before anything goes out', async () => {
    const { app } = openWindow();
    drop(addressDrop('https://youtu.be/dQw4w9WgXcQ'));
    const dialog = await screen.findByRole('dialog', { name: 'Add an address' });
    expect(app.added).toEqual([]);
    fireEvent.click(within(dialog).getByRole('button', { name: 'Add' }));
    await waitFor(() => expect(app.added).toEqual(['https://youtu.be/dQw4w9WgXcQ']));
  });

  it('of words that are no address does nothing', async () => {
    const { app } = openWindow();
    drop(addressDrop('javascript:alert(1)'));
    drop({ ...addressDrop('file:///etc/passwd') });
    await screen.findByText('Ask your own documents.');
    expect(screen.queryByRole('dialog')).toBe(null);
    expect(app.added).toEqual([]);
  });
});

describe('the buttons', () => {
  it('add what was chosen, and tell what came of it', async () => {
    const { app } = openWindow();
    fireEvent.click(await screen.findByRole('button', { name: 'Add files' }));
    await waitFor(() => expect(app.added).toEqual([[someTicket]]));
    app.script.adding.push({ type: 'found', numDocuments: 3 });
    app.script.adding.push({ type: 'summary', numReady: 2, numFailed: 1, seconds: 4 });
    app.script.adding.end();
    await screen.findByText('2 ready, 1 could not be read (4.0 s).');
  });

  it('do nothing when the person changed their mind', async () => {
    const { app, faults } = openWindow();
    fireEvent.click(await screen.findByRole('button', { name: 'Add folder' }));
    await screen.findByText('Ask your own documents.');
    expect(app.added).toEqual([]);
    expect(faults).toEqual([]);
  });
});
