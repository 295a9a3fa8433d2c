import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { all, createScene, documentsOf, type Scene, summaryOf } from './outside.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await createScene();
});
afterEach(() => scene.remove());

describe('the first steps', () => {
  it('are seen once by a profile, whether it was gone through or not', async () => {
    const first = await scene.open();
    expect(await first.client.readWelcome({})).toEqual({ seen: false });
    await first.client.endWelcome({});
    await first.app.close();
    const { client } = await scene.open();
    expect(await client.readWelcome({})).toEqual({ seen: true });
  });

  it.each([
    ['When is the rent due?', /third working day/],
    ['When does the new web shop go live?', /ninth of April/],
    ['Quand faut-il nettoyer le filtre de la pompe ?', /tous les deux mois/],
    ['Entro quando si pagano le spese comuni?', /15 di gennaio/],
    ['タンクの容量はどれくらいですか。', /四リットル/],
    ['图书的借期是多少天？', /三十天/],
  ])('%s: is answered with a quote from the samples before any model is there', async (question, words) => {
    const { client } = await scene.open();
    await all(client.addSamples({}));
    const events = await all(client.ask({ question, chatId: null }));
    const last = events.at(-1);
    if (last?.type !== 'answer') throw new Error('no answer came');
    expect(last.answer.writtenBy).toBe('quotes');
    expect(last.answer.citations.some(({ quote, verified }) => verified && words.test(quote))).toBe(true);
  });

  it('are read without a fault, added twice are there once, and go without a trace', async () => {
    const { app, client } = await scene.open();
    const names = await readdir(scene.outside.samplesFolder);
    const added = await all(client.addSamples({}));
    expect(summaryOf(added)).toEqual({ numReady: names.length, numFailed: 0 });
    expect(
      documentsOf(added)
        .map(({ source }) => source)
        .sort(),
    ).toEqual(names.sort());
    await all(client.addSamples({}));
    expect(app.library.list()).toHaveLength(names.length);
    expect(await client.readWelcome({})).toEqual({ seen: true });
    await client.removeSamples({});
    expect(app.library.list()).toEqual([]);
    expect(await readdir(scene.outside.profileFolder)).not.toContain('samples');
  });
});
