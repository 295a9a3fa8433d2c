/** From a dropped file to a cited answer, with the default models and the real engine. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AskEvent } from '../../app/contract/contract.ts';
import type { Answer } from '../../app/contract/types.ts';
import { createKit } from '../../app/models/kit.ts';
import { defaultChatModel, defaultEmbedder } from '../../engines/catalogue.ts';
import type { Engine, Native } from '../../native/index.ts';
import { openNative } from '../native/native.ts';
import { all, createScene, type Scene, summaryOf } from './outside.ts';

const modelsFolder = process.env.QUOTH_MODELS ?? '';
const installed = [defaultChatModel, defaultEmbedder].every((id) =>
  existsSync(join(modelsFolder, id, 'manifest.json')),
);

/** The real engine, whose process "dies" during the generation after so many events: later handles are new ones. */
function dyingAfter(native: Native, numEvents: () => number): Native {
  return {
    ...native,
    async loadEngine(options) {
      const engine: Engine = await native.loadEngine(options);
      let dead = false;
      const check = (): void => {
        if (dead) throw Object.assign(new Error('The engine ended.'), { code: 'engine-died' });
      };
      return {
        ...engine,
        async *generate(request) {
          let count = 0;
          const limit = numEvents();
          for await (const event of engine.generate(request)) {
            check();
            dead = ++count > limit;
            check();
            yield event;
          }
        },
      };
    },
  };
}

describe.skipIf(!installed)('the road, with the default models', () => {
  let scene: Scene;
  let client: Awaited<ReturnType<Scene['open']>>['client'];
  let app: Awaited<ReturnType<Scene['open']>>['app'];
  let numEvents = Number.POSITIVE_INFINITY;

  beforeAll(async () => {
    const native = dyingAfter(await openNative(), () => numEvents);
    scene = await createScene({ native, modelsFolder });
    const folder = join(scene.files, 'docs');
    await mkdir(folder);
    await writeFile(
      join(folder, 'bridge.txt'),
      'The Golden Gate Bridge opened to traffic in May 1937. Its main span is 1280 metres long. It is painted in a colour called international orange.',
    );
    await writeFile(
      join(folder, 'tower.txt'),
      'The Eiffel Tower was finished in March 1889 by the company of Gustave Eiffel. It is 330 metres tall.',
    );
    ({ app, client } = await scene.open({ kit: createKit({ native }) }));
    await client.changeSettings({ temperature: 0 });
    const events = await all(client.addFiles({ tickets: [scene.ticket(folder) as never] }));
    expect(summaryOf(events)).toEqual({ numReady: 2, numFailed: 0 });
    await app.idle();
  });
  afterAll(() => scene?.remove());

  const ask = (question: string) => all(client.ask({ question, chatId: null }));
  const answerOf = (events: AskEvent[]): Answer => {
    const last = events.at(-1);
    if (last?.type !== 'answer') throw new Error(`the last event is ${last?.type ?? 'missing'}`);
    return last.answer;
  };

  it('finds by meaning what shares no word with the question', async () => {
    const { passages } = await client.search({ question: 'height of the Parisian landmark', limit: 2 });
    expect(passages[0]!.source).toBe('tower.txt');
  });

  it('streams an answer whose quote stands in the document, and reuses the passages for the next one', async () => {
    const first = await ask('How tall is the Eiffel Tower?');
    const answer = answerOf(first);
    expect(answer).toMatchObject({ writtenBy: 'model', refused: false, end: 'complete' });
    expect(answer.text).toContain('330');
    expect(answer.citations[0]).toMatchObject({ source: 'tower.txt', verified: true });
    expect(answer.citations[0]!.quote).toContain('330 metres');
    expect(first.filter(({ type }) => type === 'text').length).toBeGreaterThan(0);
    expect(answer.timings.numOutputTokens).toBeGreaterThan(0);
    const second = answerOf(await ask('Which company built the Eiffel Tower?'));
    expect(second.timings.numCachedTokens).toBeGreaterThanOrEqual(64);
  });

  it('refuses what the documents do not speak of, without asking the model', async () => {
    const answer = answerOf(await ask('Which vitamins are in bananas?'));
    expect(answer).toMatchObject({ refused: true, timings: { numOutputTokens: 0 } });
  });

  it('keeps what was said when it is stopped', async () => {
    let said = '';
    let chatId = '';
    for await (const event of client.ask({ question: 'What is the Golden Gate Bridge? Tell all.', chatId: null })) {
      if (event.type === 'started') chatId = event.chatId;
      if (event.type === 'text') said += event.text;
      if (event.type === 'text' && said.length > 10) break;
    }
    // Leaving cancels on the other side; the answer is there once that side has saved it.
    let answer: Answer | null = null;
    while (!answer) ({ answer } = (await client.readChat({ chatId: chatId as never })).turns[0]!);
    expect(answer.end).toBe('stopped');
    expect(answer.text.length).toBeGreaterThan(0);
  });

  it('keeps and marks a cut answer when the engine dies, and answers again with a fresh one', async () => {
    numEvents = 15;
    const cut = answerOf(await ask('What is the Golden Gate Bridge? Tell everything about its opening, span, colour.'));
    numEvents = Number.POSITIVE_INFINITY;
    expect(cut).toMatchObject({ end: 'cut', writtenBy: 'model', refused: false });
    expect(cut.text.length).toBeGreaterThan(0);
    const again = answerOf(await ask('How tall is the Eiffel Tower?'));
    expect(again).toMatchObject({ end: 'complete', refused: false, writtenBy: 'model' });
  });

  it('answers in quotes when the engine dies before the first word, again and again', async () => {
    numEvents = 0;
    const answer = answerOf(await ask('When did the Golden Gate Bridge open?'));
    numEvents = Number.POSITIVE_INFINITY;
    expect(answer).toMatchObject({ writtenBy: 'quotes', refused: false });
    expect(answer.citations[0]!.quote).toContain('May 1937');
  });
});
