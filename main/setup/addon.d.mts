/** Where built addons are kept. */
export function addonCacheFolder(): string;
/** Builds the addon unless it is there already; answers with the path of `quoth.node`. */
export function buildAddon(options?: { root?: string; log?: (line: string) => void }): Promise<string>;
