/** Work on whole documents from the command line: which ones are meant, how far it is, and what came of it. */
import { realpath } from 'node:fs/promises';
import { QuothError } from '../../app/contract/errors.ts';
import { type Job, type JobScope, type JobTask, jobTask, type Turn } from '../../app/contract/types.ts';
import { collectionNamed } from '../../app/library/places.ts';
import type { Core } from '../compose.ts';
import { answerFact, citationWords, plain } from './answers.ts';
import type { Context } from './command.ts';

type Library = Core['app']['library'];

/** What `--collection` or a name says; the whole library where neither is given. */
export async function jobScopeOf(
  app: Pick<Core['app'], 'library' | 'listCollections'>,
  { wanted, collection }: { wanted: string | undefined; collection: string | undefined },
): Promise<JobScope> {
  if (wanted !== undefined && collection !== undefined)
    throw new QuothError('invalid-input', 'Please name a collection or a place, not both.');
  if (collection !== undefined)
    return { type: 'collection', collectionId: collectionNamed(app.listCollections(), collection).id };
  return wanted === undefined ? { type: 'library' } : scopeOf(app.library, wanted);
}

/** What a person names: an id, a path, a watched folder, or (a part of) a document's title or name. */
export async function scopeOf(library: Library, wanted: string): Promise<JobScope> {
  const folder = library.listFolders().find(({ id, path }) => id === wanted || path === wanted);
  if (folder) return { type: 'folder', folderId: folder.id };
  const path = await realpath(wanted).catch(() => null);
  const below = path === null ? [] : library.under(path);
  if (below.length > 0) return { type: 'documents', documentIds: below.map(({ id }) => id) };
  return { type: 'documents', documentIds: [documentNamed(library, wanted)] };
}

/** One document, by its id, path, title or name. */
export async function documentOf(library: Library, wanted: string) {
  const scope = await scopeOf(library, wanted);
  const [id, another] = scope.type === 'documents' ? scope.documentIds : [];
  if (id === undefined || another !== undefined)
    throw new QuothError('invalid-input', `"${wanted}" is a folder; please name one document.`);
  return id;
}

function documentNamed(library: Library, wanted: string) {
  const documents = library.list();
  const exact = documents.filter(({ id, title, source }) => [id, title, source].includes(wanted as never));
  const holds = (text: string): boolean => text.toLowerCase().includes(wanted.toLowerCase());
  const found = exact.length > 0 ? exact : documents.filter(({ title, source }) => holds(title) || holds(source));
  const [document, another] = found;
  if (!document)
    throw new QuothError(
      'not-found',
      `"${wanted}" is neither a document nor a folder of the library; "quoth list" shows them.`,
    );
  if (another)
    throw new QuothError('invalid-input', `${found.length} documents are called so; "quoth list" shows their ids.`);
  return document.id;
}

/** Starts a task and follows it to its end. Ctrl-C stops it; what was read until then is the answer. */
export async function runTask(task: JobTask, context: Context): Promise<number> {
  const parsed = jobTask.safeParse(task);
  if (!parsed.success) throw new QuothError('invalid-input', 'What is sought is too long.');
  const { handlers } = await context.openCore();
  const request = { task: parsed.data, chatId: null, language: 'en' as const };
  const started = (await handlers.startJob(request, context.signal)) as unknown as Pick<Job, 'chatId' | 'turnId'>;
  await context.output.say({ type: 'started', ...started }, null);
  return follow(started, context);
}

/** Shows how far a job is until it ends, then its answer. */
export async function follow({ turnId, chatId }: Pick<Job, 'chatId' | 'turnId'>, context: Context): Promise<number> {
  const { output, signal, openCore } = context;
  const { handlers } = await openCore();
  const never = new AbortController().signal;
  const stop = (): void => void handlers.stopJob({ turnId }, never).catch(() => {});
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  for await (const { jobs } of handlers.watchJobs({}, never) as AsyncIterable<{ jobs: Job[] }>) {
    const job = jobs.find((one) => one.turnId === turnId);
    if (!job || job.state === 'stopped' || job.state === 'failed') {
      if (job?.state === 'failed') throw new QuothError('unsupported', job.reason ?? 'It could not be done.');
      break;
    }
    const { state, numRead, numParts, document, secondsLeft } = job;
    await output.say({ type: 'progress', state, numRead, numParts, document, secondsLeft }, null);
    await output.status(jobWords(job));
  }
  signal.removeEventListener('abort', stop);
  const { turns } = (await handlers.readChat({ chatId }, never)) as unknown as { turns: Turn[] };
  const answer = turns.find(({ id }) => id === turnId)?.answer;
  if (!answer) throw new QuothError('cancelled', 'Stopped before anything was read.');
  await output.say(answerFact(answer), `${plain(answer.text)}\n\n${citationWords(answer)}`.trimEnd());
  if (answer.end === 'stopped')
    await output.say({ type: 'stopped', turnId }, `\nStopped. "quoth jobs resume ${turnId}" goes on.`);
  return 0;
}

/** "Reading part 3 of 37: Annual report, 4 min left" */
export function jobWords({ state, numRead, numParts, document, secondsLeft }: Job): string {
  if (state !== 'reading' || numParts === 0)
    return { joining: 'Putting it together', reading: 'Reading' }[state as string] ?? state;
  const left =
    secondsLeft === null
      ? ''
      : `, ${secondsLeft < 90 ? `${Math.ceil(secondsLeft)} s` : `${Math.round(secondsLeft / 60)} min`} left`;
  const part = `Reading part ${Math.min(numParts, numRead + 1)} of ${numParts}`;
  return `${part}${document === null ? '' : `: ${document}`}${left}`;
}
