#!/usr/bin/env node
/**
 * `npm run check`: types per folder, lint and formatting of TypeScript, layers, includes, README paths, formatting of
 * C++ and CUDA. Every check runs; the exit status says whether all of them passed.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installDependencies } from '../../main/setup/dependencies.mjs';
import { nodeBinary, root, say } from '../../main/setup/tools.mjs';
import { checkIncludes } from './includes.mjs';
import { checkReadmePaths } from './readme-paths.mjs';
import { filesOfTheRepository, nativeFiles } from './repository-files.mjs';

await installDependencies();
const node = nodeBinary();

/** Runs a tool of node_modules by its JavaScript entry and returns its output when it fails, else null. */
function tool(packageName, entry, toolArguments) {
  const script = join(root, 'node_modules', packageName, entry);
  const answer = spawnSync(node, [script, ...toolArguments], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  return answer.status === 0 ? null : `${answer.stdout}${answer.stderr}` || String(answer.error);
}

const worlds = ['app/contract', 'app', 'ingest', 'engines', 'native', 'main', 'renderer', 'test'];
const checks = [
  ...worlds.map((world) => [`types of ${world}`, () => tool('typescript', 'bin/tsc', ['-p', world])]),
  [
    'lint and format of TypeScript',
    () =>
      tool('@biomejs/biome', 'bin/biome', [
        'check',
        '--diagnostic-level=warn',
        '--error-on-warnings',
        ...filesOfTheRepository().filter((path) => /\.(ts|tsx|mjs|css)$/.test(path)),
      ]),
  ],
  [
    'layers',
    () =>
      tool('dependency-cruiser', 'bin/dependency-cruiser.mjs', [
        '--config',
        'test/lint/layers.mjs',
        ...['app', 'renderer', 'main', 'ingest', 'engines', 'native', 'test'],
      ]),
  ],
  ['includes of C++', () => checkIncludes(nativeFiles(), (path) => readFileSync(join(root, path), 'utf8'))],
  ['paths in README.md', () => checkReadmePaths()],
  ['format of C++', () => tool('clang-format', 'index.js', ['--dry-run', '-Werror', '--style=file', ...nativeFiles()])],
];

let numFailed = 0;
for (const [name, check] of checks) {
  const complaint = check();
  if (complaint) numFailed++;
  say(complaint ? `FAILED  ${name}\n${complaint}` : `ok      ${name}`);
}
say(numFailed === 0 ? `All ${checks.length} checks passed.` : `${numFailed} of ${checks.length} checks failed.`);
process.exitCode = numFailed === 0 ? 0 : 1;
