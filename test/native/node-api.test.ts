/**
 * A checkout without its packages builds the addon with a stand-in for Node-API's headers (../fakes/node-api; test/bench/gpu.sh
 * does). The sources must not ask for more than it has.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const standIn = join(root, 'test', 'fakes', 'node-api');
const compiler = process.env.CXX ?? 'c++';
const hasCompiler = process.platform !== 'win32' && spawnSync(compiler, ['--version']).status === 0;

describe.skipIf(!hasCompiler)('The stand-in for Node-API’s headers', () => {
  test('has what every source of the addon asks for', { timeout: 180_000 }, () => {
    const folder = join(root, 'native', 'addon');
    const sources = readdirSync(folder).filter((name) => name.endsWith('.cc') && name !== 'windows_host.cc');
    const includes = ['node-addon-api', 'node-api-headers/include'].flatMap((name) => [
      '-isystem',
      join(standIn, name),
    ]);
    const files = sources.map((name) => join(folder, name));
    const answer = spawnSync(compiler, ['-std=c++20', '-fsyntax-only', ...includes, ...files], { encoding: 'utf8' });
    expect(answer.stderr).toBe('');
    expect(answer.status).toBe(0);
  });
});
