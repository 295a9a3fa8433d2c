/** A local API on a real port, over a real library, with a chat model whose words a test writes. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../../../app/app.ts';
import { createDoor } from '../../../main/local-api/door.ts';
import { all, createScene, type Scene } from '../../app/outside.ts';
import { makePdf } from '../../fakes/pdf.ts';
import { createScriptedModel, installScripted, type ScriptedModel } from '../../fakes/scripted-model.ts';

export type OpenApi = {
  scene: Scene;
  app: App;
  model: ScriptedModel;
  port: number;
  key: string;
  /** "http://127.0.0.1:PORT/v1" */
  address: string;
  remove(): Promise<void>;
};

export const towerFact = 'The lighthouse of Ploumanac’h is 15 metres tall and was built of pink granite in 1946.';

/** The second page of a PDF, line by line. */
export const harvestLines = [
  'In the village of Kilbrannan the oats',
  'of 1987 were ruined by a storm in July,',
  'and nobody sold any that year.',
];

/** A library of three documents; `model` false: without a chat model. */
export async function openApi({ model: withModel = true } = {}): Promise<OpenApi> {
  const scene = await createScene();
  const model = createScriptedModel();
  const folder = join(scene.files, 'docs');
  await mkdir(folder);
  await writeFile(join(folder, 'lighthouse.txt'), towerFact);
  await writeFile(join(folder, 'harvest.pdf'), makePdf([['A cover page.'], harvestLines]));
  await writeFile(join(folder, 'bread.txt'), 'Rye bread is baked for ninety minutes at falling heat.');
  if (withModel) await installScripted(scene.outside.modelsFolder);
  let app: App | undefined;
  const door = createDoor({
    app: () => app!,
    profileFolder: scene.outside.profileFolder,
    version: '0.0.0-test',
    nowMs: Date.now,
    log: scene.outside.log,
  });
  const opened = await scene.open(withModel ? { kit: model.kit, door } : { door });
  app = opened.app;
  await all(opened.client.addFiles({ tickets: [scene.ticket(folder) as never] }));
  const { address, key } = await app.localApi.open({ port: 0 });
  if (key === null) throw new Error('a first opening makes a key');
  return { scene, app, model, port: Number(new URL(address).port), key, address, remove: scene.remove };
}
