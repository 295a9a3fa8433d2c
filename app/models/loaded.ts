/** One engine that is loaded when it is first asked for, kept, and loaded anew after its process died. */

export type Loaded<Thing> = {
  /** The loaded thing, `null` where nothing is installed. All who ask meanwhile get the same load. */
  get(): Promise<Thing | null>;
  /** What is loaded now; does not load. */
  current(): Thing | null;
  /** Lets go of it: the next `get` loads what is in use then. Closes it in the background. */
  forget(): Promise<void>;
  /** Forgets it if it is still this one: a second failure of an old thing must not cost the new one. */
  forgetIf(thing: unknown): void;
};

export function createLoaded<Thing>(
  load: () => Promise<Thing | null>,
  close: (thing: Thing) => Promise<void>,
): Loaded<Thing> {
  let loading: Promise<Thing | null> | undefined;
  let loaded: Thing | null = null;
  const forget = async (): Promise<void> => {
    const old = loading;
    loading = undefined;
    loaded = null;
    const thing = await old?.catch(() => null);
    // Whoever still speaks with it is answered `closed` or `engine-died`; it may be gone with its process already.
    if (thing) await close(thing).catch(() => {});
  };
  return {
    get() {
      if (!loading) {
        const mine = load();
        loading = mine;
        const drop = (): void => {
          if (loading === mine) loading = undefined;
        };
        // A failed load, or nothing to load, is asked again next time.
        mine.then((thing) => {
          if (thing === null) drop();
          else if (loading === mine) loaded = thing;
        }, drop);
      }
      return loading;
    },
    current: () => loaded,
    forget,
    forgetIf(thing) {
      if (loaded !== null && loaded === thing) void forget();
    },
  };
}

/** True for the death of the engine's process: handles opened before it are void, new ones can be opened. */
export function isEngineDeath(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'engine-died' || code === 'closed';
}
