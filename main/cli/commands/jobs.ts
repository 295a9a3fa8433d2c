import { QuothError } from '../../../app/contract/errors.ts';
import { type Job, turnId } from '../../../app/contract/types.ts';
import { type Command, WrongUse } from '../command.ts';
import { follow, jobWords } from '../job.ts';

const actions = ['list', 'resume', 'stop'];

export const command: Command = {
  usage: 'jobs [list | resume <id> | stop <id>]',
  summary: 'Lists the work on whole documents that has not come to its end, goes on with it, or ends it.',
  options: [],
  minPositionals: 0,
  maxPositionals: 2,
  async run(context) {
    const { positionals, output, openCore, signal } = context;
    const [action = 'list', id = ''] = positionals;
    if (!actions.includes(action)) throw new WrongUse(`"${action}" is nothing that can be done with jobs.`);
    if (action === 'list') {
      if (id !== '') throw new WrongUse(`"${id}" is too much.`);
      const { handlers } = await openCore();
      const jobs = await listed(handlers.watchJobs({}, signal) as AsyncIterable<{ jobs: Job[] }>);
      const words = jobs.map((job) => `${jobWords(job).padEnd(11)} ${job.turnId}  ${job.task.type}`);
      await output.say({ jobs }, words.join('\n') || 'Nothing is on its way.');
      return 0;
    }
    if (id === '') throw new WrongUse('Something is missing.');
    const parsed = turnId.safeParse(id);
    if (!parsed.success) throw new QuothError('not-found', `There is no job "${id}"; "quoth jobs" shows the ids.`);
    const { handlers } = await openCore();
    if (action === 'stop') {
      await handlers.stopJob({ turnId: parsed.data }, signal);
      await output.say({ type: 'stopped', turnId: parsed.data }, `Stopped ${parsed.data}.`);
      return 0;
    }
    const job = (await listed(handlers.watchJobs({}, signal) as AsyncIterable<{ jobs: Job[] }>)).find(
      (one) => one.turnId === parsed.data,
    );
    if (!job) throw new QuothError('not-found', `There is no job "${id}"; "quoth jobs" shows the ids.`);
    await handlers.resumeJob({ turnId: parsed.data }, signal);
    return follow(job, context);
  },
};

/** The jobs as they are now. */
async function listed(watching: AsyncIterable<{ jobs: Job[] }>): Promise<Job[]> {
  for await (const { jobs } of watching) return jobs;
  return [];
}
