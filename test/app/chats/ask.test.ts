import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removedTitle } from '../../../app/chats/chats.ts';
import type { AskEvent } from '../../../app/contract/contract.ts';
import type { Answer } from '../../../app/contract/types.ts';
import { all, createScene, documentsOf, type Scene } from '../outside.ts';

// Without any model: words alone are searched, quotes alone answer. With models: road.model.test.ts.

let scene: Scene;
let client: Awaited<ReturnType<Scene['open']>>['client'];
let app: Awaited<ReturnType<Scene['open']>>['app'];

beforeEach(async () => {
  scene = await createScene();
  const folder = join(scene.files, 'docs');
  await mkdir(folder);
  await writeFile(
    join(folder, 'bridge.txt'),
    'The Golden Gate Bridge opened to traffic in May 1937. Its main span is 1280 metres long. It is painted in a colour called international orange.',
  );
  await writeFile(join(folder, 'tower.txt'), 'The Eiffel Tower was finished in March 1889. It is 330 metres tall.');
  ({ app, client } = await scene.open());
  await all(client.addFiles({ tickets: [scene.ticket(folder) as never] }));
});
afterEach(() => scene.remove());

const ask = (question: string, chatId: string | null = null) => all(client.ask({ question, chatId: chatId as never }));

function answerOf(events: AskEvent[]): Answer {
  const last = events.at(-1);
  if (last?.type !== 'answer') throw new Error(`the last event is ${last?.type ?? 'missing'}`);
  return last.answer;
}

function chatOf(events: AskEvent[]): string {
  const [first] = events;
  if (first?.type !== 'started') throw new Error('the first event is not `started`');
  return first.chatId;
}

describe('asking without a chat model', () => {
  it('answers with verified quotes that stand in the passages letter for letter', async () => {
    const events = await ask('When did the Golden Gate Bridge open?');
    expect(events.map(({ type }) => type)).toEqual(['started', 'sources', 'text', 'answer']);
    const answer = answerOf(events);
    expect(answer).toMatchObject({ writtenBy: 'quotes', refused: false, end: 'complete' });
    expect(answer.text).toMatch(/No chat model is installed/);
    const sources = events.flatMap((event) => (event.type === 'sources' ? event.passages : []));
    const [citation] = answer.citations;
    expect(citation).toMatchObject({ n: 1, verified: true, source: 'bridge.txt' });
    expect(citation!.quote).toContain('May 1937');
    expect(sources.find(({ passageId }) => passageId === citation!.passageId)!.text).toContain(citation!.quote);
    expect(answer.text).toContain('[1]');
    expect(answer.timings).toMatchObject({ numPromptTokens: 0, numOutputTokens: 0 });
  });

  it.each(['Who won the football world cup in 2014?', 'Which vitamins do bananas contain?', 'xyzzy'])(
    'refuses what the documents do not hold, and says what was searched: %s',
    async (question) => {
      const answer = answerOf(await ask(question));
      expect(answer.refused).toBe(true);
      expect(answer.text).toMatch(/searched 2 documents \(\d+ passages\)/);
      for (const { verified } of answer.citations) expect(verified).toBe(true);
    },
  );

  it('says so when there is nothing to search', async () => {
    for (const { id } of app.library.list()) await client.removeDocument({ documentId: id });
    const answer = answerOf(await ask('When did the bridge open?'));
    expect(answer).toMatchObject({ refused: true, citations: [] });
    expect(answer.text).toMatch(/no documents/);
  });

  it('refuses a question that is none', async () => {
    await expect(ask('   ')).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(ask('x'.repeat(30_000))).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(ask('When?', 'chat_0000000000000000')).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('chats', () => {
  it('keep questions and answers in order, named after the first question, also after a restart', async () => {
    const chatId = chatOf(await ask('When did the Golden Gate Bridge open?'));
    const followUp = answerOf(await ask('And how long is it?', chatId));
    expect(followUp.citations.some(({ quote }) => quote.includes('1280 metres'))).toBe(true);
    expect(followUp.searchedFor).toBe('And how long is it? (Golden Gate Bridge)');
    await app.close();
    ({ app, client } = await scene.open());
    const { chats } = await client.listChats({});
    expect(chats).toMatchObject([{ id: chatId, title: 'When did the Golden Gate Bridge open?', numTurns: 2 }]);
    const { turns } = await client.readChat({ chatId: chatId as never });
    expect(turns.map(({ question }) => question)).toEqual([
      'When did the Golden Gate Bridge open?',
      'And how long is it?',
    ]);
    expect(turns[1]!.answer).toEqual(followUp);
  });

  it('are renamed, deleted, and brought back', async () => {
    const chatId = chatOf(await ask('How tall is the Eiffel Tower?')) as never;
    await client.renameChat({ chatId, title: 'Towers' });
    expect((await client.listChats({})).chats[0]!.title).toBe('Towers');
    await client.deleteChat({ chatId });
    expect((await client.listChats({})).chats).toEqual([]);
    await expect(client.readChat({ chatId })).rejects.toMatchObject({ code: 'not-found' });
    await client.restoreChat({ chatId });
    expect((await client.readChat({ chatId })).turns).toHaveLength(1);
  });

  it('forget the words of a removed document, also in deleted chats', async () => {
    const kept = chatOf(await ask('When did the Golden Gate Bridge open?')) as never;
    const deleted = chatOf(await ask('What colour is the Golden Gate Bridge painted in?')) as never;
    await client.deleteChat({ chatId: deleted });
    const bridge = app.library.list().find(({ source }) => source === 'bridge.txt')!;
    await client.removeDocument({ documentId: bridge.id });
    await client.restoreChat({ chatId: deleted });
    for (const chatId of [kept, deleted]) {
      const { turns } = await client.readChat({ chatId });
      const { answer } = turns[0]!;
      expect(JSON.stringify(answer)).not.toMatch(/May 1937|international orange|bridge\.txt/);
      expect(answer!.citations[0]).toMatchObject({ n: 1, title: removedTitle, quote: '', verified: false });
    }
  });
});

describe('asking in the place of another question', () => {
  const turnOf = (events: AskEvent[]) => {
    const [first] = events;
    if (first?.type !== 'started') throw new Error('the first event is not `started`');
    return first;
  };
  const sourcesOf = (events: AskEvent[]) => events.flatMap((event) => (event.type === 'sources' ? event.passages : []));
  const bridge = 'When did the Golden Gate Bridge open?';

  it('makes a branch whose follow-ups lean on it, and keeps the other', async () => {
    const first = turnOf(await ask(bridge));
    const { chatId } = first;
    await ask('And how long is it?', chatId);
    const edited = turnOf(
      await all(client.ask({ question: 'When was the Eiffel Tower finished?', chatId, insteadOf: first.turnId })),
    );
    expect(edited.siblings).toEqual([first.turnId, edited.turnId]);
    const followUp = answerOf(await ask('And how tall is it?', chatId));
    expect(followUp.citations[0]!.quote).toContain('330 metres');
    const shown = (await client.readChat({ chatId })).turns;
    expect(shown.map(({ question }) => question)).toEqual([
      'When was the Eiffel Tower finished?',
      'And how tall is it?',
    ]);
    const { turns } = await client.showTurn({ chatId, turnId: first.turnId });
    expect(turns.map(({ question }) => question)).toEqual([bridge, 'And how long is it?']);
    expect((await client.readChat({ chatId })).turns).toEqual(turns);
  });

  it('answers from the same passages, also when the library has more by now', async () => {
    const events = await ask(bridge);
    const { chatId, turnId } = turnOf(events);
    const path = join(scene.files, 'late.txt');
    await writeFile(path, 'The Golden Gate Bridge did open, says a late document, in May 1937 and not before.');
    await all(client.addFiles({ tickets: [scene.ticket(path) as never] }));
    const again = (sources: 'search' | 'same' | 'more') =>
      all(client.ask({ question: bridge, chatId, insteadOf: turnId, sources }));
    const ids = (found: { passageId: number }[]) => found.map(({ passageId }) => passageId);
    const same = await again('same');
    expect(ids(sourcesOf(same))).toEqual(ids(sourcesOf(events)));
    expect(sourcesOf(await again('search')).map(({ source }) => source)).toContain('late.txt');
    expect((await client.readFound({ turnId: turnOf(same).turnId })).passages).toEqual(sourcesOf(same));
  });

  it('finds more when it is asked to', async () => {
    const path = join(scene.files, 'long.txt');
    const paragraph = (n: number) =>
      `Bridge number ${n} did open in ${1900 + n}. ${`It stands at place ${n}. `.repeat(60)}`;
    await writeFile(path, Array.from({ length: 30 }, (_, n) => paragraph(n)).join('\n\n'));
    await all(client.addFiles({ tickets: [scene.ticket(path) as never] }));
    const events = await ask('When did bridge number 7 open?');
    const { chatId, turnId } = turnOf(events);
    expect(sourcesOf(events)).toHaveLength(12);
    const question = 'When did bridge number 7 open?';
    const more = await all(client.ask({ question, chatId, insteadOf: turnId, sources: 'more' }));
    expect(sourcesOf(more)).toHaveLength(24);
  });

  it('needs the chat of that question', async () => {
    const { turnId } = turnOf(await ask(bridge));
    const elsewhere = { question: 'When?', insteadOf: turnId };
    await expect(all(client.ask({ ...elsewhere, chatId: null }))).rejects.toMatchObject({ code: 'invalid-input' });
    const other = chatOf(await ask(bridge));
    await expect(all(client.ask({ ...elsewhere, chatId: other as never }))).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it('finds no words of a document that was removed', async () => {
    const { turnId } = turnOf(await ask(bridge));
    const before = (await client.readFound({ turnId })).passages;
    expect(before.map(({ source }) => source)).toContain('bridge.txt');
    const { id } = app.library.list().find(({ source }) => source === 'bridge.txt')!;
    await client.removeDocument({ documentId: id });
    expect((await client.readFound({ turnId })).passages.map(({ source }) => source)).not.toContain('bridge.txt');
  });
});

describe('leaving', () => {
  it('keeps the question of an ask that was left at once', async () => {
    for await (const event of client.ask({ question: 'How tall is the Eiffel Tower?', chatId: null }))
      if (event.type === 'started') break;
    const { chats } = await client.listChats({});
    expect(chats).toMatchObject([{ title: 'How tall is the Eiffel Tower?', numTurns: 1 }]);
  });
});

describe('settings', () => {
  it('are changed in part, checked, and remembered', async () => {
    const before = await client.readSettings({});
    const after = await client.changeSettings({ theme: 'dark', temperature: 0 });
    expect(after).toEqual({ ...before, theme: 'dark', temperature: 0 });
    await expect(client.changeSettings({ temperature: 9 })).rejects.toMatchObject({ code: 'invalid-input' });
    await app.close();
    ({ app, client } = await scene.open());
    expect(await client.readSettings({})).toEqual(after);
  });

  it('describe the machine, also when the engine does not answer', async () => {
    expect(await client.describeMachine({})).toMatchObject({
      version: '0.0.0-test',
      device: 'cpu',
      chatModel: null,
      embedder: null,
      deviceReason: expect.stringContaining('started again'),
    });
  });
});

describe('a document named in many answers', () => {
  it('is found by each of its sentences', async () => {
    const path = join(scene.files, 'many.txt');
    await writeFile(
      path,
      'Ada Lovelace wrote the first program in 1843. Grace Hopper wrote the first compiler in 1952.',
    );
    const events = await all(client.addFiles({ tickets: [scene.ticket(path) as never] }));
    expect(documentsOf(events)[0]!.state).toBe('ready');
    for (const [question, year] of [
      ['Who wrote the first program?', '1843'],
      ['Who wrote the first compiler?', '1952'],
    ] as const)
      expect(answerOf(await ask(question)).citations[0]!.quote).toContain(year);
  });
});
