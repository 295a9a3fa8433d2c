/** How fast something goes and how long it will go on, in a line for people. */

export type Pace = {
  /** Bytes a second lately; null before that can be told. */
  readonly bytesPerSecond: number | null;
  readonly secondsLeft: number | null;
};

/** Younger than this, a rate is a guess; older, it is history. */
const windowMs = 5000;
const firstAfterMs = 300;

/** Measures a pace from bytes that were done at times. */
export function createPace(nowMs: () => number) {
  const samples: { atMs: number; bytes: number }[] = [];
  return (doneBytes: number, totalBytes: number): Pace => {
    const atMs = nowMs();
    samples.push({ atMs, bytes: doneBytes });
    while (samples.length > 2 && samples[1]!.atMs < atMs - windowMs) samples.shift();
    const first = samples[0]!;
    const seconds = (atMs - first.atMs) / 1000;
    if (seconds * 1000 < firstAfterMs || doneBytes === first.bytes) return { bytesPerSecond: null, secondsLeft: null };
    const bytesPerSecond = (doneBytes - first.bytes) / seconds;
    return { bytesPerSecond, secondsLeft: (totalBytes - doneBytes) / bytesPerSecond };
  };
}

/** `43 %, 1.8 of 4.2 GB, 512 MB/s, 5 s left` */
export function progressInWords(doneBytes: number, totalBytes: number, pace: Pace): string {
  const percent = `${Math.floor((100 * doneBytes) / Math.max(1, totalBytes))} %`;
  const [unit, name] = totalBytes >= 1e9 ? [1e9, 'GB'] : [1e6, 'MB'];
  const amount = `${(doneBytes / unit).toFixed(1)} of ${(totalBytes / unit).toFixed(1)} ${name}`;
  if (pace.bytesPerSecond === null || pace.secondsLeft === null) return `${percent}, ${amount}`;
  const rate = `${(pace.bytesPerSecond / 1e6).toFixed(0)} MB/s`;
  return `${percent}, ${amount}, ${rate}, ${durationInWords(pace.secondsLeft)} left`;
}

function durationInWords(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
