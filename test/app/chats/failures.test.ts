/** What people report of programs like this one, as tests: the commonest failures of finding and answering. */
import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer } from '../../../app/contract/types.ts';
import { createScriptedModel, installScripted, type ScriptedModel } from '../../fakes/scripted-model.ts';
import { all, createScene, type Scene } from '../outside.ts';

let scene: Scene;
let scripted: ScriptedModel;
let client: Awaited<ReturnType<Scene['open']>>['client'];
let app: Awaited<ReturnType<Scene['open']>>['app'];
let folder: string;

beforeEach(async () => {
  scene = await createScene();
  scripted = createScriptedModel();
  folder = join(scene.files, 'docs');
  await mkdir(folder);
});
afterEach(() => scene.remove());

async function open({ model = false } = {}): Promise<void> {
  if (model) await installScripted(scene.outside.modelsFolder);
  ({ app, client } = await scene.open(model ? { kit: scripted.kit } : {}));
}
const add = () => all(client.addFiles({ tickets: [scene.ticket(folder) as never] }));
const write = (name: string, text: string) => writeFile(join(folder, name), text);

async function ask(question: string, chatId: string | null = null): Promise<Answer & { chatId: string }> {
  const events = await all(client.ask({ question, chatId: chatId as never }));
  const [first, last] = [events[0], events.at(-1)];
  if (first?.type !== 'started' || last?.type !== 'answer') throw new Error('the ask did not come to its end');
  return { ...last.answer, chatId: first.chatId };
}

/** Twenty-four documents that speak of nearly the same. */
async function writeDistractors(): Promise<void> {
  for (let n = 0; n < 24; n++)
    await write(
      `pump ${n}.txt`,
      `Pump P-${200 + n} stands in hall ${n % 7}. Its rated pressure is ${10 + n} bar and its seal is of type S${n}. Pumps of this kind are checked every spring.`,
    );
}

describe('documents are loaded, and used', () => {
  it('a fact that stands in one document only is answered with that document', async () => {
    await open();
    await writeDistractors();
    await write('secret.txt', 'The cellar key of Villa Aurora hangs behind the third barrel.');
    await add();
    const answer = await ask('Where does the cellar key of Villa Aurora hang?');
    expect(answer).toMatchObject({ refused: false });
    expect(answer.citations[0]).toMatchObject({ source: 'secret.txt', verified: true });
    expect(answer.citations[0]!.quote).toContain('third barrel');
  });

  it('when nothing was used, the answer says so, and names what was searched', async () => {
    await open();
    await writeDistractors();
    await add();
    const answer = await ask('Who painted the ceiling of the Sistine Chapel?');
    expect(answer.refused).toBe(true);
    expect(answer.text).toMatch(/I searched 24 documents \(24 passages\)/);
  });
});

describe('the source is the right one', () => {
  it('among many near ones, the quote is of the pump that was asked for', async () => {
    await open();
    await writeDistractors();
    await add();
    for (const n of [3, 17, 23]) {
      const answer = await ask(`What is the rated pressure of pump P-${200 + n}?`);
      expect(answer.citations[0], `P-${200 + n}`).toMatchObject({ source: `pump ${n}.txt`, verified: true });
      expect(answer.citations[0]!.quote).toContain(`${10 + n} bar`);
    }
  });

  it('no document is cited that does not bear the sentence out, whatever the model claims', async () => {
    await open({ model: true });
    await writeDistractors();
    await add();
    scripted.reply = () =>
      'Pump P-217 has a rated pressure of 27 bar [3]. It was built by Sulzer in 1987 [1]. Its seal is of type S17 [2].';
    const answer = await ask('What is the rated pressure of pump P-217 and what is its seal?');
    expect(answer.writtenBy).toBe('model');
    expect(new Set(answer.citations.map(({ source }) => source))).toEqual(new Set(['pump 17.txt']));
    for (const { verified } of answer.citations) expect(verified).toBe(true);
    expect(answer.text).toMatch(/27 bar\. \[\d+\]/);
    expect(answer.text).not.toMatch(/1987\.? ?\[/); // no proof: shown as unsupported
  });

  it('an invented tail of questions and answers is cut off', async () => {
    await open({ model: true });
    await write('tower.txt', 'The Eiffel Tower is 330 metres tall. It was finished in March 1889.');
    await add();
    scripted.reply = () =>
      'The Eiffel Tower is 330 metres tall.\n\nQuestion: Who built it?\nAnswer: It was built by aliens in 1200.';
    const answer = await ask('How tall is the Eiffel Tower?');
    expect(answer.text).toBe('The Eiffel Tower is 330 metres tall. [1]');
  });
});

describe('what is gone or old is never cited', () => {
  it('a file that was deleted, renamed or replaced while the chat is open', async () => {
    await open();
    await write('price.txt', 'The monthly price of the garage is 80 euros.');
    await write('other.txt', 'The garden is watered by the tenant of the ground floor.');
    await add();
    await all(client.addFiles({ tickets: [scene.ticket(folder) as never], watch: true }));
    const question = 'What is the monthly price of the garage?';
    const first = await ask(question);
    expect(first.citations[0]!.quote).toContain('80 euros');

    await rename(join(folder, 'price.txt'), join(folder, 'new name.txt'));
    await expect
      .poll(() => app.library.list().find(({ source }) => source === 'new name.txt')?.state, { timeout: 20_000 })
      .toBe('ready');
    const renamed = await ask(question, first.chatId);
    expect(renamed.citations[0]).toMatchObject({ source: 'new name.txt', verified: true });

    await write('new name.txt', 'The monthly price of the garage is 95 euros.');
    const later = new Date(Date.now() + 60_000);
    await utimes(join(folder, 'new name.txt'), later, later);
    await add();
    const replaced = await ask(question, first.chatId);
    expect(replaced.citations[0]!.quote).toContain('95 euros');
    expect(JSON.stringify(replaced)).not.toContain('80 euros');

    await rm(join(folder, 'new name.txt'));
    const gone = await ask(question, first.chatId);
    expect(JSON.stringify(gone.citations)).not.toMatch(/euros/);
  });
});

describe('documents in other languages', () => {
  it.each([
    [
      'fr',
      'Le pont de Normandie a été inauguré en janvier 1995. Il mesure 2141 mètres.',
      'Quand le pont de Normandie a-t-il été inauguré ?',
      '1995',
    ],
    [
      'it',
      'La torre di Pisa fu completata nel 1372. È alta 56 metri.',
      'Quando fu completata la torre di Pisa?',
      '1372',
    ],
    ['ja', '東京タワーは1958年に完成した。高さは333メートルである。', '東京タワーはいつ完成しましたか。', '1958'],
    ['zh', '南京长江大桥于1968年建成。全长6772米。', '南京长江大桥什么时候建成？', '1968'],
    [
      'de',
      'Die Göltzschtalbrücke wurde 1851 eröffnet. Sie besteht aus Ziegeln.',
      'Wann wurde die Göltzschtalbrücke eröffnet?',
      '1851',
    ],
  ])('%s are found and quoted', async (_language, text, question, wanted) => {
    await open();
    await write('one.txt', text);
    await write('two.txt', 'Nothing of the kind is said here. The weather is fine.');
    await add();
    const answer = await ask(question);
    expect(answer.refused).toBe(false);
    expect(answer.citations[0]).toMatchObject({ source: 'one.txt', verified: true });
    expect(answer.citations.map(({ quote }) => quote).join(' ')).toContain(wanted);
  });
});
