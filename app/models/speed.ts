export type Speed = {
  /** Speed and time left of a step that is at `doneBytes` of `totalBytes` now. */
  at(step: string, doneBytes: number, totalBytes: number): { bytesPerSecond: number; secondsLeft: number | null };
};

/** The last so many milliseconds decide: long enough to be calm, short enough to follow a change. */
const windowMs = 5_000;

/** A sliding window over the progress. Bytes that were there before a step began do not count as speed. */
export function createSpeed(nowMs: () => number): Speed {
  let current: string | undefined;
  let samples: { atMs: number; doneBytes: number }[] = [];
  return {
    at(step, doneBytes, totalBytes) {
      const atMs = nowMs();
      const last = samples.at(-1);
      if (step !== current || (last && doneBytes < last.doneBytes)) samples = [];
      current = step;
      // One sample for each tenth of a second is enough: there may be thousands of calls.
      const newest = samples.at(-1);
      if (!newest || atMs - newest.atMs >= 100) samples.push({ atMs, doneBytes });
      while (samples.length > 2 && atMs - samples[0]!.atMs > windowMs) samples.shift();
      const first = samples[0]!;
      const seconds = (atMs - first.atMs) / 1000;
      if (seconds < 0.2) return { bytesPerSecond: 0, secondsLeft: null };
      const bytesPerSecond = (doneBytes - first.doneBytes) / seconds;
      const secondsLeft = bytesPerSecond > 0 ? Math.max(0, totalBytes - doneBytes) / bytesPerSecond : null;
      return { bytesPerSecond, secondsLeft };
    },
  };
}
