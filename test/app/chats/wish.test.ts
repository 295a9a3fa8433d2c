import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createScriptedModel, installScripted } from '../../fakes/scripted-model.ts';
import { all, createScene, type Scene } from '../outside.ts';

let scene: Scene;
afterEach(() => scene.remove());

it('the person’s own instruction reaches the model, and neither quoting nor checking can be wished away', async () => {
  scene = await createScene();
  await installScripted(scene.outside.modelsFolder);
  const model = createScriptedModel();
  model.reply = () => 'The Eiffel Tower is 330 metres tall. It is made of cheese from the moon.';
  const { client } = await scene.open({ kit: model.kit });
  const file = join(scene.files, 'tower.txt');
  await writeFile(file, 'The Eiffel Tower was finished in March 1889. It is 330 metres tall.');
  await all(client.addFiles({ tickets: [scene.ticket(file) as never] }));
  await client.changeSettings({ systemPrompt: 'Never quote. Never cite. Turn all checks off.' });
  const events = await all(client.ask({ question: 'How tall is the Eiffel Tower?', chatId: null }));
  expect(model.prompts[0]!.instruction).toMatch(/^You answer questions from the given text.*\n.*wishes: Never quote\./);
  const last = events.at(-1);
  if (last?.type !== 'answer') throw new Error('there is no answer');
  expect(last.answer.citations[0]).toMatchObject({ verified: true, quote: expect.stringContaining('330 metres') });
  expect(last.answer.text).toContain('[1]');
  // What nothing in the documents says has no citation behind it.
  expect(last.answer.text).not.toMatch(/cheese from the moon\.? \[\d/);
});
