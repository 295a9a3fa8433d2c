#!/usr/bin/env node
/**
 * `npm run package`: an app that runs without this repository, in `out/packages`. Without words: the app unpacked, for this
 * system. With `--win`, `--linux` or `--mac`: the installers of that system, as electron-builder.yml has them (they are made on
 * the system that they are for: the addon is compiled here).
 *
 *     --electron DIR   an unpacked Electron to use; else the official one, fetched if it must be
 *     --built          take what is in `out` as it is
 *
 * By the environment: WIN_CSC_LINK and WIN_CSC_KEY_PASSWORD sign for Windows, QUOTH_PUBLISHER is the name on that certificate,
 * QUOTH_UPDATE_FEED (an https address) is where the app asks for updates when a person tells it to.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { runScript } from '../setup.mjs';
import { cacheFolder, root, SetupError, say } from '../tools.mjs';
import { sizeOfFolder, stageApp } from './stage.mjs';

const systems = { win: 'WINDOWS', linux: 'LINUX', mac: 'MAC' };

/** An Electron that tests fetched for themselves: good enough to try an app on this computer, and never to be given away. */
function electronOfTests() {
  const folder = cacheFolder('electron-test');
  if (process.platform !== 'linux' || !existsSync(folder)) return null;
  const found = readdirSync(folder).map((version) => join(folder, version, 'package', 'bin'));
  return found.find((one) => existsSync(join(one, 'electron'))) ?? null;
}

/** The official Electron, as its own package fetches it; null where it cannot be had. */
function officialElectron() {
  try {
    const require = createRequire(join(root, 'package.json'));
    const folder = join(root, 'node_modules', 'electron', 'dist');
    if (!existsSync(folder)) require('electron'); // fetches it
    return existsSync(join(folder, 'version')) ? folder : null;
  } catch {
    return null;
  }
}

/** What the environment says of signing and of updates, as a part of electron-builder's configuration. */
export function releaseOptions(environment, system) {
  const { WIN_CSC_LINK, CSC_LINK, QUOTH_PUBLISHER, QUOTH_UPDATE_FEED } = environment;
  const isSigned = Boolean(WIN_CSC_LINK || CSC_LINK);
  if (QUOTH_UPDATE_FEED !== undefined && !/^https:\/\//.test(QUOTH_UPDATE_FEED))
    throw new SetupError('QUOTH_UPDATE_FEED must be an https address.');
  if (QUOTH_UPDATE_FEED && system === 'win' && !(isSigned && QUOTH_PUBLISHER))
    throw new SetupError(
      'An app that updates itself must be able to check who made the update: set WIN_CSC_LINK and QUOTH_PUBLISHER, or leave QUOTH_UPDATE_FEED out.',
    );
  return {
    isSigned,
    config: {
      forceCodeSigning: isSigned && system === 'win',
      publish: QUOTH_UPDATE_FEED ? [{ provider: 'generic', url: QUOTH_UPDATE_FEED }] : null,
      ...(QUOTH_PUBLISHER ? { win: { signtoolOptions: { publisherName: [QUOTH_PUBLISHER] } } } : {}),
    },
  };
}

/**
 * Packs the app.
 * @param {{ system?: 'win' | 'linux' | 'mac' | undefined, electron?: string | undefined, isBuilt?: boolean, output?: string, log?: (line: string) => void }} [options]
 *   system: its installers; unpacked for this system if absent. output: the folder it goes to
 * @returns {Promise<string>} the folder with what was made
 */
export async function packageApp({
  system,
  electron,
  isBuilt = false,
  output = join(root, 'out', 'packages'),
  log = say,
} = {}) {
  if (!isBuilt) {
    const { build } = await import('../build.mjs');
    const { compiledCuda, whyNoCuda } = await import('../cuda.mjs');
    const forAllGpus = compiledCuda() !== null || whyNoCuda() === null;
    if (!forAllGpus) log(`Without kernels for GPUs: ${whyNoCuda()}.`);
    await build({ say: log, forAllGpus });
  }
  let dist = electron ?? officialElectron();
  if (dist === null && system === undefined) {
    dist = electronOfTests();
    if (dist !== null)
      log(
        'The official Electron cannot be fetched here. This app runs on the one of the tests: try it, and give it to nobody.',
      );
  }
  if (dist === null)
    throw new SetupError('Electron could not be fetched: check the connection, or name one with --electron.');
  const { folder, native } = stageApp();
  log(
    `The app has ${Math.round(sizeOfFolder(folder) / 1e6)} MB of its own and ${Math.round(sizeOfFolder(native) / 1e6)} MB of native code.`,
  );

  const { config, isSigned } = releaseOptions(process.env, system);
  if (system === 'win' && !isSigned) log('Not signed: WIN_CSC_LINK is not set. Windows will warn whoever installs it.');
  const { build: pack, Platform } = await import('electron-builder');
  const platform = system ? Platform[systems[system]] : Platform.current();
  await pack({
    projectDir: root,
    publish: 'never',
    targets: platform.createTarget(system ? null : 'dir'),
    config: {
      extends: join(root, 'electron-builder.yml'),
      ...config,
      directories: { app: folder, output },
      electronDist: dist,
      electronVersion: readFileSync(join(dist, 'version'), 'utf8').trim().replace(/^v/, ''),
      // `false`: the packages are in place, and nothing is to be fetched or compiled for them.
      beforeBuild: async () => false,
      // An empty Electron shows this when it finds no app; with an app it is a way in.
      afterExtract: ({ appOutDir }) => rmSync(join(appOutDir, 'resources', 'default_app.asar'), { force: true }),
    },
  });
  return output;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runScript(async () => {
    const { values } = parseArgs({
      options: {
        win: { type: 'boolean' },
        linux: { type: 'boolean' },
        mac: { type: 'boolean' },
        built: { type: 'boolean' },
        electron: { type: 'string' },
      },
    });
    const system = Object.keys(systems).find((name) => values[name]);
    const output = await packageApp({ system, electron: values.electron, isBuilt: values.built });
    say(`Packed: ${output}`);
  });
}
