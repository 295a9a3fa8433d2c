/** Which packages an app carries, by the lockfile: what a list of names needs, and what those need. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../tools.mjs';

/**
 * Native code that no part of Quoth loads: pdfjs asks for a canvas when it is there, and a reader draws nothing. Types are for
 * compilers, and node-addon-api is a header.
 */
const never = /(^|\/)node_modules\/(@napi-rs\/canvas.*|@types\/.*|undici-types|node-addon-api)$/;

/** Packages of which one file is loaded that holds what it needs: what they name is for their other builds. */
const selfContained = new Set(['node_modules/onnxruntime-web']);

/** @returns {Record<string, { version: string, license?: string, dependencies?: object, optionalDependencies?: object, os?: string[], cpu?: string[] }>} by path from the root */
export function readLockfile() {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
}

/** Where Node would find `name` from the package at `from`; null where the lockfile has none. */
function resolveFrom(locked, from, name) {
  for (let base = from; ; ) {
    const path = `${base === '' ? '' : `${base}/`}node_modules/${name}`;
    if (locked[path]) return path;
    if (base === '') return null;
    const cut = base.lastIndexOf('/node_modules/');
    base = cut < 0 ? '' : base.slice(0, cut);
  }
}

/**
 * The packages that `names` need, themselves included, in the order of their paths.
 * @param {string[]} names
 * @returns {{ path: string, name: string, version: string, licence: string | null }[]} path: from the root
 */
export function packagesNeededBy(names, locked = readLockfile()) {
  const found = new Set();
  const visit = (path) => {
    if (path === null || found.has(path) || never.test(path)) return;
    // An optional package of another system is in the lockfile, not on the disk.
    if (!existsSync(join(root, path, 'package.json'))) return;
    found.add(path);
    if (selfContained.has(path)) return;
    const { dependencies, optionalDependencies } = locked[path];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
      visit(resolveFrom(locked, path, name));
  };
  for (const name of names) visit(resolveFrom(locked, '', name));
  return [...found].sort().map((path) => {
    const { version, license } = locked[path];
    return { path, name: path.slice(path.lastIndexOf('node_modules/') + 13), version, licence: license ?? null };
  });
}

/** The packages of package.json that the app loads at run time. */
export function runtimeNames() {
  return Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies);
}

/** The packages that the window's sources name: the bundler puts them, or parts of them, into the window's files. */
export function windowNames() {
  const names = new Set(['tailwindcss']); // Its first rules are copied into the style sheet.
  for (const name of readdirSync(join(root, 'renderer'), { recursive: true, encoding: 'utf8' })) {
    if (!/\.tsx?$/.test(name) || name.endsWith('vite.config.ts')) continue;
    const source = readFileSync(join(root, 'renderer', name), 'utf8');
    for (const [, named] of source.matchAll(/(?:from|import|import\()\s*'(@[\w-]+\/[\w.-]+|[a-z][\w.-]*)/g))
      names.add(named);
  }
  return [...names].filter((name) => !name.startsWith('node:')).sort();
}
