import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../../app/contract/contract.ts';
import type { ChatId, Scope } from '../../../app/contract/types.ts';
import { all, createScene, documentsOf, type Scene } from '../outside.ts';

let scene: Scene;
let client: Awaited<ReturnType<Scene['open']>>['client'];
let app: Awaited<ReturnType<Scene['open']>>['app'];

beforeEach(async () => {
  scene = await createScene();
  for (const year of ['2023', '2024']) {
    await mkdir(join(scene.files, 'plans', year), { recursive: true });
    await writeFile(
      join(scene.files, 'plans', year, `bridge ${year}.txt`),
      `The bridge over the river costs ${year === '2023' ? 'seven' : 'nine'} million. It was planned by the town in ${year}.`,
    );
  }
  await writeFile(
    join(scene.files, 'plans', '2024', 'bridge notes.md'),
    '# Notes\n\nThe bridge is to be painted green.',
  );
  ({ app, client } = await scene.open());
  await all(client.addFiles({ tickets: [scene.ticket(join(scene.files, 'plans')) as never] }));
});
afterEach(() => scene.remove());

const everything: Scope = { places: [], kinds: [], changedFromMs: null, changedBeforeMs: null };

async function folderScope(name: string): Promise<Scope> {
  const { folders } = await client.listPlaces({});
  const found = folders.find((one) => one.name.endsWith(name))!;
  return { ...everything, places: [{ type: 'folder', folder: found.folder, name: found.name }] };
}

async function ask(question: string, more: { chatId?: ChatId | null; scope?: Scope | null } = {}) {
  const events: AskEvent[] = await all(client.ask({ question, chatId: null, ...more }));
  const started = events.find((event) => event.type === 'started')!;
  const found = events.find((event) => event.type === 'sources')!;
  const answered = events.find((event) => event.type === 'answer')!;
  return {
    chatId: started.chatId,
    sources: found.passages.map(({ source }) => source).sort(),
    answer: answered.answer,
  };
}

const question = 'How many million does the bridge over the river cost?';

describe('a question asked in a part of the library', () => {
  it('finds there only, and its chat goes on there until it is told otherwise', async () => {
    const scope = await folderScope('2023');
    const first = await ask(question, { scope });
    expect(first.sources).toEqual(['bridge 2023.txt']);
    expect(first.answer.text).toContain('seven');
    const { chatId } = first;
    expect((await ask('What does the bridge over the river cost in million?', { chatId })).sources).toEqual([
      'bridge 2023.txt',
    ]);
    const wide = await ask(question, { chatId, scope: null });
    expect(wide.sources).toEqual(['bridge 2023.txt', 'bridge 2024.txt', 'bridge notes.md']);
    expect((await ask(question, { chatId })).sources).toHaveLength(3);
    const { turns } = await client.readChat({ chatId });
    expect(turns.map((turn) => turn.scope?.places.length ?? 0)).toEqual([1, 1, 0, 0]);
    const again = await all(client.ask({ question, chatId, insteadOf: turns[1]!.id, sources: 'search' }));
    expect(again.flatMap((event) => (event.type === 'sources' ? event.passages : []))).toHaveLength(1);
  });

  it('can be asked in documents and types', async () => {
    const notes = app.library.list().find(({ source }) => source === 'bridge notes.md')!;
    const place = { type: 'document', documentId: notes.id, name: notes.title } as const;
    expect(
      (await ask('Which colour is the bridge painted?', { scope: { ...everything, places: [place] } })).sources,
    ).toEqual(['bridge notes.md']);
    expect((await ask(question, { scope: { ...everything, kinds: ['text'] } })).sources).toEqual([
      'bridge 2023.txt',
      'bridge 2024.txt',
    ]);
  });

  it('is explained as it was asked: in its scope, with the topic of the answer before it where it leans on that', async () => {
    const first = await ask(question, { scope: await folderScope('2023') });
    await ask('And when was it planned?', { chatId: first.chatId });
    const { turns } = await client.readChat({ chatId: first.chatId });
    const { query, embedder, candidates } = await client.explainTurn({ turnId: turns[1]!.id });
    expect(query).toBe('And when was it planned? (bridge)');
    expect(embedder).toBeNull();
    expect(candidates.map(({ passage, outcome }) => [passage?.source, outcome])).toEqual([
      ['bridge 2023.txt', 'found'],
    ]);
    await expect(client.explainTurn({ turnId: 'turn_0000000000000000' as never })).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it('says what was searched, and says so when that is nothing', async () => {
    const refused = await ask('Who won the football world cup in 2014?', { scope: await folderScope('2024') });
    expect(refused.answer.refused).toBe(true);
    expect(refused.answer.text).toMatch(/searched 2 documents \(2 passages\), those that this was asked in/);
    const nothing = await ask(question, { scope: { ...everything, kinds: ['email'] } });
    expect(nothing.answer).toMatchObject({ refused: true, citations: [] });
    expect(nothing.answer.text).toMatch(/holds no documents/);
  });

  it('tells a window the folders by name, never by path', async () => {
    const { folders } = await client.listPlaces({});
    expect(folders.map(({ name, numDocuments }) => [name.split(' › ').at(-1), numDocuments])).toEqual(
      [
        ['plans', 3],
        ['2023', 1],
        ['2024', 2],
      ].sort(),
    );
    expect(JSON.stringify(folders)).not.toContain(scene.files);
  });

  it('is understood from paths and names on a command line', () => {
    const places = (...wanted: string[]) =>
      app.scopeOf({ places: wanted, kinds: [], changedFromMs: null, changedBeforeMs: null }).places;
    expect(places(join(scene.files, 'plans', '2024'))).toMatchObject([{ type: 'folder' }]);
    expect(places('2024')).toEqual(places(join(scene.files, 'plans', '2024')));
    expect(places('bridge NOTES.md')).toMatchObject([{ type: 'document', name: 'Notes' }]);
    expect(places(join(scene.files, 'plans', '2023', 'bridge 2023.txt'))).toMatchObject([{ name: 'bridge 2023' }]);
    expect(() => places('bridge 2022.txt')).toThrow(/called "bridge 2022.txt"/);
    expect(() => app.scopeOf({ places: [], kinds: ['scroll'], changedFromMs: null, changedBeforeMs: null })).toThrow(
      /none of the types/,
    );
  });
});

const byFirst = ([one]: unknown[], [other]: unknown[]): number => (String(one) < String(other) ? -1 : 1);

describe('copies of a document', () => {
  it('of the same bytes are not read again, and stand once among what is found', async () => {
    let numRead = 0;
    const { readFile } = scene.outside;
    scene.outside.readFile = (source, options) => {
      numRead += 1;
      return readFile(source, options);
    };
    await app.close();
    ({ app, client } = await scene.open());
    const text = 'The ferry to the island leaves at noon from the northern pier of the old harbour.';
    await mkdir(join(scene.files, 'copies'));
    for (const name of ['ferry.txt', 'ferry copy.txt', 'ferry old.txt'])
      await writeFile(join(scene.files, 'copies', name), text);
    const added = documentsOf(
      await all(client.addFiles({ tickets: [scene.ticket(join(scene.files, 'copies')) as never] })),
    );
    expect(added.map(({ state, title, numPassages }) => [title, state, numPassages]).sort(byFirst)).toEqual([
      ['ferry', 'ready', 1],
      ['ferry copy', 'ready', 1],
      ['ferry old', 'ready', 1],
    ]);
    const { passages } = await client.search({ question: 'When does the ferry leave?', limit: 5 });
    const ferries = passages.filter(({ source }) => source.startsWith('ferry'));
    expect(ferries).toHaveLength(1);
    expect(ferries[0]!.alsoIn).toHaveLength(2);
    expect(numRead).toBe(1);
    const asked = await ask('When does the ferry to the island leave?');
    expect(asked.answer.text).toContain('noon');
    const { turns } = await client.readChat({ chatId: asked.chatId });
    const found = (await client.readFound({ turnId: turns[0]!.id })).passages[0]!;
    expect(found.alsoIn?.map(({ source }) => source)).toHaveLength(2);
    await client.removeDocument({ documentId: found.alsoIn![0]!.documentId });
    expect((await client.readFound({ turnId: turns[0]!.id })).passages[0]!.alsoIn).toHaveLength(1);
  });

  it('that were edited a little stand once, those with another number each for itself', async () => {
    const report =
      'The water works of the town were built beside the river and serve all houses of the valley. Their pumps run day and ' +
      'night, and are looked after by three people who live in the village nearby and know every valve by its name.';
    const files = {
      'works.txt': report,
      'works edited.txt': report.replace('looked after', 'tended'),
      'works 2.txt': `${report.replace('three people', '3 people')}`,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(scene.files, name), text);
    await all(
      client.addFiles({ tickets: Object.keys(files).map((name) => scene.ticket(join(scene.files, name)) as never) }),
    );
    const { passages, explanation } = await client.search({
      question: 'Who looks after the pumps of the water works?',
      limit: 9,
      explain: true,
    });
    const works = passages.filter(({ source }) => source.startsWith('works'));
    expect(works).toHaveLength(2);
    expect(works.flatMap(({ alsoIn = [] }) => alsoIn)).toHaveLength(1);
    const folded = explanation!.candidates.find(({ outcome }) => outcome === 'repeats')!;
    expect(folded.repeats!.likeness).toBeGreaterThan(0.7);
    expect(works.map(({ passageId }) => passageId)).toContain(folded.repeats!.passageId);
  });
});
