import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { QuothError } from '../../../app/contract/errors.ts';
import type { Install, ModelSummary } from '../../../app/contract/types.ts';
import { modelId } from '../../../app/contract/types.ts';
import type { Core } from '../../compose.ts';
import { type Command, type Context, WrongUse } from '../command.ts';
import { followInstall, followMove } from '../follow-models.ts';

const size = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;

const verdicts = { fits: 'fits', slow: 'slow here', 'too-large': 'too large' } as const;

function fitWords({ fit }: ModelSummary): string[] {
  if (!fit) return [];
  const need = `${size(fit.neededBytes)} of ${size(fit.freeBytes)}`;
  return [fit.verdict === 'fits' ? `fits: ${need}` : `${verdicts[fit.verdict]}: ${need}`];
}

function modelWords(model: ModelSummary, install: Install | undefined): string {
  const state = install?.state ?? (model.inUse ? 'in use' : model.state);
  const bytes = model.state === 'installed' ? size(model.planBytes) : `${size(model.downloadBytes)} to fetch`;
  const facts = [model.role, bytes, ...(model.licence === '' ? [] : [model.licence]), ...fitWords(model)];
  const plan = model.plan ? `\n    ${model.plan}` : '';
  const reason = install?.reason ? `\n    ${install.reason}` : '';
  return `${state.padEnd(10)} ${model.id}  ${model.name} (${facts.join(', ')})${reason}${plan}`;
}

/** The installs as they stand now. */
async function installsOf(core: Core, { signal }: Context): Promise<Install[]> {
  for await (const { installs } of core.handlers.watchInstalls({}, signal)) return installs as Install[];
  return [];
}

async function list(core: Core, context: Context): Promise<void> {
  const [models, installs] = await Promise.all([core.app.listModels(), installsOf(core, context)]);
  const words = models.map((model) =>
    modelWords(
      model,
      installs.find(({ modelId: id }) => id === model.id),
    ),
  );
  const imports = installs.filter(({ modelId: id }) => !models.some((model) => model.id === id));
  words.push(
    ...imports.map(({ state, modelId: id, name, reason }) => `${state.padEnd(10)} ${id}  ${name}. ${reason ?? ''}`),
  );
  await context.output.say({ models, installs, folder: core.app.models.folder() }, words.join('\n'));
}

/** Tells that it is there, after what a new model brings with it is done. */
async function sayInstalled(core: Core, { output }: Context, id: string): Promise<void> {
  const model = (await core.app.listModels()).find((one) => one.id === id);
  // A new embedder gives vectors to what is in the library already.
  if (model?.role === 'embedder') await core.app.idle();
  await output.say({ type: 'installed', model }, `Installed ${model?.name ?? id}.`);
}

async function importFiles(context: Context): Promise<void> {
  const { positionals, values } = context;
  const files = await Promise.all(
    positionals.slice(1).map((file) =>
      realpath(path.resolve(file)).catch((cause: unknown) => {
        throw new QuothError('not-found', `There is no "${file}".`, { cause });
      }),
    ),
  );
  const core = await context.openCore();
  const imported = await core.app.models.importPaths(files, values.name);
  await followInstall(core, context, imported.modelId);
  await sayInstalled(core, context, imported.modelId);
}

async function move(context: Context, folder: string): Promise<void> {
  const core = await context.openCore();
  await core.app.models.moveTo(path.resolve(folder));
  await followMove(core, context);
  const now = core.app.models.folder();
  await context.output.say({ type: 'moved', folder: now }, `The models are in ${now} now.`);
}

const actions = ['list', 'install', 'pause', 'cancel', 'remove', 'use', 'unuse', 'import', 'move'];

export const command: Command = {
  usage:
    'models [list | install <id>… | pause <id> | cancel <id> | remove <id> | use <id> | unuse <id> | import <files> [--name TEXT] | move <folder>]',
  summary:
    'Lists the models that there are and how they fit this machine; fetches and builds them one after another (Ctrl-C pauses, the same command goes on); makes one of a checkpoint or plan of your own; removes one, chooses which one to use, sets a reranker aside; moves all of them to another folder.',
  options: ['name'],
  minPositionals: 0,
  maxPositionals: 200,
  // biome-ignore-start lint/correctness/useHookAtTopLevel: `useModel` is a procedure of the contract, no hook of React
  async run(context) {
    const [action = 'list', id, another] = context.positionals;
    const { output, openCore, signal, values } = context;
    if (!actions.includes(action)) throw new WrongUse(`"${action}" is nothing that can be done with models.`);
    if (values.name !== undefined && action !== 'import') throw new WrongUse('--name is for an import.');
    if (action === 'list') {
      if (id !== undefined) throw new WrongUse(`"${id}" is too much.`);
      await list(await openCore(), context);
      return 0;
    }
    if (id === undefined)
      throw new WrongUse(
        action === 'import' || action === 'move' ? 'A path is missing.' : 'The id of a model is missing.',
      );
    if (another !== undefined && action !== 'install' && action !== 'import')
      throw new WrongUse(`"${another}" is too much.`);
    if (action === 'import') await importFiles(context);
    else if (action === 'move') await move(context, id);
    else {
      const ids = context.positionals.slice(1).map((one) => {
        const parsed = modelId.safeParse(one);
        if (parsed.success) return parsed.data;
        throw new WrongUse(`"${one}" is not the id of a model.`);
      });
      const core = await openCore();
      const { handlers } = core;
      for (const one of ids) {
        const request = { modelId: one };
        if (action === 'install') {
          await handlers.installModel(request, signal);
          await followInstall(core, context, one);
          await sayInstalled(core, context, one);
        } else if (action === 'pause') {
          await handlers.pauseInstall(request, signal);
          await output.say({ type: 'paused', modelId: one }, `${one} waits until it is asked for again.`);
        } else if (action === 'cancel') {
          await handlers.cancelInstall(request, signal);
          await output.say({ type: 'cancelled', modelId: one }, `What was fetched of ${one} is gone.`);
        } else if (action === 'remove') {
          const { freedBytes } = await handlers.removeModel(request, signal);
          await output.say(
            { type: 'removed', modelId: one, freedBytes },
            `Removed ${one}: ${size(freedBytes)} are free.`,
          );
        } else {
          await handlers.useModel({ ...request, inUse: action === 'use' }, signal);
          if (action === 'use') await output.say({ type: 'used', modelId: one }, `${one} is in use.`);
          else await output.say({ type: 'unused', modelId: one }, `${one} is set aside.`);
        }
      }
    }
    return 0;
  },
  // biome-ignore-end lint/correctness/useHookAtTopLevel: as above
};
