/** How far the quantizer is, and how long the rest will take. */
export type QuantizeProgress = {
  /** Bytes of what is written, of all of them. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly tensor: string;
  /** From how long the done part took; null in the beginning. */
  readonly secondsLeft: number | null;
};

/** Tells of every tensor that is done. */
export function countProgress(
  totalBytes: number,
  tell: ((progress: QuantizeProgress) => void) | undefined,
): (bytes: number, tensor: string) => void {
  const startMs = performance.now();
  let doneBytes = 0;
  return (bytes, tensor) => {
    doneBytes += bytes;
    const seconds = (performance.now() - startMs) / 1000;
    const secondsLeft = doneBytes > 0.02 * totalBytes ? (seconds * (totalBytes - doneBytes)) / doneBytes : null;
    tell?.({ doneBytes, totalBytes, tensor, secondsLeft });
  };
}
