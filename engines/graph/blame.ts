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

/** `llama.ts:45`, or null where it cannot be told; `llama.ts:41 (from 50)` where line 50 called a helper at 41. */
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

type Frame = { readonly path: string; readonly line: string };

/** The first frame of `stack` that is a TypeScript file outside of this folder, and who called it in that file's folder. */
export function lineOf(stack: string, folder: string = thisFolder): string | null {
  const inside = pathOf(folder);
  const frames = stack.split('\n').flatMap((text): Frame[] => {
    const frame = frameOf(text);
    return frame === null || frame.path.startsWith(inside) || frame.path.endsWith(blocks) ? [] : [frame];
  });
  const [first, ...others] = frames;
  if (first === undefined) return null;
  const caller = others.find(({ path, line }) => path !== first.path || line !== first.line);
  if (caller === undefined || folderOf(caller) !== folderOf(first)) return shown(first);
  return `${shown(first)} (from ${caller.path === first.path ? caller.line : shown(caller)})`;
}

/** Null for frames of other kinds: of Node, of packages, and of `build`, which every architecture comes in by. */
function frameOf(text: string): Frame | null {
  const place = /(?:\(|at |async )((?:file:\/\/)?[^()]*\.[cm]?ts)(?:\?[^:()]*)?:(\d+):\d+\)?$/.exec(text.trimEnd());
  if (place === null || /at (?:\w+\.)?build \(/.test(text)) return null;
  const path = pathOf(place[1]!);
  return path.includes('/node_modules/') ? null : { path, line: place[2]! };
}

/** Frames are written as addresses or, by tools that map sources, as paths: with `/` or, on Windows, `\`. */
function pathOf(address: string): string {
  const path = address.replace(/^file:\/\/(\/(?=[A-Za-z]:))?/, '').replaceAll('\\', '/');
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

function folderOf({ path }: Frame): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function shown({ path, line }: Frame): string {
  return `${path.slice(path.lastIndexOf('/') + 1)}:${line}`;
}
