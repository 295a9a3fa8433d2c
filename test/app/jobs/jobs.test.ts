import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer, Job, JobTask } from '../../../app/contract/types.ts';
import { createScriptedModel, installScripted, type ScriptedModel } from '../../fakes/scripted-model.ts';
import { all, createScene, type Scene } from '../outside.ts';

let scene: Scene;
let scripted: ScriptedModel;
let client: Awaited<ReturnType<Scene['open']>>['client'];
let app: Awaited<ReturnType<Scene['open']>>['app'];
let folder: string;

const bridge =
  'The Golden Gate Bridge opened to traffic in May 1937. Its main span is 1280 metres long. The bridge is painted in a colour called international orange. Fog covers the Golden Gate on most summer mornings.';
const tower =
  'The Eiffel Tower was finished in March 1889. The Eiffel Tower is 330 metres tall. Gustave Eiffel’s company built the tower for the World Fair. About seven million people visit the Eiffel Tower every year.';

beforeEach(async () => {
  scene = await createScene();
  scripted = createScriptedModel();
  folder = join(scene.files, 'docs');
  await mkdir(folder);
});
afterEach(() => scene.remove());

async function open({
  model = false,
  files = { 'bridge.txt': bridge, 'tower.txt': tower } as Record<string, string>,
} = {}) {
  if (model) await installScripted(scene.outside.modelsFolder);
  ({ app, client } = await scene.open(model ? { kit: scripted.kit } : {}));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await all(client.addFiles({ tickets: [scene.ticket(folder) as never] }));
}

const idOf = (source: string) => app.library.list().find((document) => document.source === source)!.id;
const whole = { type: 'library' } as const;
const only = (...sources: string[]) => ({ type: 'documents' as const, documentIds: sources.map(idOf) });

/** The answer of a job that has come to its end. */
async function run(task: JobTask, language?: 'en' | 'fr' | 'it' | 'ja' | 'zh'): Promise<Answer> {
  const { chatId, turnId } = await client.startJob({ task, chatId: null, ...(language ? { language } : {}) });
  await ended(turnId);
  return answerOf(chatId, turnId);
}

async function answerOf(chatId: string, turnId: string): Promise<Answer> {
  const { turns } = await client.readChat({ chatId: chatId as never });
  const { answer } = turns.find(({ id }) => id === turnId)!;
  if (!answer) throw new Error(`there is no answer; ${scene.logged.join('; ')}`);
  return answer;
}

/** Watches until the job is as wanted; undefined = it is none of the unfinished ones any more. */
async function until(turnId: string, wanted: (job: Job | undefined) => boolean): Promise<Job | undefined> {
  for await (const { jobs } of client.watchJobs({})) {
    const job = jobs.find((one) => one.turnId === turnId);
    if (wanted(job)) return job;
  }
  throw new Error('the watching ended');
}

const ended = (turnId: string) => until(turnId, (job) => job === undefined || job.state === 'failed');

function expectProof({ text, citations }: Answer): void {
  for (const { n, verified, quote } of citations) {
    expect(verified).toBe(true);
    expect(quote.length).toBeGreaterThan(0);
    expect(text).toContain(`[${n}]`);
  }
}

/** Lines of the list, without the statement of what was read. */
const linesOf = ({ text }: Answer) => text.split('\n').filter((line) => line.startsWith('- '));

describe('every mention', () => {
  it('is listed by document, also in another form of the word, and each line has its quote', async () => {
    await open({
      files: {
        'bridge.txt': bridge,
        'tower.txt': tower,
        'more.txt': 'Two bridges stand there. Abridged books are another matter.',
      },
    });
    const answer = await run({ type: 'mentions', words: 'bridge', scope: whole });
    expectProof(answer);
    expect(answer.citations.map(({ quote }) => quote)).toEqual([
      'The Golden Gate Bridge opened to traffic in May 1937.',
      'The bridge is painted in a colour called international orange.',
      'Two bridges stand there.',
    ]);
    expect(linesOf(answer)).toHaveLength(3);
    expect(answer.text).toContain('3 places in 2 documents.');
    expect(answer.text).toContain('Read 3 of 3 parts of 3 documents');
    expect(answer).toMatchObject({ writtenBy: 'quotes', refused: false, end: 'complete' });
    expect(answer.job).toMatchObject({
      task: { type: 'mentions', words: 'bridge' },
      coverage: { numParts: 3, numRead: 3, numDocuments: 3, unread: [] },
    });
  });

  it('keeps to what was chosen, and says when there is none', async () => {
    await open();
    const answer = await run({ type: 'mentions', words: 'bridge', scope: only('tower.txt') });
    expect(answer.citations).toEqual([]);
    expect(answer.text).toContain('“bridge” stands nowhere in what was read.');
    expect(answer.text).toContain('Read 1 of 1 parts of 1 document');
  });

  it.each([
    ['金門大橋', '金門大橋は1937年に開通した。塔は高い。', '金門大橋は1937年に開通した。'],
    ['塔 高さ', 'その塔の高さは333メートルです。塔は赤い。', 'その塔の高さは333メートルです。'],
    ['cafés', 'Les cafe\u0301s ouvrent tôt. Le reste dort.', 'Les cafe\u0301s ouvrent tôt.'],
    ['rats', 'The rat ran off. The death rate rose. Rates of death fell.', 'The rat ran off.'],
    ['painting', 'It was painted red. The pain went away.', 'It was painted red.'],
    ['colour of the story', 'Colors of stories fade. The store has a color.', 'Colors of stories fade.'],
    ['Łódź', 'In Lodz many mills stood. The rest is gone.', 'In Lodz many mills stood.'],
    ['1,234.50', 'It cost 1234.5 euros. It cost 12 euros.', 'It cost 1234.5 euros.'],
    ['C++ (2020)', 'It was C++ (2020) by then. It was C by then.', 'It was C++ (2020) by then.'],
    ['red line', 'Lines drawn in red ink were lost. A line was blue.', 'Lines drawn in red ink were lost.'],
  ])('finds %s', async (words, text, quote) => {
    await open({ files: { 'one.txt': text } });
    const answer = await run({ type: 'mentions', words, scope: whole });
    expect(answer.citations.map((citation) => citation.quote)).toEqual([quote]);
  });

  it('misses none of a thousand over many parts', async () => {
    const lines = Array.from(
      { length: 1000 },
      (_, n) => `Entry ${n} is about pump P-${n} and its seal. Nothing else is here.`,
    );
    await open({ files: { 'log.txt': lines.join('\n\n') } });
    const answer = await run({ type: 'mentions', words: 'pump', scope: whole });
    expect(answer.text).toContain('1,000 places in 1 document.');
    expect(answer.citations).toHaveLength(400);
    expect(answer.text).toContain('and 600 more');
    const { coverage } = answer.job!;
    expect(coverage.numParts).toBeGreaterThan(5);
    expect(coverage.numRead).toBe(coverage.numParts);
    expect((await run({ type: 'mentions', words: 'P-777', scope: whole })).citations).toHaveLength(1);
  });
});

describe('what could not be read', () => {
  it('is named with its reason in the statement', async () => {
    await open({ files: { 'bridge.txt': bridge, 'empty.txt': '', 'bad.docx': 'not a zip' } });
    const answer = await run({ type: 'summarise', scope: whole });
    expect(answer.job!.coverage).toMatchObject({ numParts: 1, numRead: 1, numDocuments: 1 });
    expect(answer.job!.coverage.unread.map(({ title }) => title).sort()).toEqual(['bad.docx', 'empty.txt']);
    expect(answer.text).toContain('Could not be read: 2 documents.');
    expect(answer.text).toMatch(/empty\.txt: This file is empty/);
  });

  it('is all there is where nothing can be', async () => {
    await open({ files: { 'empty.txt': '' } });
    const answer = await run({ type: 'summarise', scope: whole });
    expect(answer.text).toContain('nothing to read');
    expect(answer.job!.coverage).toMatchObject({ numParts: 0, numRead: 0, unread: [{ title: 'empty.txt' }] });
  });

  it('is a file that went away a moment ago', async () => {
    await open();
    await client.watchFolders({})[Symbol.asyncIterator]().next();
    await all(client.addFiles({ tickets: [scene.ticket(folder) as never], watch: true }));
    await rm(join(folder, 'tower.txt'));
    const answer = await run({ type: 'mentions', words: 'Eiffel Tower', scope: whole });
    expect(answer.citations).toEqual([]);
  });
});

describe('a summary without a chat model', () => {
  it('is made of key sentences of every document, word for word, and says so', async () => {
    await open();
    const answer = await run({ type: 'summarise', scope: whole });
    expectProof(answer);
    expect(answer.writtenBy).toBe('quotes');
    expect(answer.text).toContain('No chat model is installed');
    expect(new Set(answer.citations.map(({ source }) => source))).toEqual(new Set(['bridge.txt', 'tower.txt']));
    for (const { quote } of answer.citations) expect(`${bridge} ${tower}`).toContain(quote);
  });

  it('speaks the language of the window', async () => {
    await open();
    const texts = [];
    for (const language of ['fr', 'it', 'ja', 'zh'] as const)
      texts.push((await run({ type: 'summarise', scope: only('tower.txt') }, language)).text);
    expect(texts[0]).toContain('parties lues sur');
    expect(texts[1]).toContain('parti su');
    expect(texts[2]).toContain('読みました');
    expect(texts[3]).toContain('已读');
  });

  it('is the turn of a chat, found again after a restart', async () => {
    await open();
    const answer = await run({ type: 'summarise', scope: only('tower.txt') });
    await app.close();
    ({ app, client } = await scene.open());
    const [chat] = (await client.listChats({})).chats;
    expect(chat!.title).toBe('Summarise: tower');
    expect((await client.readChat({ chatId: chat!.id })).turns[0]!.answer).toEqual(answer);
  });
});

describe('a comparison', () => {
  const first =
    'The fee is 100 euros a month. Either side may end the contract in writing. The tenant keeps a dog. It is governed by the laws of France.';
  const second =
    'The fee is 120 euros a month. Either side may end the contract in writing. A garage belongs to the flat as well. It is governed by the laws of France.';

  it('shows what differs and what stands in one only, with the quotes of both', async () => {
    await open({ files: { 'old.txt': first, 'new.txt': second } });
    const answer = await run({ type: 'compare', documents: [idOf('old.txt'), idOf('new.txt')] });
    expectProof(answer);
    expect(answer.text).toContain('the same in both: 2; that differ: 1; only in the first: 1; only in the second: 1.');
    const changed = linesOf(answer)[0]!;
    expect(changed).toMatch(/100 euros.*\[1\] ↔ .*120 euros.*\[2\]/);
    expect(answer.citations.map(({ quote }) => quote)).toEqual([
      'The fee is 100 euros a month.',
      'The fee is 120 euros a month.',
      'The tenant keeps a dog.',
      'A garage belongs to the flat as well.',
    ]);
    expect(answer.job!.coverage).toMatchObject({ numParts: 2, numRead: 2, numDocuments: 2 });
  });

  it('says when both are the same', async () => {
    await open({ files: { 'old.txt': first, 'copy.txt': `${first} ` } });
    const answer = await run({ type: 'compare', documents: [idOf('old.txt'), idOf('copy.txt')] });
    expect(answer.text).toContain('Both say the same');
  });

  it('needs two documents that can be read', async () => {
    await open({ files: { 'old.txt': first, 'empty.txt': '' } });
    const old = idOf('old.txt');
    await expect(
      client.startJob({ task: { type: 'compare', documents: [old, old] }, chatId: null }),
    ).rejects.toMatchObject({
      code: 'invalid-input',
    });
    const gone = 'doc_0000000000000000' as never;
    await expect(
      client.startJob({ task: { type: 'compare', documents: [old, gone] }, chatId: null }),
    ).rejects.toMatchObject({
      code: 'not-found',
    });
    const task: JobTask = { type: 'compare', documents: [old, idOf('empty.txt')] };
    const { turnId } = await client.startJob({ task, chatId: null });
    expect(await ended(turnId)).toMatchObject({ state: 'failed', reason: expect.stringContaining('empty.txt') });
  });
});

describe('a summary with a chat model', () => {
  const chapters = (count: number) =>
    Array.from(
      { length: count },
      (_, n) =>
        `Chapter ${n} tells of pump number ${n + 100}. ${'It stands in the old hall beside the river and hums. '.repeat(60)}`,
    ).join('\n\n');
  /** Says what the part says of its pumps, and something that it does not. */
  const sayPumps = (text: string) => {
    const numbers = [...text.matchAll(/(?:Chapter|chapter) (\d+) tells of pump number (\d+)/g)];
    return `${numbers.map(([, chapter, pump]) => `Chapter ${chapter} tells of pump number ${pump}.`).join(' ')} The mayor of Paris disagreed in 1755.`;
  };
  /** The model answers `count` times and then never again; settles when it is asked once more. */
  const stickAfter = (count: number): Promise<void> => {
    let numAnswered = 0;
    return new Promise((resolve) => {
      scripted.reply = (text) => {
        if (numAnswered === count) {
          resolve();
          return new Promise(() => {});
        }
        numAnswered += 1;
        return sayPumps(text);
      };
    });
  };

  it('gives the model every part once, in the background, and keeps only what the parts bear out', async () => {
    scripted.reply = sayPumps;
    await open({ model: true, files: { 'book.txt': chapters(8) } });
    const answer = await run({ type: 'summarise', scope: whole });
    expectProof(answer);
    expect(answer).toMatchObject({ writtenBy: 'model', end: 'complete' });
    expect(answer.text).toMatch(/- Chapter \d+ tells of pump number \d+\. \[1\]/);
    expect(answer.text).not.toContain('Paris');
    const { coverage } = answer.job!;
    expect(coverage.numParts).toBeGreaterThan(2);
    expect(coverage.numRead).toBe(coverage.numParts);
    const told = scripted.prompts.map(({ text }) => text).join('\n');
    for (let chapter = 0; chapter < 8; chapter++) expect(told).toContain(`Chapter ${chapter} tells`);
    for (const { priority, numTokens } of scripted.prompts) {
      expect(priority).toBe(0);
      expect(numTokens).toBeLessThanOrEqual(2048);
    }
  });

  it('joins many lines to a page of them', async () => {
    scripted.reply = sayPumps;
    scripted.contextTokens = 700;
    await open({ model: true, files: { 'book.txt': chapters(40) } });
    const answer = await run({ type: 'summarise', scope: whole });
    expectProof(answer);
    expect(linesOf(answer).length).toBeLessThanOrEqual(12);
    expect(linesOf(answer).length).toBeGreaterThan(5);
    expect(scripted.prompts.length).toBeGreaterThan(answer.job!.coverage.numParts);
  });

  it('gives the documents’ own words where the model says nothing of use, and counts them', async () => {
    scripted.reply = () => 'The mayor of Paris disagreed in 1755.';
    await open({ model: true });
    const answer = await run({ type: 'summarise', scope: only('tower.txt') });
    expectProof(answer);
    expect(answer.writtenBy).toBe('quotes');
    expect(answer.job!.coverage.numInOwnWords).toBe(1);
    expect(answer.text).toContain('“');
    expect(answer.text).not.toContain('Paris');
  });

  it('goes on without the model when it fails again and again', async () => {
    scripted.reply = () => {
      throw new Error('no');
    };
    await open({ model: true, files: { 'book.txt': chapters(12) } });
    const answer = await run({ type: 'summarise', scope: whole });
    const { coverage } = answer.job!;
    expect(coverage.numRead).toBe(coverage.numParts);
    expect(coverage.numInOwnWords).toBe(coverage.numParts);
    expect(scripted.prompts.length).toBe(3);
    expect(answer.text).toContain('failed on the way');
  });

  it('shows a model’s words as words: no link, no picture, no markup', async () => {
    const evil =
      'The Eiffel Tower is 330 metres tall ![x](https://evil.example/?q=1) [see](https://evil.example) <img src=x> www.evil.example.';
    scripted.reply = () => evil;
    await open({ model: true, files: { 'tower.txt': `${tower} ${evil}` } });
    const answer = await run({ type: 'summarise', scope: whole });
    expect(answer.text).toContain('330');
    expect(answer.text).not.toMatch(/(?<!\\)!?\[[^\]]*\]\(|(?<!\\)<|https:\/\/|www\.e/);
  });

  it('tells how far it is, and is stopped with what it has', async () => {
    const isStuck = stickAfter(2);
    await open({ model: true, files: { 'book.txt': chapters(10) } });
    const { chatId, turnId, question } = await client.startJob({
      task: { type: 'summarise', scope: whole },
      chatId: null,
    });
    expect(question).toBe('Summarise: the whole library');
    await isStuck;
    const job = await until(turnId, (one) => one?.numRead === 2);
    expect(job).toMatchObject({ chatId, state: 'reading', document: 'book' });
    expect(job!.numParts).toBeGreaterThan(2);
    await client.stopJob({ turnId });
    const answer = await answerOf(chatId, turnId);
    expect(answer).toMatchObject({ end: 'stopped', job: { coverage: { numRead: 2, numParts: job!.numParts } } });
    expect(answer.text).toContain(`Read 2 of ${job!.numParts} parts`);
    expectProof(answer);
    expect(await until(turnId, (one) => one?.state === 'stopped')).toBeDefined();

    // It goes on, and what was read is not read again.
    scripted.reply = sayPumps;
    const numBefore = scripted.prompts.length;
    await client.resumeJob({ turnId });
    await ended(turnId);
    const done = await answerOf(chatId, turnId);
    expect(done).toMatchObject({ end: 'complete', job: { coverage: { numRead: job!.numParts } } });
    const read = scripted.prompts.slice(numBefore).filter(({ text }) => text.includes('It stands in the old hall'));
    expect(read).toHaveLength(job!.numParts - 2);
    await expect(client.stopJob({ turnId })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('goes on after a restart, and reads no part twice', async () => {
    const isStuck = stickAfter(3);
    await open({ model: true, files: { 'book.txt': chapters(10) } });
    const { chatId, turnId } = await client.startJob({ task: { type: 'summarise', scope: whole }, chatId: null });
    await isStuck;
    await app.close();
    scripted.reply = sayPumps;
    const numBefore = scripted.prompts.length;
    ({ app, client } = await scene.open({ kit: scripted.kit }));
    await ended(turnId);
    const answer = await answerOf(chatId, turnId);
    const { numParts, numRead } = answer.job!.coverage;
    expect(numRead).toBe(numParts);
    const read = scripted.prompts.slice(numBefore).filter(({ text }) => text.includes('It stands in the old hall'));
    expect(read).toHaveLength(numParts - 3);
    expectProof(answer);
  });

  it('goes on after a kill, with what was read before it', async () => {
    const isStuck = stickAfter(2);
    await open({ model: true, files: { 'book.txt': chapters(8) } });
    const { chatId, turnId } = await client.startJob({ task: { type: 'summarise', scope: whole }, chatId: null });
    await isStuck;
    // The files as a kill at this moment leaves them; the process that holds them is none of theirs.
    const { profileFolder } = scene.outside;
    const left = `${profileFolder} left`;
    await cp(profileFolder, left, { recursive: true });
    await app.close();
    await rm(profileFolder, { recursive: true });
    await rename(left, profileFolder);
    scripted.reply = sayPumps;
    const numBefore = scripted.prompts.length;
    ({ app, client } = await scene.open({ kit: scripted.kit }));
    await ended(turnId);
    const answer = await answerOf(chatId, turnId);
    expect(answer).toMatchObject({ end: 'complete', writtenBy: 'model' });
    const { numParts } = answer.job!.coverage;
    const read = scripted.prompts.slice(numBefore).filter(({ text }) => text.includes('It stands in the old hall'));
    expect(read).toHaveLength(numParts - 2);
    expectProof(answer);
  });

  it('is not taken up by a command that only looks', async () => {
    scripted.reply = () => new Promise(() => {});
    await open({ model: true });
    const { turnId } = await client.startJob({ task: { type: 'summarise', scope: whole }, chatId: null });
    await app.close();
    ({ app, client } = await scene.open({ kit: scripted.kit, resume: false }));
    expect(await until(turnId, () => true)).toMatchObject({ state: 'waiting' });
  });

  it('gives way to a question, which is answered first, and then goes on', async () => {
    let asked = (): void => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    let numJobPrompts = 0;
    scripted.reply = (text) => {
      if (text.includes('Question:')) return 'The Eiffel Tower is 330 metres tall.';
      numJobPrompts += 1;
      if (numJobPrompts === 1) {
        asked();
        return new Promise(() => {}); // the job is in the middle of a part
      }
      return 'The Eiffel Tower was finished in March 1889.';
    };
    await open({ model: true });
    const { chatId, turnId } = await client.startJob({
      task: { type: 'summarise', scope: only('tower.txt') },
      chatId: null,
    });
    await isAsked;
    const events = await all(client.ask({ question: 'How tall is the Eiffel Tower?', chatId: null }));
    expect(events.at(-1)).toMatchObject({ type: 'answer', answer: { text: expect.stringContaining('330 metres') } });
    await ended(turnId);
    expect((await answerOf(chatId, turnId)).text).toContain('March 1889');
    expect(scripted.prompts.map(({ priority }) => priority)).toEqual([0, 10, 0]);
  });

  it('runs one after another', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    scripted.reply = async () => {
      await held;
      return 'The Eiffel Tower was finished in March 1889.';
    };
    await open({ model: true });
    const task: JobTask = { type: 'summarise', scope: only('tower.txt') };
    const first = await client.startJob({ task, chatId: null });
    const second = await client.startJob({ task, chatId: first.chatId });
    await until(first.turnId, (job) => job?.state === 'reading' && job.numParts > 0);
    expect(await until(second.turnId, () => true)).toMatchObject({ state: 'waiting' });
    await client.stopJob({ turnId: second.turnId });
    expect(await until(second.turnId, () => true)).toMatchObject({ state: 'stopped' });
    release();
    await ended(first.turnId);
    await client.resumeJob({ turnId: second.turnId });
    await ended(second.turnId);
    expect((await client.readChat({ chatId: first.chatId })).turns.map(({ answer }) => answer?.end)).toEqual([
      'complete',
      'complete',
    ]);
  });

  it('ends with its chat', async () => {
    scripted.reply = () => new Promise(() => {});
    await open({ model: true });
    const { chatId, turnId } = await client.startJob({ task: { type: 'summarise', scope: whole }, chatId: null });
    await until(turnId, (job) => job?.state === 'reading' && job.numParts > 0);
    await client.deleteChat({ chatId });
    await until(turnId, (job) => job === undefined);
    await client.restoreChat({ chatId });
    expect(await until(turnId, () => true)).toMatchObject({ state: 'stopped' });
  });
});

describe('a result in a file', () => {
  it('has its lines, their quotes and what was read', async () => {
    await open();
    const { chatId, turnId } = await client.startJob({
      task: { type: 'mentions', words: 'Eiffel', scope: whole },
      chatId: null,
    });
    await ended(turnId);
    for (const format of ['markdown', 'html'] as const) {
      const { base64 } = await client.exportChat({ chatId, format });
      const text = Buffer.from(base64, 'base64').toString('utf8');
      expect(text).toContain('330 metres tall');
      expect(text).toContain('Read 2 of 2 parts of 2 documents (2 passages).');
      expect(text).toMatch(format === 'html' ? /<li id="quote-1-4"/ : /\[\^1-4\]: “/);
    }
  });
});

describe('a removed document', () => {
  it('is no part of a job that still waits', async () => {
    scripted.reply = () => 'The Eiffel Tower was finished in March 1889.';
    await open({ model: true });
    const task: JobTask = { type: 'summarise', scope: only('tower.txt', 'bridge.txt') };
    await expect(
      client.startJob({
        task: { ...task, scope: { type: 'documents', documentIds: ['doc_0000000000000000' as never] } },
        chatId: null,
      }),
    ).rejects.toMatchObject({ code: 'not-found' });
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    scripted.reply = async () => {
      await held;
      return 'The Eiffel Tower was finished in March 1889.';
    };
    const first = await client.startJob({ task, chatId: null });
    const second = await client.startJob({ task, chatId: null });
    await until(first.turnId, (job) => job?.state === 'reading' && job.numParts > 0);
    await client.removeDocument({ documentId: idOf('bridge.txt') });
    release();
    await ended(second.turnId);
    const { coverage } = (await answerOf(second.chatId, second.turnId)).job!;
    expect(coverage).toMatchObject({ numDocuments: 1, numRead: 1, numParts: 1 });
    const half = await answerOf(first.chatId, first.turnId);
    expect(half.job!.coverage.unread.length + half.job!.coverage.numDocuments).toBeGreaterThanOrEqual(1);
    for (const { verified, quote } of half.citations) expect(verified || quote === '').toBe(true);
  });

  it('leaves no word of it in a result, nor its name', async () => {
    await open();
    const { chatId, turnId } = await client.startJob({
      task: { type: 'mentions', words: 'Eiffel', scope: whole },
      chatId: null,
    });
    await ended(turnId);
    await client.removeDocument({ documentId: idOf('tower.txt') });
    const answer = JSON.stringify(await answerOf(chatId, turnId));
    expect(answer).not.toMatch(/330 metres|March 1889|seven million|tower\.txt|### tower/);
  });
});
