// Builds test/fuzz/native_fuzz.cc with the sanitizers and runs it:
//   node test/fuzz/native.mjs [first] [count]        with what there is: clang's libFuzzer for `count` seconds, or g++
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const sources = [
  'test/fuzz/native_fuzz.cc',
  'native/sha256.cc',
  ...readdirSync(join(root, 'native/build'))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `native/build/${name}`),
  ...readdirSync(join(root, 'native/program'))
    .filter((name) => name.endsWith('.cc') && name !== 'runner.cc')
    .map((name) => `native/program/${name}`),
];
const [first = '0', count = '20000'] = process.argv.slice(2);
const has = (name) => spawnSync(name, ['--version']).status === 0;
const withFuzzer = has('clang++');
const folder = mkdtempSync(join(tmpdir(), 'quoth-fuzz-'));
const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
try {
  const program = join(folder, 'native_fuzz');
  const flags = [
    '-std=c++20',
    '-O1',
    '-g',
    '-fno-omit-frame-pointer',
    '-fno-sanitize-recover=all',
    '-pthread',
    '-o',
    program,
  ];
  const failed = withFuzzer
    ? run('clang++', [...flags, '-fsanitize=fuzzer,address,undefined', ...sources])
    : run('g++', [...flags, '-fsanitize=address,undefined', '-DQUOTH_FUZZ_MAIN', ...sources]);
  const args = withFuzzer ? [`-max_total_time=${count}`, '-max_len=8192', `-seed=${first}`] : [first, count];
  process.exitCode = failed || run(program, args);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
