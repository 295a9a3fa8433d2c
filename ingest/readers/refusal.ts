import type { FailureReason } from '../source.ts';

/** A reader's way to end from deep within: `read-document.ts` turns it into a result. */
export class ReadingRefused extends Error {
  readonly reason: FailureReason;
  constructor(reason: FailureReason, detail: string) {
    super(detail);
    this.name = 'ReadingRefused';
    this.reason = reason;
  }
}
