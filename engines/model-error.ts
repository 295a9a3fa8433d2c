/** Codes of everything that can be thrown in `engines/`. The message is one sentence that names the file or tensor at fault. */
export const modelErrorCodes = [
  'invalid-checkpoint', // the published files are damaged, or lie about their sizes
  'unsupported-model', // sound, but of an architecture or type that is not read here
  'invalid-plan', // a plan file is damaged or not a plan
  'invalid-input', // an argument is out of its range
  'disk-full', // the disk has not the room that a plan takes
  'out-of-memory', // the machine has not the memory that building takes
  'cancelled',
] as const;
export type ModelErrorCode = (typeof modelErrorCodes)[number];

export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly code: ModelErrorCode;

  constructor(code: ModelErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
