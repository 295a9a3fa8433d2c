/** The app as people get it: packed, looked into, and started. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../main/setup/build.mjs';
import { makeLicences } from '../../main/setup/package/licences.mjs';
import { packageApp } from '../../main/setup/package/package.mjs';
import { packagesNeededBy, runtimeNames } from '../../main/setup/package/packages.mjs';
import { canOpenDisplay, type Display, openDisplay } from './display.ts';
import { writeDocuments } from './documents.ts';
import { findElectron } from './electron-runtime.ts';
import { loadedFrom, type PackedApp, startPackedApp } from './packed-app.ts';
import type { Page } from './playwright.ts';
import { askAndOpenCitation, openLibrary, seeLibrary } from './story.ts';

const electron = canOpenDisplay() ? findElectron() : { reason: 'there is no display and no Xvfb' };
const asar = createRequire(import.meta.url)('@electron/asar') as {
  listPackage(file: string): string[];
  statFile(file: string, name: string): { size?: number; unpacked?: boolean };
  extractFile(file: string, name: string): Buffer;
};

/** Lets files and folders fall on the window, as the system does when a person drags them there. */
async function drop(page: Page, files: string[]): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
  await session.detach();
}

describe.skipIf('reason' in electron)(`The packed app${'reason' in electron ? ` (${electron.reason})` : ''}`, () => {
  let folder = '';
  let app = '';
  let resources = '';
  let binary = '';
  let display: Display;
  let running: PackedApp | undefined;
  const filesOfArchive: { name: string; sizeBytes: number; isUnpacked: boolean }[] = [];

  beforeAll(async () => {
    await build();
    folder = await mkdtemp(path.join(os.tmpdir(), 'quoth packed 山田 '));
    await packageApp({
      isBuilt: true,
      electron: 'binary' in electron ? path.dirname(electron.binary) : undefined,
      output: path.join(folder, 'packages'),
      log: () => undefined,
    });
    app = path.join(folder, 'packages', 'linux-unpacked');
    resources = path.join(app, 'resources');
    binary = path.join(app, 'quoth');
    const archive = path.join(resources, 'app.asar');
    for (const name of asar.listPackage(archive)) {
      const { size, unpacked = false } = asar.statFile(archive, name.slice(1));
      if (size !== undefined) filesOfArchive.push({ name: name.slice(1), sizeBytes: size, isUnpacked: unpacked });
    }
    await mkdir(path.join(folder, 'no models'));
    await writeDocuments(path.join(folder, 'documents'));
    display = await openDisplay();
  }, 600_000);
  afterAll(async () => {
    await running?.close();
    display?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('holds what it loads and nothing more: no tests, no sources, no tools, 60 MB at most', () => {
    const names = filesOfArchive.map(({ name }) => name);
    expect(
      names.filter((name) => !/^(package\.json|out\/(main|preload|renderer)\/|node_modules\/)/.test(name)),
    ).toEqual([]);
    expect(names.filter((name) => /\.(ts|tsx|map|cc|cu|h|md)$|(^|\/)(test|tests|__tests__)\//.test(name))).toEqual([]);
    expect(names.filter((name) => /^out\/main\/(cli|engine-process|reader-main)\.js$/.test(name))).toEqual([]);
    for (const needed of ['out/main/electron.js', 'out/main/core-process.js', 'out/main/electron-child.js'])
      expect(names).toContain(needed);
    const allowed = packagesNeededBy(runtimeNames()).map((one) => one.path);
    const packed = new Set(names.flatMap((name) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(name)?.[1] ?? []));
    expect([...packed].filter((one) => !allowed.includes(one))).toEqual([]);
    expect(allowed.filter((one) => !packed.has(one))).toEqual([]);
    const sizeBytes = filesOfArchive.reduce((sum, one) => sum + one.sizeBytes, 0);
    expect(sizeBytes).toBeLessThan(60e6);
    const bySize = new Map<string, number>();
    for (const { name, sizeBytes: size } of filesOfArchive) {
      const part = /^(node_modules\/(@[^/]+\/)?[^/]+|out\/[^/]+)/.exec(name)?.[0] ?? name;
      bySize.set(part, (bySize.get(part) ?? 0) + size);
    }
    const largest = [...bySize].sort(([, a], [, b]) => b - a).slice(0, 12);
    console.info(`app.asar: ${names.length} files, ${(sizeBytes / 1e6).toFixed(1)} MB; the largest parts:`);
    for (const [part, size] of largest) console.info(`  ${(size / 1e6).toFixed(2).padStart(6)} MB  ${part}`);
  });

  it('has every native library outside of the archive', () => {
    const native = filesOfArchive.filter(({ name }) => /\.(node|so|dll|dylib)(\.\d+)*$/.test(name));
    expect(native.length).toBeGreaterThan(0);
    for (const { name, isUnpacked } of native) {
      expect(isUnpacked, name).toBe(true);
      expect(existsSync(path.join(resources, 'app.asar.unpacked', name)), name).toBe(true);
    }
    expect(statSync(path.join(resources, 'native', 'quoth.node')).size).toBeGreaterThan(1e6);
    expect(existsSync(path.join(resources, 'default_app.asar'))).toBe(false);
  });

  it('has its fuses set, as they are read back from the program', async () => {
    const wire = await getCurrentFuseWire(binary);
    const isOn = (fuse: FuseV1Options): boolean => wire[fuse] === FuseState.ENABLE;
    expect({
      runAsNode: isOn(FuseV1Options.RunAsNode),
      cookies: isOn(FuseV1Options.EnableCookieEncryption),
      nodeOptions: isOn(FuseV1Options.EnableNodeOptionsEnvironmentVariable),
      inspect: isOn(FuseV1Options.EnableNodeCliInspectArguments),
      integrity: isOn(FuseV1Options.EnableEmbeddedAsarIntegrityValidation),
      onlyAsar: isOn(FuseV1Options.OnlyLoadAppFromAsar),
      fileProtocol: isOn(FuseV1Options.GrantFileProtocolExtraPrivileges),
    }).toEqual({
      runAsNode: false,
      cookies: true,
      nodeOptions: false,
      inspect: false,
      integrity: true,
      onlyAsar: true,
      fileProtocol: false,
    });
  });

  it('carries the licence of every package in it and in its window', () => {
    const text = readFileSync(path.join(resources, 'licences.txt'), 'utf8');
    const { packages } = makeLicences();
    expect(packages.filter(({ licence }) => licence === null)).toEqual([]);
    for (const { name, version } of packages) expect(text).toContain(`${name} ${version} (`);
    for (const name of ['react', 'pdfjs-dist', 'better-sqlite3', 'FAISS', 'NVIDIA CUDA runtime'])
      expect(text).toMatch(new RegExp(`^${name}\\b.*\\(`, 'm'));
  });

  it('starts, reads documents, and answers a question with a quote at its page', async () => {
    running = await startPackedApp({
      binary,
      profile: path.join(folder, 'profile'),
      environment: { DISPLAY: display.name, QUOTH_MODELS: path.join(folder, 'no models') },
    });
    const { page } = running;
    await page.getByRole('textbox', { name: 'Your question' }).waitFor();
    expect(page.url()).toBe('app://quoth/');
    await openLibrary(page);
    await drop(page, [path.join(folder, 'documents')]);
    await seeLibrary(page);
    await askAndOpenCitation(page);
  }, 180_000);

  it('runs its engine from beside the archive, in a process of its own, and says what it is', async () => {
    const { page, pid } = running as PackedApp;
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('tab', { name: 'This computer' }).click();
    await page.getByRole('heading', { name: 'This computer' }).waitFor();
    await page.getByText(/FAISS/).first().waitFor();
    const loaded = loadedFrom(app, pid);
    const engines = loaded.filter(({ files }) => files.includes('resources/native/quoth.node'));
    expect(engines).toHaveLength(1);
    expect(engines[0]?.pid).not.toBe(pid);
    // What it needs itself comes from the same folder: another computer may not have it.
    for (const library of ['libopenblas.so.0', 'libgomp.so.1', 'libgfortran.so.5'])
      expect(engines[0]?.files).toContain(`resources/native/${library}`);
    const stores = loaded.filter(({ files }) => files.some((file) => file.includes('better-sqlite3')));
    expect(stores).toHaveLength(1);
    expect(stores[0]?.pid).not.toBe(engines[0]?.pid);
  }, 120_000);
});
