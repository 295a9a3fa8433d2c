import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../main/setup/tools.mjs';

/** Paths, from the root, of every file git tracks or would track. */
export function filesOfTheRepository() {
  const answer = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return answer.stdout.split('\0').filter((path) => path && existsSync(join(root, path)));
}

/** The C++ and CUDA files among them. */
export function nativeFiles() {
  return filesOfTheRepository().filter((path) => /\.(h|cc|cu|cuh)$/.test(path));
}
