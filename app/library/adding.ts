/** What a window learns while documents are taken in. */
import { createChannel } from '../channel.ts';
import type { AddEvent } from '../contract/contract.ts';
import type { DocumentSummary } from '../contract/types.ts';
import type { StoredDocument } from '../store/document-table.ts';

/** Is told of each document that was found, with its end. */
export type Follow = (ended: Promise<StoredDocument>) => void;

/** Runs an adding: `feed` queues documents through `follow`; items are their ends, the last one the summary. */
export type Adding = (
  signal: AbortSignal,
  feed: (follow: Follow, signal: AbortSignal) => Promise<void>,
) => AsyncGenerator<AddEvent>;

export function createAdding({
  summaryOf,
  nowMs,
}: {
  summaryOf: (document: StoredDocument) => DocumentSummary;
  nowMs: () => number;
}): Adding {
  return async function* adding(
    signal: AbortSignal,
    feed: (follow: Follow, signal: AbortSignal) => Promise<void>,
  ): AsyncGenerator<AddEvent> {
    const startMs = nowMs();
    const left = new AbortController();
    const both = AbortSignal.any([signal, left.signal]);
    const events = createChannel<AddEvent>({
      keyOf: ({ type }) => (type === 'found' ? 'found' : null),
      onLeave: () => left.abort(),
    });
    let numDocuments = 0;
    let numReady = 0;
    let numFailed = 0;
    const all: Promise<void>[] = [];
    const follow: Follow = (ended) => {
      events.push({ type: 'found', numDocuments: ++numDocuments });
      const told = ended.then(
        (document) => {
          if (document.state === 'ready') numReady += 1;
          else numFailed += 1;
          events.push({ type: 'document', document: summaryOf(document) });
        },
        () => {
          numFailed += 1; // removed while it was read, or Quoth closes
        },
      );
      all.push(told);
    };
    both.addEventListener('abort', () => events.end(), { once: true });
    if (both.aborted) events.end();
    feed(follow, both)
      .then(() => Promise.all(all))
      .then(() => {
        const seconds = (nowMs() - startMs) / 1000;
        events.push({ type: 'summary', numReady, numFailed, seconds });
        events.end();
      })
      .catch((error: unknown) => events.fail(error));
    yield* events.items;
  };
}
