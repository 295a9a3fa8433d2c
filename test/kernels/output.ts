// What the kernels' test executable prints: a line per case.

export interface Line {
  name: string;
  failure: string | undefined;
}

export function parseLines(output: string): Line[] {
  const lines: Line[] = [];
  for (const line of output.split(/\r?\n/)) {
    const match = /^(not )?ok (.+)$/.exec(line);
    if (match === null) continue;
    const text = match[2] ?? '';
    // A failing line ends in `: why`; names hold no colon.
    const colon = match[1] === undefined ? -1 : text.indexOf(': ');
    lines.push(
      colon < 0
        ? { name: text, failure: match[1] === undefined ? undefined : 'it gave no reason' }
        : { name: text.slice(0, colon), failure: text.slice(colon + 2) },
    );
  }
  return lines;
}
