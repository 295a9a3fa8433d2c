/** What is asked of the CUDA kernels beside that they compile without a warning. */

/** Kernels whose registers go to memory, from ptxas' report: a few words are its taste, more is a mistake. */
export function spillsOf(report) {
  const kMostBytes = 64;
  const spills = [];
  let kernel = '';
  for (const line of report.split('\n')) {
    kernel = /Compiling entry function '(\S+)' for '(\S+)'/.exec(line)?.slice(1).join(' for ') ?? kernel;
    const bytes = Number(/(\d+) bytes spill loads/.exec(line)?.[1] ?? 0);
    if (bytes > kMostBytes) spills.push(`${kernel} spills: ${bytes} bytes are read back from memory`);
  }
  return spills;
}
