import type { InstallProgress, ModelSummary } from '../../../app/contract/types.ts';
import { modelId } from '../../../app/contract/types.ts';
import type { Fit } from '../../../engines/catalogue.ts';
import type { Core } from '../../compose.ts';
import { type Command, type Context, WrongUse } from '../command.ts';
import { fitMachine, fitOf, fitWords } from '../fits.ts';

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

function modelWords(model: ModelSummary & { fit: Fit | null }): string {
  const state = model.inUse ? 'in use' : model.state;
  const size = model.state === 'installed' ? megabytes(model.planBytes) : `${megabytes(model.downloadBytes)} to fetch`;
  const plan = model.plan ? `\n    ${model.plan}` : '';
  // "Name: 4.0 GB + …": the name stands above already.
  const fit = model.fit
    ? `\n    ${fitWords[model.fit.verdict]}: ${model.fit.sentence.slice(model.name.length + 2)}`
    : '';
  return `${state.padEnd(10)} ${model.id}  ${model.name} (${model.role}, ${size}, ${model.licence})${plan}${fit}`;
}

async function list(core: Core, { output }: Context): Promise<void> {
  const machine = await fitMachine(core.native);
  // What is installed is reckoned exactly, by `doctor`.
  const models = (await core.app.listModels()).map((model) => ({
    ...model,
    fit: machine === null || model.state === 'installed' ? null : fitOf(model.id, machine),
  }));
  await output.say({ models }, models.map(modelWords).join('\n'));
}

async function install(core: Core, { output, signal }: Context, id: string): Promise<void> {
  let lastSaidMs = 0;
  const progress = core.handlers.installModel({ modelId: modelId.parse(id) }, signal) as AsyncIterable<InstallProgress>;
  for await (const item of progress) {
    const now = performance.now();
    if (item.step !== 'done' && now - lastSaidMs < 1000) continue;
    lastSaidMs = now;
    const left = item.secondsLeft === null ? '' : `, ${Math.ceil(item.secondsLeft)} s left`;
    const words = `${item.step}: ${megabytes(item.doneBytes)} of ${megabytes(item.totalBytes)}${left}`;
    await output.say({ type: 'progress', ...item }, item.step === 'done' ? null : words);
  }
  const model = (await core.app.listModels()).find((one) => one.id === id);
  // A new embedder gives vectors to what is in the library already.
  if (model?.role === 'embedder') await core.app.idle();
  await output.say({ type: 'installed', model }, `Installed ${model?.name ?? id}.`);
}

export const command: Command = {
  usage: 'models [list | install <id> | remove <id> | use <id> | unuse <id>]',
  summary:
    'Lists the models that there are, fetches and builds one, removes one, chooses which one to use, or sets a reranker aside.',
  options: [],
  minPositionals: 0,
  maxPositionals: 2,
  // biome-ignore-start lint/correctness/useHookAtTopLevel: `useModel` is a procedure of the contract, no hook of React
  async run(context) {
    const [action = 'list', id] = context.positionals;
    const { output, openCore, signal } = context;
    if (!['list', 'install', 'remove', 'use', 'unuse'].includes(action))
      throw new WrongUse(`"${action}" is nothing that can be done with models.`);
    if (action === 'list') {
      if (id !== undefined) throw new WrongUse(`"${id}" is too much.`);
      await list(await openCore(), context);
      return 0;
    }
    if (id === undefined) throw new WrongUse('The id of a model is missing.');
    const parsed = modelId.safeParse(id);
    if (!parsed.success) throw new WrongUse(`"${id}" is not the id of a model.`);
    const core = await openCore();
    if (action === 'install') await install(core, context, id);
    if (action === 'remove') {
      await core.handlers.removeModel({ modelId: parsed.data }, signal);
      await output.say({ type: 'removed', modelId: id }, `Removed ${id}.`);
    }
    if (action === 'use') {
      await core.handlers.useModel({ modelId: parsed.data }, signal);
      await output.say({ type: 'used', modelId: id }, `${id} is in use.`);
    }
    if (action === 'unuse') {
      await core.handlers.useModel({ modelId: parsed.data, inUse: false }, signal);
      await output.say({ type: 'unused', modelId: id }, `${id} is set aside.`);
    }
    return 0;
  },
  // biome-ignore-end lint/correctness/useHookAtTopLevel: as above
};
