/** Documents with scanned pages: how well they were read, in which languages, and how they are read again. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QuothContract } from '../../../app/contract/contract.ts';
import type { Client } from '../../../app/contract/procedure.ts';
import type { DocumentSummary, Ticket } from '../../../app/contract/types.ts';
import type { ReadResult, ScannedPage } from '../../../ingest/source.ts';
import { all, createScene, documentsOf, type Scene, summaryOf } from '../outside.ts';

const french =
  'Le conseil de la commune a décidé que les travaux de la mairie et de l’école seront faits dans le mois, pour une somme qui est dans le rapport.';
const english =
  'The board of the harbour has decided that the works at the lock are to be done in the month, for the sum that is in the report.';

let scene: Scene;
/** What the next reader finds, by the file's name. */
let pages: Record<string, { text: string; scanned?: Omit<ScannedPage, 'page' | 'words'> } | null>;
let numRead: number;

beforeEach(async () => {
  pages = {};
  numRead = 0;
  scene = await createScene({
    readFile: async ({ name }): Promise<ReadResult> => {
      numRead += 1;
      const page = pages[name];
      if (!page) return { type: 'failed', kind: 'pdf', reason: 'no-text', detail: 'Scans: page 1' };
      const words = page.text
        .split(' ')
        .map((text) => ({ text, box: [0, 0, 1, 1] as [number, number, number, number] }));
      return {
        ...{ type: 'read', kind: 'pdf', title: name, numPages: 1 },
        sections: [{ text: page.text, locator: { type: 'page', page: 1 }, heading: null }],
        ...(page.scanned ? { scannedPages: [{ page: 1, words, ...page.scanned }] } : {}),
      };
    },
  });
});
afterEach(() => scene.remove());

async function add(client: Client<QuothContract>, name: string, bytes = name): Promise<DocumentSummary> {
  const path = join(scene.files, name);
  await writeFile(path, `%PDF-1.4 ${bytes}`);
  return documentsOf(await all(client.addFiles({ tickets: [scene.ticket(path) as Ticket] })))[0]!;
}
const scansOf = async (client: Client<QuothContract>, { id }: DocumentSummary) =>
  (await client.describeDocument({ documentId: id })).scans;

describe('A document with scanned pages', () => {
  it('says how many, how sure, and in which languages they were read', async () => {
    pages['a.pdf'] = { text: english, scanned: { confidence: 94.4, languages: ['eng', 'deu'] } };
    const { client } = await scene.open();
    expect(await scansOf(client, await add(client, 'a.pdf'))).toEqual({
      ...{ numPages: 1, confidence: 94, languages: ['en', 'de'], seemsOther: false },
    });
    pages['typed.pdf'] = { text: english };
    expect(await scansOf(client, await add(client, 'typed.pdf'))).toBeUndefined();
  });

  it('seems to be in another language where it was read with little certainty, or is in one that it was not read in', async () => {
    const { client } = await scene.open();
    const seems = async (name: string, text: string, confidence: number, languages: string[]) => {
      pages[name] = { text, scanned: { confidence, languages } };
      return (await scansOf(client, await add(client, name)))?.seemsOther;
    };
    expect(await seems('sure.pdf', english, 95, ['eng'])).toBe(false);
    expect(await seems('unsure.pdf', english, 71, ['eng'])).toBe(true);
    // Tesseract is fairly sure of a French page in English, but for its accents.
    expect(await seems('foreign.pdf', french, 86, ['eng'])).toBe(true);
    expect(await seems('french.pdf', french, 88, ['eng', 'fra'])).toBe(false);
  });

  it('and those whose pages could not be read are read again together, also copies of one file', async () => {
    const { client } = await scene.open();
    pages['a.pdf'] = { text: 'badly read', scanned: { confidence: 61, languages: ['eng'] } };
    pages['copy.pdf'] = pages['a.pdf'];
    pages['unread.pdf'] = null;
    pages['typed.pdf'] = { text: english };
    const [first, unread] = [await add(client, 'a.pdf', 'same'), await add(client, 'unread.pdf')];
    const copy = await add(client, 'copy.pdf', 'same');
    await add(client, 'typed.pdf');
    expect(unread.state).toBe('no-text');
    expect(await client.describeScans({})).toEqual({ numDocuments: 3 });

    for (const name of ['a.pdf', 'copy.pdf', 'unread.pdf'])
      pages[name] = { text: french, scanned: { confidence: 91, languages: ['eng', 'fra'] } };
    numRead = 0;
    expect(summaryOf(await all(client.readScansAgain({})))).toEqual({ numReady: 3, numFailed: 0 });
    // The same bytes are read once.
    expect(numRead).toBe(2);
    for (const document of [first, copy, unread]) {
      expect(await scansOf(client, document)).toMatchObject({ languages: ['en', 'fr'], confidence: 91 });
      const { passages } = await client.readDocument({ documentId: document.id, fromPassage: 0, numPassages: 9 });
      expect(passages[0]!.text).toContain('la mairie');
    }
  });
});
