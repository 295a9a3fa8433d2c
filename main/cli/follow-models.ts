/** Follows the models on their way from the command line, until one is there or the folder has moved. */
import { QuothError } from '../../app/contract/errors.ts';
import type { Install, ModelId, ModelsWork } from '../../app/contract/types.ts';
import type { Core } from '../compose.ts';
import type { Context } from './command.ts';
import type { Output } from './output.ts';
import { progressInWords } from './progress.ts';

/** A log gets a line so often; a terminal is written anew with every change. */
const sayEveryMs = 1000;

const steps: Record<Install['step'] | 'tidy', string> = {
  start: 'starting',
  download: 'download',
  copy: 'copy',
  verify: 'check',
  build: 'build',
  tidy: 'tidying up',
};

type Progress = { step: keyof typeof steps } & Pick<
  Install,
  'doneBytes' | 'totalBytes' | 'bytesPerSecond' | 'secondsLeft'
>;

function createTeller(output: Output): (progress: Progress) => Promise<void> {
  let lastMs = Number.NEGATIVE_INFINITY;
  return async (progress) => {
    const { step, doneBytes, totalBytes, bytesPerSecond, secondsLeft } = progress;
    const pace = bytesPerSecond > 0 ? { bytesPerSecond, secondsLeft } : { bytesPerSecond: null, secondsLeft: null };
    const words = `${steps[step]}${totalBytes > 0 ? `: ${progressInWords(doneBytes, totalBytes, pace)}` : ''}`;
    if (output.isTerminal) return output.status(words);
    if (performance.now() - lastMs < sayEveryMs) return;
    lastMs = performance.now();
    await output.say({ type: 'progress', step, doneBytes, totalBytes, bytesPerSecond, secondsLeft }, words);
  };
}

async function follow(
  core: Core,
  { signal }: Context,
  onWork: (work: ModelsWork) => Promise<boolean>,
): Promise<'ended' | 'left'> {
  const watched = core.handlers.watchInstalls({}, signal) as AsyncIterable<ModelsWork>;
  for await (const work of watched) if (await onWork(work)) return 'ended';
  return 'left';
}

/** Until the model is there. Ctrl-C pauses it: what was fetched stays. */
export async function followInstall(core: Core, context: Context, modelId: ModelId): Promise<void> {
  const tell = createTeller(context.output);
  const how = await follow(core, context, async ({ installs }) => {
    const install = installs.find((one) => one.modelId === modelId);
    if (!install) return true;
    if (install.state === 'failed') throw new QuothError('unreadable', install.reason ?? 'The install failed.');
    if (install.state === 'running') await tell(install);
    return false;
  });
  await context.output.status(null);
  if (how === 'ended') return;
  await core.handlers.pauseInstall({ modelId }, new AbortController().signal);
  throw new QuothError('cancelled', 'The install was stopped. It goes on from here next time.');
}

/** Until the folder has moved. Ctrl-C undoes the move. */
export async function followMove(core: Core, context: Context): Promise<void> {
  const tell = createTeller(context.output);
  let reason: string | null = null;
  const how = await follow(core, context, async ({ folder }) => {
    reason = folder.reason;
    if (!folder.move) return true;
    await tell(folder.move);
    return false;
  });
  await context.output.status(null);
  if (how === 'left') throw new QuothError('cancelled', 'The move was stopped, and everything is where it was.');
  if (reason !== null) throw new QuothError('unreadable', reason);
}
