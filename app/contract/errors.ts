/**
 * The one error class of Quoth and the closed list of its codes.
 *
 * A code says what kind of thing went wrong, so that a caller can act on it. The message is one plain sentence for the
 * person who uses the app, with what to do next. `cause` keeps the technical origin for the log.
 */
export const errorCodes = [
  'invalid-input', // the request does not match the contract
  'not-found', // the document, chat, model or file does not exist
  'unreadable', // a file or an answer from outside cannot be understood
  'unsupported', // understood, but not something Quoth can do
  'busy', // try again when the work at hand is done
  'no-model', // nothing is installed that could do this
  'out-of-memory',
  'disk-full',
  'offline', // an address did not answer
  'network-off', // the person has told Quoth to stay offline
  'denied', // the system or the remote side refused
  'cancelled', // the caller left
  'closed', // the other side has ended
  'engine-died', // the engine process ended; it is being started again
  'internal', // a fault of ours
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export class QuothError extends Error {
  override readonly name = 'QuothError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What of an error crosses a border: no stack, no path of ours. */
export type ErrorMessage = { code: ErrorCode; message: string };

/** Turns anything thrown into a code and one sentence. Faults of ours keep their own words out of the window. */
export function toErrorMessage(thrown: unknown): ErrorMessage {
  if (thrown instanceof QuothError) return { code: thrown.code, message: thrown.message };
  if (thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'TimeoutError'))
    return { code: 'cancelled', message: 'The work was stopped before it ended.' };
  return { code: 'internal', message: 'Something went wrong inside Quoth. The log has the details; please try again.' };
}
