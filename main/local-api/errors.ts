/** Errors in the form in which OpenAI's clients expect them. */

import { type ErrorCode, QuothError, toErrorMessage } from '../../app/contract/errors.ts';
import { tooLong } from '../../app/programs/complete.ts';

export type ApiError = {
  status: number;
  error: { message: string; type: string; param: string | null; code: string | null };
  /** Seconds, for `Retry-After`. */
  retryAfter?: number;
};

export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal';
  readonly answer: ApiError;

  constructor(status: number, code: string | null, message: string, param: string | null = null, retryAfter?: number) {
    super(message);
    this.answer = {
      status,
      error: { message, type: typeOf(status), param, code },
      ...(retryAfter === undefined ? {} : { retryAfter }),
    };
  }
}

const statuses: Record<ErrorCode, number> = {
  'invalid-input': 400,
  'not-found': 404,
  unreadable: 502,
  unsupported: 400,
  busy: 429,
  'no-model': 503,
  'out-of-memory': 503,
  'disk-full': 507,
  offline: 502,
  'network-off': 502,
  denied: 403,
  cancelled: 499,
  closed: 503,
  'engine-died': 503,
  internal: 500,
};

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

/** Anything thrown, as an answer. Faults of ours keep their own words to themselves. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiRefusal) return thrown.answer;
  const { code, message } = toErrorMessage(thrown);
  const status = statuses[code];
  const isTooLong = thrown instanceof QuothError && thrown.cause === tooLong;
  return {
    status,
    error: {
      message,
      type: typeOf(status),
      param: isTooLong ? 'messages' : null,
      code: isTooLong ? 'context_length_exceeded' : code.replaceAll('-', '_'),
    },
  };
}
