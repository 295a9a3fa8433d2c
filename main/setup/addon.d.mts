/** Where built addons are kept. */
export function addonCacheFolder(): string;
/** Builds the addon unless it is there already; answers with the path of `quoth.node`. */
export function buildAddon(options?: { root?: string; log?: (line: string) => void }): Promise<string>;
/** Builds an executable that only tests need, beside the addon; answers with its path. */
export function buildTestProgram(
  target: string,
  options?: { root?: string; log?: (line: string) => void },
): Promise<string>;
