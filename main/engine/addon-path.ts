/** Where the addon lies: `QUOTH_ADDON`, or what the set-up wrote down, or, in the sources, what they build to. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { NativeError } from '../../native/index.ts';

/** The path of `quoth.node`. In the sources this builds it if their state has not been built yet: minutes, once. */
export async function findAddon(): Promise<string> {
  const { QUOTH_ADDON: named } = process.env;
  if (named) return path.resolve(named);
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith('.ts')) {
    const builder = path.join(path.dirname(here), '..', 'setup', 'addon.mjs');
    const { buildAddon } = (await import(`file://${builder.replaceAll('\\', '/')}`)) as {
      buildAddon: (options: { log: (line: string) => void }) => Promise<string>;
    };
    return buildAddon({ log: () => undefined });
  }
  // `out/main/engine-process.js` → `out/addon-path.txt`, written by main/setup/build.mjs.
  const pointer = path.join(path.dirname(here), '..', 'addon-path.txt');
  try {
    return path.resolve(path.dirname(pointer), (await readFile(pointer, 'utf8')).trim());
  } catch {
    throw new NativeError('io', 'The engine is not built yet; please run "npm run build".');
  }
}
