/** Lets so many in at once; the others wait in the order in which they came. */
export type Semaphore = {
  /** Resolves with the way out, to be called once. */
  enter(): Promise<() => void>;
};

export function createSemaphore(numPlaces: number): Semaphore {
  let free = numPlaces;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  return {
    async enter() {
      if (free > 0) free -= 1;
      else
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      let left = false;
      return () => {
        if (!left) leave();
        left = true;
      };
    },
  };
}
