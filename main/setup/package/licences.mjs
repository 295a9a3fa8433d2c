/** The licences of everything that an app carries, as one text, made of what the packages say themselves. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../tools.mjs';
import { packagesNeededBy, runtimeNames, windowNames } from './packages.mjs';

const licenceName = /^(licen[cs]e|copying|notice|copyright)/i;

/** What the addon is linked with or carries beside it, and what packages have compiled into them; where Debian keeps the words. */
const nativeParts = [
  { name: 'FAISS (in the addon)', licence: 'MIT', debian: 'libfaiss-dev' },
  { name: 'OpenBLAS (beside the addon on Linux)', licence: 'BSD-3-Clause', debian: 'libopenblas0-pthread' },
  {
    name: 'GCC runtime libraries: libgomp, libgfortran, libquadmath (beside the addon on Linux)',
    licence: 'GPL-3.0-or-later WITH GCC-exception-3.1; libquadmath LGPL-2.1-or-later',
    debian: 'libgomp1',
  },
  {
    name: 'NVIDIA CUDA runtime, cudart (in the library of kernels, linked statically)',
    licence: 'NVIDIA CUDA Toolkit EULA, Attachment A: may be given on as a part of an application',
    debian: null,
  },
  { name: 'libmpg123 (in mpg123-decoder, as WebAssembly)', licence: 'LGPL-2.1-or-later', debian: 'libmpg123-0' },
  { name: 'libopus (in opus-decoder, as WebAssembly)', licence: 'BSD-3-Clause', debian: 'libopus0' },
  {
    name: 'libFLAC, libvorbis, libogg (in @wasm-audio-decoders, as WebAssembly)',
    licence: 'BSD-3-Clause',
    debian: null,
  },
  { name: 'node-addon-api, node-api-headers (in the addon)', licence: 'MIT', debian: null },
];

/** The words of each licence file of a package, its folders included, those of packages inside it left out. */
function licenceTexts(folder) {
  const texts = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules') texts.push(...licenceTexts(path));
    } else if (licenceName.test(entry.name) && !/\.(js|ts|mjs|cjs|map)$/.test(entry.name)) {
      texts.push(readFileSync(path, 'utf8').replaceAll('\r\n', '\n').trim());
    }
  }
  return [...new Set(texts)];
}

/**
 * @returns {{ text: string, packages: { name: string, version: string, licence: string | null }[] }}
 *   text: every package with its version, its licence's name, and its licence's words where it brings them; equal words once
 */
export function makeLicences() {
  const packages = packagesNeededBy([...new Set([...runtimeNames(), ...windowNames()])]);
  const byText = new Map();
  const bare = [];
  for (const { path, name, version, licence } of packages) {
    const title = `${name} ${version} (${licence ?? 'no licence named'})`;
    const texts = licenceTexts(join(root, path));
    if (texts.length === 0) bare.push(title);
    const words = texts.join('\n\n');
    if (words !== '') byText.set(words, [...(byText.get(words) ?? []), title]);
  }
  for (const { name, licence, debian } of nativeParts) {
    const file = debian === null ? '' : join('/usr/share/doc', debian, 'copyright');
    const title = `${name} (${licence})`;
    if (file !== '' && existsSync(file)) byText.set(readFileSync(file, 'utf8').trim(), [title]);
    else bare.push(title);
  }
  const line = '='.repeat(100);
  const parts = [
    `Quoth (Apache-2.0)\n\n${readFileSync(join(root, 'LICENSE'), 'utf8').trim()}`,
    `These bring no words of their licence; it has the name beside them:\n\n${bare.join('\n')}`,
    ...[...byText].map(([words, titles]) => `${titles.join('\n')}\n\n${words}`),
    'Electron and Chromium: see LICENSE.electron.txt and LICENSES.chromium.html beside the program.',
  ];
  return { text: `${parts.join(`\n\n${line}\n`)}\n`, packages };
}
