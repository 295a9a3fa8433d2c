import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { answer, settings } from '../../../app/contract/types.ts';
import { placeOf } from '../../../app/library/place.ts';
import { defaultSettings } from '../../../app/store/settings-table.ts';
import { chunksOf, createProfile, facts, fileSource, openStore } from './profile.ts';

const someAnswer = answer.parse({
  text: 'Forty-two [1].',
  citations: [],
  refused: false,
  writtenBy: 'quotes',
  end: 'complete',
  timings: {
    retrieveMs: 1,
    ttftMs: 1,
    decodeTokensPerSecond: 1,
    numPromptTokens: 1,
    numCachedTokens: 0,
    numOutputTokens: 1,
  },
});

describe('documents', () => {
  test('a new document is queued, and is found by its id and its location', () => {
    const { documents } = openStore(createProfile());
    const document = documents.insertQueued(fileSource('a.txt'));
    expect(document).toMatchObject({ state: 'queued', name: 'a.txt', title: 'a.txt', numPassages: 0 });
    expect(document.id).toMatch(/^doc_[0-9a-z]{16}$/);
    expect(documents.find(document.id)).toEqual(document);
    expect(documents.findByLocation(fileSource('a.txt').path)).toEqual(document);
    expect(documents.find('doc_0000000000000000')).toBeNull();
  });

  test('a source that is added twice stays one document', () => {
    const { documents } = openStore(createProfile());
    const first = documents.insertQueued(fileSource('a.txt'));
    documents.setState(first.id, 'failed', { reason: 'It could not be read.', detail: 'x' });
    const second = documents.insertQueued({ ...fileSource('a.txt'), sizeBytes: 99 });
    expect(second).toMatchObject({ id: first.id, state: 'queued', reason: null, sizeBytes: 99 });
    expect(documents.list()).toHaveLength(1);
  });

  test('a document with passages is ready, counted, and found by its hash', () => {
    const { documents, passages } = openStore(createProfile());
    const { id } = documents.insertQueued(fileSource('a.txt'));
    documents.setState(id, 'reading');
    expect(documents.listUnfinished().map((document) => document.id)).toEqual([id]);
    passages.replacePassages(id, chunksOf(['one', 'two']), null, facts);
    expect(documents.findByHash(facts.contentHash)).toMatchObject({ id, state: 'ready', numPassages: 2 });
    expect(documents.counts()).toEqual({ numDocuments: 1, numReady: 1, numPassages: 2 });
    expect(documents.listUnfinished()).toEqual([]);
  });

  test('the cells of a table come back with their places, and damaged ones are none', () => {
    const profile = createProfile();
    const { documents, passages, database } = openStore(profile);
    const { id } = documents.insertQueued(fileSource('a.pdf'));
    const cells = [
      { start: 0, endExclusive: 4, isLabel: true, box: [1, 2, 3, 4] as [number, number, number, number] },
      { start: 7, endExclusive: 9, isLabel: false, box: [5, 2, 6.5, 4] as [number, number, number, number] },
    ];
    const [table, prose] = chunksOf(['Feed | 12', 'Prose.']);
    const { addedIds } = passages.replacePassages(id, [{ ...table!, cells }, prose!], null, facts);
    expect(passages.passages(addedIds).map((passage) => passage.cells)).toEqual([cells, undefined]);
    database.sqlite.prepare('UPDATE passages SET cells = ? WHERE id = ?').run('[[1,"x"],null]', addedIds[0]!);
    expect(passages.passages(addedIds)[0]!.cells).toEqual([]);
    database.sqlite.prepare('UPDATE passages SET cells = ? WHERE id = ?').run('{', addedIds[0]!);
    expect(passages.passages(addedIds)[0]!.cells).toEqual([]);
  });

  test('a ready document says what of it was not read, until it is read whole', () => {
    const { documents, passages } = openStore(createProfile());
    const { id } = documents.insertQueued(fileSource('a.zip'));
    passages.replacePassages(id, chunksOf(['one']), null, { ...facts, note: 'Not read: b.bin.' });
    expect(documents.find(id)).toMatchObject({ state: 'ready', reason: 'Not read: b.bin.' });
    documents.setState(id, 'reading');
    expect(documents.find(id)?.reason).toBeNull();
    documents.setState(id, 'ready'); // unchanged
    expect(documents.find(id)?.reason).toBe('Not read: b.bin.');
    passages.replacePassages(id, chunksOf(['two']), null, facts);
    expect(documents.find(id)?.reason).toBeNull();
  });

  test('a removed document takes its passages, words and vectors along', () => {
    const { documents, passages } = openStore(createProfile());
    const { id } = documents.insertQueued(fileSource('a.txt'));
    const embedded = { embedderId: 'e', vectors: new Float32Array([1, 0, 0, 1]) };
    const { addedIds } = passages.replacePassages(id, chunksOf(['alpha beta', 'beta']), embedded, facts);
    expect(passages.numVectors('e')).toBe(2);
    expect(documents.remove(id).removedIds).toEqual(addedIds);
    expect(passages.passages(addedIds)).toEqual([]);
    expect(passages.searchWords('beta', 10)).toEqual([]);
    expect(passages.numVectors('e')).toBe(0);
    expect(() => documents.remove(id)).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  test('the text of a removed document is in no file of the profile, and after the close no word of it', () => {
    const profile = createProfile();
    const { database, documents, passages } = openStore(profile);
    const profileHolds = (text: string) =>
      fs.readdirSync(profile).some((file) => fs.readFileSync(path.join(profile, file), 'latin1').includes(text));
    const keep = documents.insertQueued(fileSource('keep.txt'));
    passages.replacePassages(keep.id, chunksOf(['something else entirely']), null, facts);
    const { id } = documents.insertQueued(fileSource('secret.txt'));
    const text = `the canary is xylophonequartz, ${'and some more words '.repeat(200)}`;
    passages.replacePassages(id, chunksOf([text, text]), null, facts);
    expect(profileHolds('the canary is xylo')).toBe(true);
    documents.remove(id);
    expect(profileHolds('canary is xylo')).toBe(false);
    const again = passages.replacePassages(keep.id, chunksOf(['the zeppelinquartz came late']), null, facts);
    passages.replacePassages(keep.id, chunksOf(['something else entirely']), null, facts);
    expect(again.addedIds).toHaveLength(1);
    database.close();
    expect(fs.readdirSync(profile)).toEqual(['quoth.db']);
    expect(profileHolds('something')).toBe(true);
    for (const word of ['xylo', 'canary', 'zeppelin']) expect(profileHolds(word)).toBe(false);
  });
});

describe('passages', () => {
  test('they come back in the order asked for, each with its place, and only those that exist', () => {
    const { documents, passages } = openStore(createProfile());
    const { id } = documents.insertQueued(fileSource('a.txt'));
    const chunks = chunksOf(['one', 'two', 'three']);
    chunks[0]!.locator = { type: 'page', page: 7 };
    chunks[1]!.locator = { type: 'time', startSeconds: 1.5, endSeconds: 3 };
    chunks[2]!.label = 'Sheet Budget A2:F40';
    const { addedIds } = passages.replacePassages(id, chunks, null, facts);
    const [one, two, three] = addedIds as [number, number, number];
    const found = passages.passages([three, 9999, one, two]);
    expect(found.map(({ text }) => text)).toEqual(['three', 'one', 'two']);
    expect(found.map(({ locator }) => locator)).toEqual([chunks[2]!.locator, chunks[0]!.locator, chunks[1]!.locator]);
    expect(found.map(({ label }) => label)).toEqual(['Sheet Budget A2:F40', null, null]);
    expect(found.map((passage) => placeOf(passage).label)).toEqual(['Sheet Budget A2:F40', null, null]);
    expect(found[0]).toMatchObject({ documentId: id, title: 'A title', source: 'a.txt', kind: 'text', ordinal: 2 });
    documents.setState(id, 'reading');
    expect(passages.passages(addedIds)).toEqual([]);
  });

  test('replacing them gives new ids, and an id is never used twice', () => {
    const { documents, passages } = openStore(createProfile());
    const { id } = documents.insertQueued(fileSource('a.txt'));
    const first = passages.replacePassages(id, chunksOf(['one', 'two']), null, facts);
    const second = passages.replacePassages(id, chunksOf(['three']), null, facts);
    expect(second.removedIds).toEqual(first.addedIds);
    documents.remove(id);
    const other = documents.insertQueued(fileSource('b.txt'));
    const third = passages.replacePassages(other.id, chunksOf(['four']), null, facts);
    expect(Math.min(...third.addedIds)).toBeGreaterThan(Math.max(...second.addedIds));
  });

  test('a replacement that fails leaves the old passages as they were', () => {
    const { documents, passages } = openStore(createProfile());
    const { id } = documents.insertQueued(fileSource('a.txt'));
    const { addedIds } = passages.replacePassages(id, chunksOf(['old words']), null, facts);
    const twice = [...chunksOf(['new words']), ...chunksOf(['same ordinal'])];
    expect(() => passages.replacePassages(id, twice, null, facts)).toThrow();
    expect(passages.passages(addedIds).map(({ text }) => text)).toEqual(['old words']);
    expect(passages.searchWords('new', 10)).toEqual([]);
  });

  test('vectors are half precision, in the order of ids, and those of gone passages are left out', () => {
    const { documents, passages } = openStore(createProfile());
    const { id } = documents.insertQueued(fileSource('a.txt'));
    const { addedIds } = passages.replacePassages(id, chunksOf(['a', 'b', 'c']), null, facts);
    expect(passages.passagesWithoutVector('e', 2).map(({ text }) => text)).toEqual(['a', 'b']);
    passages.addVectors('e', [...addedIds, 9999], new Float32Array([1, 0, 0, 1, 0.5, 0.25, 1, 1]));
    expect(passages.passagesWithoutVector('e', 10)).toEqual([]);
    expect(passages.passagesWithoutVector('another', 10)).toHaveLength(3);
    const more = passages.replacePassages(documents.insertQueued(fileSource('b.txt')).id, chunksOf(['d']), null, facts);
    expect(passages.passagesWithoutVector('e', 10).map(({ text }) => text)).toEqual(['d']);
    passages.addVectors('e', more.addedIds, new Float32Array([0, 1]));
    expect(passages.passagesWithoutVector('e', 10)).toEqual([]);
    const stored = passages.vectorsAfter('e', addedIds[0]!, 10);
    expect(stored.map(({ passageId }) => passageId)).toEqual([...addedIds.slice(1), ...more.addedIds]);
    expect(stored[1]!.vector).toEqual(new Float16Array([0.5, 0.25]));
    expect(Array.from(passages.passageIdsUpTo('e', addedIds[1]!))).toEqual(addedIds.slice(0, 2));
    passages.addVectors('another', [addedIds[0]!], new Float32Array([0, 1]));
    expect(passages.numVectors('e')).toBe(3);
    expect(passages.passagesWithoutVector('e', 10).map(({ text }) => text)).toEqual(['a']);
    expect(() => passages.addVectors('e', addedIds, new Float32Array(4))).toThrow();
  });

  test('the generation row is one, and is replaced whole', () => {
    const { passages } = openStore(createProfile());
    expect(passages.generation()).toBeNull();
    const generation = {
      file: 'a.index',
      sha256: '0'.repeat(64),
      dimension: 2,
      embedderId: 'e',
      numVectors: 3,
      lastPassageId: 9,
    };
    passages.setGeneration(generation);
    passages.setGeneration({ ...generation, file: 'b.index', numVectors: 4 });
    expect(passages.generation()).toEqual({ ...generation, file: 'b.index', numVectors: 4 });
  });
});

describe('chats', () => {
  test('a chat keeps its turns in order with their answers', () => {
    const { chats } = openStore(createProfile());
    const id = chats.create('What is it?');
    const first = chats.addTurn(id, 'What is it?');
    chats.addTurn(id, 'And then?');
    chats.saveAnswer(first, someAnswer);
    const { chat, turns } = chats.read(id);
    expect(chat).toMatchObject({ id, title: 'What is it?', numTurns: 2 });
    expect(turns.map(({ question, answer }) => [question, answer])).toEqual([
      ['What is it?', someAnswer],
      ['And then?', null],
    ]);
  });

  test('a question asked in the place of another stands beside it, and both keep what followed them', () => {
    const { chats } = openStore(createProfile());
    const id = chats.create('One');
    const first = chats.addTurn(id, 'first');
    const second = chats.addTurn(id, 'second');
    const edited = chats.addTurn(id, 'first, edited', first);
    const after = chats.addTurn(id, 'after the edit');
    const questions = () => chats.read(id).turns.map(({ question }) => question);
    expect(questions()).toEqual(['first, edited', 'after the edit']);
    expect(chats.read(id).turns[0]!.siblings).toEqual([first, edited]);
    chats.showTurn(id, first);
    expect(questions()).toEqual(['first', 'second']);
    const again = chats.addTurn(id, 'after, again', after); // on the branch that is not shown
    expect(questions()).toEqual(['first, edited', 'after, again']);
    expect(chats.read(id).turns[1]!.siblings).toEqual([after, again]);
    chats.showTurn(id, second);
    expect(questions()).toEqual(['first', 'second']);
    expect(chats.read(id).chat.numTurns).toBe(5);
  });

  test('a branch belongs to its chat', () => {
    const { chats } = openStore(createProfile());
    const one = chats.create('One');
    const turn = chats.addTurn(one, 'q');
    const other = chats.create('Other');
    const notFound = expect.objectContaining({ code: 'not-found' });
    expect(() => chats.addTurn(other, 'q', turn)).toThrow(notFound);
    expect(() => chats.showTurn(other, turn)).toThrow(notFound);
    expect(chats.read(other).turns).toEqual([]);
    chats.delete(one);
    expect(() => chats.readFound(turn)).toThrow(notFound);
  });

  test('a chat is read in pieces, from its end', () => {
    const { chats } = openStore(createProfile());
    const id = chats.create('Long');
    const turns = Array.from({ length: 7 }, (_, n) => chats.addTurn(id, `Q${n}`));
    const read = (piece: { numTurns?: number; before?: string }) => {
      const { turns: some, numBefore } = chats.read(id, piece);
      return [some.map(({ question }) => question).join(' '), numBefore];
    };
    expect(read({})).toEqual(['Q0 Q1 Q2 Q3 Q4 Q5 Q6', 0]);
    expect(read({ numTurns: 3 })).toEqual(['Q4 Q5 Q6', 4]);
    expect(read({ numTurns: 3, before: turns[4]! })).toEqual(['Q1 Q2 Q3', 1]);
    expect(read({ numTurns: 3, before: turns[1]! })).toEqual(['Q0', 0]);
    expect(read({ numTurns: 3, before: turns[0]! })).toEqual(['', 0]);
    expect(() => read({ before: 'turn_0000000000000000' })).toThrow(expect.objectContaining({ code: 'not-found' }));
    const other = chats.addTurn(id, 'Q3 edited', turns[3]!);
    expect(read({ numTurns: 2 })).toEqual(['Q2 Q3 edited', 2]);
    expect(() => read({ before: turns[3]! })).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(read({ before: other })).toEqual(['Q0 Q1 Q2', 0]);
  });

  test('what was found is kept as numbers', () => {
    const { chats } = openStore(createProfile());
    const turn = chats.addTurn(chats.create('One'), 'q');
    expect(chats.readFound(turn)).toEqual({ embedderId: null, passages: [] });
    const note = { passageId: 7, score: 1.5, similarity: 0.5, wordScore: null, rerankScore: null };
    const found = { embedderId: 'e', passages: [note] };
    chats.saveAnswer(turn, someAnswer, found);
    expect(chats.readFound(turn)).toEqual(found);
  });

  test('a deleted chat is out of the list until it is restored, and gone after a purge', () => {
    const { chats } = openStore(createProfile());
    const id = chats.create('One');
    chats.addTurn(id, 'q');
    chats.delete(id);
    expect(chats.list()).toEqual([]);
    expect(() => chats.read(id)).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(() => chats.addTurn(id, 'q')).toThrow(expect.objectContaining({ code: 'not-found' }));
    chats.restore(id);
    chats.rename(id, 'Two');
    expect(chats.list()).toMatchObject([{ id, title: 'Two', numTurns: 1 }]);
    chats.delete(id);
    chats.purge();
    expect(() => chats.restore(id)).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  test('an answer that was damaged on the disk is shown as none', () => {
    const { chats, database } = openStore(createProfile());
    const id = chats.create('One');
    chats.saveAnswer(chats.addTurn(id, 'q'), someAnswer);
    database.sqlite.prepare('UPDATE turns SET answer = substr(answer, 1, 20)').run();
    expect(chats.read(id).turns[0]!.answer).toBeNull();
  });
});

describe('settings', () => {
  test('they have defaults that fit the contract, and keep what was changed', () => {
    const profile = createProfile();
    const first = openStore(profile);
    expect(settings.parse(first.settings.read())).toEqual(defaultSettings);
    expect(first.settings.change({ theme: 'dark', answerTokens: 64 })).toMatchObject({
      theme: 'dark',
      temperature: 0,
    });
    first.database.close();
    expect(openStore(profile).settings.read()).toEqual({ ...defaultSettings, theme: 'dark', answerTokens: 64 });
  });

  test('a change that does not fit is refused whole, and a damaged value has its default', () => {
    const { settings: table } = openStore(createProfile());
    expect(() => table.change({ theme: 'dark', answerTokens: -1 })).toThrow();
    expect(table.read().theme).toBe('system');
    table.writeValue('settings.theme', { a: 1 });
    expect(table.read().theme).toBe('system');
    table.writeValue('chatModel', 'tiny');
    expect(table.readValue('chatModel', z.string().nullable(), null)).toBe('tiny');
  });
});
