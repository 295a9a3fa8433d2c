/** Whole documents read by the default chat model and the real engine. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, JobTask } from '../../../app/contract/types.ts';
import { createKit } from '../../../app/models/kit.ts';
import { defaultChatModel, defaultEmbedder } from '../../../engines/catalogue.ts';
import { openNative } from '../../native/native.ts';
import { all, createScene, type Scene } from '../outside.ts';

const modelsFolder = process.env.QUOTH_MODELS ?? '';
const installed = [defaultChatModel, defaultEmbedder].every((id) =>
  existsSync(join(modelsFolder, id, 'manifest.json')),
);

const text = `The Golden Gate Bridge is a suspension bridge in San Francisco. It opened to traffic in May 1937. Joseph Strauss was its chief engineer. The main span of the bridge is 1280 metres long, which was the longest in the world until 1964. It is painted in a colour called international orange, so that ships see it in the fog.

Eleven workers died during the construction of the bridge. A safety net under the deck saved nineteen others. They called themselves the Halfway to Hell Club. The bridge cost 35 million dollars, and the bonds were paid back in 1971 out of tolls.

About 112,000 vehicles cross the Golden Gate Bridge every day. Pedestrians may use the eastern walk during daylight. The traffic lanes are moved twice a day by a machine that shifts the barrier.`;

describe.skipIf(!installed)('whole documents, with the default models', () => {
  let scene: Scene;
  let client: Awaited<ReturnType<Scene['open']>>['client'];
  let app: Awaited<ReturnType<Scene['open']>>['app'];

  beforeAll(async () => {
    const native = await openNative();
    scene = await createScene({ native, modelsFolder });
    const path = join(scene.files, 'bridge.txt');
    await writeFile(path, text);
    ({ app, client } = await scene.open({ kit: createKit({ native }) }));
    await all(client.addFiles({ tickets: [scene.ticket(path) as never] }));
    await app.idle();
  });
  afterAll(() => scene?.remove());

  async function run(task: JobTask): Promise<Answer> {
    const { chatId, turnId } = await client.startJob({ task, chatId: null });
    await app.idle();
    const { turns } = await client.readChat({ chatId });
    return turns.find(({ id }) => id === turnId)!.answer!;
  }

  it('are summarised in the model’s words, each line with verified words of the document', async () => {
    const answer = await run({ type: 'summarise', scope: { type: 'library' } });
    expect(answer).toMatchObject({ end: 'complete', job: { coverage: { numRead: 1, numParts: 1 } } });
    expect(answer.writtenBy).toBe('model');
    const lines = answer.text.split('\n').filter((line) => line.startsWith('- '));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(/ \[\d+\]$/);
    for (const { quote, verified } of answer.citations) {
      expect(verified).toBe(true);
      expect(text.replace(/\s+/g, ' ')).toContain(quote.replace(/\s+/g, ' '));
    }
  });

  it('are searched for what is meant as well, apart from what is said', async () => {
    const answer = await run({ type: 'mentions', words: 'builders killed at work', scope: { type: 'library' } });
    expect(answer.text).toContain('“builders killed at work” stands nowhere');
    expect(answer.text).toContain('Read 1 of 1 parts');
  });
});
