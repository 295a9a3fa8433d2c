#!/usr/bin/env node
/** `npm run format`: writes every file as the checks want it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nodeBinary, root } from '../../main/setup/tools.mjs';
import { filesOfTheRepository, nativeFiles } from './repository-files.mjs';

const modules = join(root, 'node_modules');
const typescript = filesOfTheRepository().filter((path) => /\.(ts|tsx|mjs|css)$/.test(path));
const options = { cwd: root, stdio: 'inherit' };
const biome = [join(modules, '@biomejs/biome/bin/biome'), 'check', '--write'];
spawnSync(nodeBinary(), [...biome, ...typescript], options);
spawnSync(nodeBinary(), [join(modules, 'clang-format/index.js'), '-i', '--style=file', ...nativeFiles()], options);
