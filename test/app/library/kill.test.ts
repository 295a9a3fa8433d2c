import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { all, createScene, type Scene, summaryOf } from '../outside.ts';

const numFiles = 8;
const numKills = 20;
let scene: Scene;

beforeEach(async () => {
  scene = await createScene();
});
afterEach(() => scene.remove());

/** Adds the folder in a process of its own and kills it after so many promises and some more turns. */
async function addAndKill(folder: string, afterLines: number, ...more: string[]): Promise<string[]> {
  const script = fileURLToPath(new URL('add-until-killed.ts', import.meta.url));
  const child = spawn(process.execPath, [script, scene.outside.profileFolder, folder, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const numLines = (): number => output.split('\n').length - 1;
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    output += piece;
    if (numLines() >= afterLines) child.kill('SIGKILL');
  });
  await ended;
  return output.split('\n').slice(0, -1);
}

describe('kill -9 while documents are taken in', () => {
  it(`loses nothing that was promised, ${numKills} times`, async () => {
    for (let round = 0; round < numKills; round++) {
      const folder = join(scene.files, `round ${round}`);
      await mkdir(folder);
      for (let file = 0; file < numFiles; file++)
        await writeFile(
          join(folder, `r${round}f${file}.txt`),
          `Word${round}x${file} stands in this file only. `.repeat(9),
        );
      const promised = await addAndKill(folder, 1 + (round % numFiles));
      expect(promised.length).toBeGreaterThan(0);
      const { app, client, disconnect } = await scene.open();
      const found = new Set(app.library.list().map(({ source }) => source));
      for (const source of promised) expect(found).toContain(source);
      // What was on its way goes on by itself; what was not yet seen comes with the folder.
      await app.idle();
      expect(summaryOf(await all(client.addFiles({ tickets: [scene.ticket(folder) as never] })))).toEqual({
        numReady: numFiles,
        numFailed: 0,
      });
      for (let file = 0; file < numFiles; file++) {
        const { passages } = await client.search({ question: `Word${round}x${file}`, limit: 5 });
        expect(passages.map(({ source }) => source)).toEqual([`r${round}f${file}.txt`]);
      }
      expect(app.library.list()).toHaveLength(numFiles * (round + 1));
      disconnect();
      await app.close();
    }
  }, 300_000);

  it('costs a watched folder no file that was ready, and it is watched at the next start', async () => {
    const folder = join(scene.files, 'watched');
    await mkdir(folder);
    for (let file = 0; file < numFiles; file++)
      await writeFile(join(folder, `f${file}.txt`), `Watched number ${file}.`);
    const promised = await addAndKill(folder, 3, 'watch');
    let numRead = 0;
    const { readFile } = scene.outside;
    scene.outside.readFile = (source, options) => {
      numRead += 1;
      return readFile(source, options);
    };
    const { app } = await scene.open();
    await app.idle();
    expect(app.library.listFolders()).toMatchObject([{ state: 'watching', numReady: numFiles }]);
    expect(numRead).toBeLessThanOrEqual(numFiles - promised.length);
  });
});
