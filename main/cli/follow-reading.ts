/** Says how far the reading of documents is that take long: recordings, scans. */
import type { LibraryEvent } from '../../app/contract/contract.ts';
import type { DocumentSummary } from '../../app/contract/types.ts';
import type { Core } from '../compose.ts';
import type { Output } from './output.ts';

/** A log gets a line so often; a terminal is written anew with every change. */
const sayEveryMs = 10_000;

/** Follows the library until the returned function is called. */
export function followReading({ handlers }: Core, output: Output, signal: AbortSignal): () => Promise<void> {
  const left = new AbortController();
  let lastMs = performance.now();
  const tell = async ({ id, title, state, progress }: DocumentSummary): Promise<void> => {
    if (state !== 'reading' || progress === 0) return;
    const percent = Math.floor(100 * progress);
    const words = `${String(percent).padStart(3)} %  ${title}`;
    if (output.isTerminal) return output.status(words);
    if (performance.now() - lastMs < sayEveryMs) return;
    lastMs = performance.now();
    await output.say({ type: 'progress', documentId: id, progress }, words);
  };
  const following = (async () => {
    const both = AbortSignal.any([signal, left.signal]);
    const events = handlers.watchLibrary({}, both) as AsyncIterable<LibraryEvent>;
    for await (const event of events) if (event.type === 'changed') await tell(event.document);
  })().catch(() => {}); // how far it is may go unsaid
  return async () => {
    left.abort();
    await following;
    await output.status(null);
  };
}
