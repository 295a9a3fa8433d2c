/** What is asked of the CUDA kernels beside that they compile without a warning. */

const mostBytes = 64;

/**
 * Kernels that may spill more, and how much. On an H200 they were faster so than with fewer rows or more blocks and no spill
 * (test/bench/README.md); no other GPU has said so yet. An entry may only become smaller.
 */
const known = [
  [/many_kernel\S*ELi128ELi8E/, 608],
  [/many_kernel\S*ELi64ELi8E/, 144],
  [/wgmma_kernelILi128E/, 76],
  [/few_kernelILi2ELi128E/, 204],
  [/few_kernelILi2ELi256E/, 132],
  [/stretch_kernelILi[1-4]E/, 152],
];

/** Kernels whose registers go to memory, from ptxas' report: a few words are its taste, more is a mistake. */
export function spillsOf(report) {
  const spills = [];
  let kernel = '';
  for (const line of report.split('\n')) {
    kernel = /Compiling entry function '(\S+)' for '(\S+)'/.exec(line)?.slice(1).join(' for ') ?? kernel;
    const bytes = Number(/(\d+) bytes spill loads/.exec(line)?.[1] ?? 0);
    const allowed = known.find(([name]) => name.test(kernel))?.[1] ?? mostBytes;
    if (bytes > allowed) spills.push(`${kernel} spills: ${bytes} bytes are read back from memory`);
  }
  return spills;
}
