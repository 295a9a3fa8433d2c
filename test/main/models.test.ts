/** `quoth models`, as it is typed: what fits, a model of one's own, another folder, a way out. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinyReranker } from '../fakes/tiny-reranker.ts';
import { openNative } from '../native/native.ts';

const launcher = path.resolve(import.meta.dirname, '../../main/cli/quoth.mjs');
let folder = '';

beforeAll(async () => {
  await openNative();
  folder = await mkdtemp(path.join(os.tmpdir(), 'quoth cli 山田 '));
  await writeTinyReranker(path.join(folder, 'my ranker'));
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

function quoth(...words: string[]): { out: string; error: string; status: number | null } {
  const env = { ...process.env, QUOTH_MODELS: path.join(folder, 'models') };
  const all = [launcher, 'models', ...words, '--profile', path.join(folder, 'profile')];
  const ended = spawnSync(process.execPath, all, { cwd: folder, env, encoding: 'utf8' });
  return { out: ended.stdout, error: ended.stderr, status: ended.status };
}
type Listed = {
  models: { id: string; role: string; state: string; plan: string | null; fit: unknown }[];
  folder: string;
};
const list = (): Listed => JSON.parse(quoth('list', '--json').out) as Listed;

describe('quoth models', () => {
  it('says of every model of the catalogue how it fits this machine', () => {
    const { models } = list();
    expect(models.length).toBeGreaterThan(20);
    // Kits are files that a reader uses: they have no plan to be fitted.
    const unfitted = models.filter(({ fit, role }) => (fit === null) !== ['speech', 'scan'].includes(role));
    expect(unfitted).toEqual([]);
    expect(quoth('list').out).toMatch(/all-minilm-l6-v2 .*Apache-2\.0, fits: \d+ MB of \d+\.\d GB/);
  });

  it('makes one of a folder, moves all to another place, and removes it', async () => {
    const made = quoth('import', 'my ranker', '--name', 'Mine');
    expect(made.error).toBe('');
    expect(made.out).toMatch(/Installed Mine\.\n$/);
    const { models } = list();
    const mine = models.find(({ id }) => id.startsWith('own-mine-'))!;
    expect(mine.state).toBe('installed');

    const other = path.join(folder, 'other drive');
    await mkdir(other);
    const moved = quoth('move', 'other drive');
    expect(moved.error).toBe('');
    expect(moved.out).toContain('other drive now.');
    const after = list();
    expect(after.folder).toContain('other drive');
    expect(after.models.find(({ id }) => id === mine.id)?.plan).toContain('other drive');

    expect(quoth('remove', mine.id).out).toMatch(new RegExp(`^Removed ${mine.id}: `));
    expect(list().models.some(({ id }) => id === mine.id)).toBe(false);
    expect(existsSync(path.join(other, mine.id))).toBe(false);
  });

  it('says in a sentence what is no model, and leaves nothing of it', async () => {
    await writeFile(path.join(folder, 'notes.txt'), 'dear diary');
    const refused = quoth('import', 'notes.txt');
    expect(refused.status).toBe(1);
    expect(refused.error).toMatch(/^notes\.txt .*\n$/);
    expect(quoth('import', 'nothing').error).toBe('There is no "nothing".\n');
    expect((await readdir(path.join(folder, 'other drive'))).sort()).toEqual([]);
  });

  it('keeps what waits, and forgets what is cancelled', () => {
    expect(quoth('pause', 'all-minilm-l6-v2').status).toBe(0);
    expect(quoth('cancel', 'all-minilm-l6-v2').out).toContain('is gone');
    expect(quoth('move').error).toContain('A path is missing.');
    expect(quoth('use', 'a', 'b').error).toContain('"b" is too much.');
  });
});
