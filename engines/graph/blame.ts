/**
 * Which line of which architecture is speaking: an error of shapes names it, and a printed program shows it beside every
 * operation. Found from the stack: the first frame that is neither of this folder nor of the blocks that architectures share.
 */

const here = import.meta.url;
const thisFolder = here.slice(0, here.lastIndexOf('/') + 1);

/** The building blocks of several architectures. What they refuse was asked for by the line that uses them. */
const blocks = '/architectures/blocks.ts';

/** In a bundle every frame is of one file, whose lines say nothing. */
const linesAreKnown = here.endsWith('/graph/blame.ts');

/** The builder's own frames, an architecture's helper or two; the default of 10 is not enough below `Array.map`. */
const maxFrames = 24;

/** `llama.ts:45`, or null where it cannot be told. */
export function callingLine(): string | null {
  if (!linesAreKnown) return null;
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = maxFrames;
  Error.captureStackTrace(holder, callingLine);
  // Read while the limit holds: V8 writes the text at the first look.
  const stack = holder.stack ?? '';
  Error.stackTraceLimit = limit;
  return lineOf(stack);
}

/** The first frame of `stack` that is a TypeScript file outside of this folder. */
export function lineOf(stack: string, folder: string = thisFolder): string | null {
  // Frames are written as addresses or, by tools that map sources, as paths: with `/` or, on Windows, `\`.
  const inside = decodeURI(folder.replace(/^file:\/\/(\/(?=[A-Za-z]:))?/, ''));
  for (const frame of stack.split('\n')) {
    const place = /(?:\(|at |async )((?:file:\/\/)?[^()]*\.[cm]?ts)(?:\?[^:()]*)?:(\d+):\d+\)?$/.exec(frame.trimEnd());
    if (place === null) continue;
    const path = place[1]!.replace(/^file:\/\/(\/(?=[A-Za-z]:))?/, '').replaceAll('\\', '/');
    if (safeDecode(path).startsWith(inside) || path.includes('/node_modules/') || path.endsWith(blocks)) continue;
    return `${safeDecode(path).slice(path.lastIndexOf('/') + 1)}:${place[2]}`;
  }
  return null;
}

function safeDecode(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}
