/** How much other programs may ask for at once and in a while. */
import { ApiRefusal } from './errors.ts';

/** Answers that are being written, over all programs: the engine takes several in one step. */
const maxAtOnce = 8;
/** More than a program needs that embeds a folder, less than one that runs wild. */
const requestsPerMinute = 600;
/** Wrong keys: a person who mistypes needs a few, one who guesses gets nowhere. */
const wrongKeysPerMinute = 30;

export type Limits = {
  /** Counts a request in; call the result when it is answered. Throws a refusal with status 429. */
  enter(): () => void;
  /** Called for a wrong key. True when there were so many that no key is looked at for now. */
  wrongKey(): boolean;
};

export function createLimits(nowMs: () => number): Limits {
  const requests = createBucket(requestsPerMinute, nowMs);
  const wrongKeys = createBucket(wrongKeysPerMinute, nowMs);
  let numRunning = 0;
  return {
    enter() {
      if (numRunning >= maxAtOnce)
        throw new ApiRefusal(
          429,
          'rate_limit_exceeded',
          `Quoth answers ${maxAtOnce} requests at once. Please wait for one of them.`,
          null,
          1,
        );
      if (!requests.take())
        throw new ApiRefusal(
          429,
          'rate_limit_exceeded',
          `Quoth takes ${requestsPerMinute} requests a minute. Please wait a moment.`,
          null,
          5,
        );
      numRunning += 1;
      let left = false;
      return () => {
        if (!left) numRunning -= 1;
        left = true;
      };
    },
    wrongKey: () => !wrongKeys.take(),
  };
}

/** A bucket that holds a minute's worth and is filled evenly. */
function createBucket(perMinute: number, nowMs: () => number): { take(): boolean } {
  let level = perMinute;
  let filledAtMs = nowMs();
  return {
    take() {
      const now = nowMs();
      level = Math.min(perMinute, level + ((now - filledAtMs) / 60_000) * perMinute);
      filledAtMs = now;
      if (level < 1) return false;
      level -= 1;
      return true;
    },
  };
}
