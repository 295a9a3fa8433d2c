import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drawScan, makeMixedPdf } from '../../fakes/scanned-pdf.ts';
import { all, createScene, documentsOf, type Scene } from '../outside.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await createScene();
});
afterEach(() => scene.remove());

const typed = ['This page was typed and speaks of nothing but the weather of that long gone day, at some length.'];
const scan = drawScan([
  'The dredging of the northern basin was put off until the autumn.',
  'The board granted 18,250 pounds for the repair of the eastern lock.',
]);

describe('a PDF with a scanned page', { timeout: 120_000 }, () => {
  it('is searched, cited by page, and its quotes can be marked where they stand', async () => {
    const path = join(scene.files, 'board.pdf');
    await writeFile(path, makeMixedPdf([typed, scan, typed]));
    const { client } = await scene.open();
    const [document] = documentsOf(await all(client.addFiles({ tickets: [scene.ticket(path) as never] })));
    expect(document).toMatchObject({ state: 'ready', kind: 'pdf', numPages: 3 });

    const question = 'How much did the board grant for the repair of the eastern lock?';
    const found = await client.search({ question, limit: 3 });
    expect(found.passages[0]).toMatchObject({ place: { page: 2, label: 'Scanned page 2' } });
    expect(found.passages[0]!.text).toContain('granted 18,250 pounds');

    const events = await all(client.ask({ chatId: null, question }));
    const citations = events.flatMap((event) => (event.type === 'answer' ? event.answer.citations : []));
    const cited = citations.find(({ quote }) => quote.includes('18,250'));
    expect(cited).toMatchObject({ verified: true, place: { page: 2 } });

    const { words } = await client.readScan({ documentId: document!.id, page: cited!.place.page! });
    const amount = words.find(({ text }) => text === '18,250')!;
    const drawn = scan.words.find(({ text }) => text === '18,250')!;
    for (const side of [0, 1, 2, 3] as const) expect(Math.abs(amount.box[side] - drawn.box[side])).toBeLessThan(4);
    const other = await client.readScan({ documentId: document!.id, page: 1 });
    expect(other.words.map(({ text }) => text).join(' ')).toBe(typed[0]);
    expect(await client.readScan({ documentId: document!.id, page: 9 })).toEqual({ words: [] });
  });

  it('leaves nothing of it when it is changed or removed', async () => {
    const path = join(scene.files, 'board.pdf');
    await writeFile(path, makeMixedPdf([scan]));
    const { client } = await scene.open();
    const add = async () => documentsOf(await all(client.addFiles({ tickets: [scene.ticket(path) as never] })))[0]!;
    const { id } = await add();
    expect((await client.readScan({ documentId: id, page: 1 })).words.length).toBeGreaterThan(10);
    await writeFile(path, makeMixedPdf([typed]));
    await add();
    const { words } = await client.readScan({ documentId: id, page: 1 });
    expect(words.map(({ text }) => text).join(' ')).toBe(typed[0]);
    await client.removeDocument({ documentId: id });
    await expect(client.readScan({ documentId: id, page: 1 })).rejects.toMatchObject({ code: 'not-found' });
  });
});
