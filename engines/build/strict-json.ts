/** JSON of a checkpoint: UTF-8 and nothing else, and no name twice in an object (JSON.parse would keep the last). */

/** Parses it. Throws an `Error` that says why not, as "its header is no JSON" would end. */
export function parseStrictJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Error('is no UTF-8', { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error('is no JSON', { cause });
  }
  const twice = repeatedName(text);
  if (twice !== null) throw new Error(`names ${JSON.stringify(twice).slice(0, 200)} twice`);
  return value;
}

/** The first name that stands twice in one object, or null. `text` is known to be JSON. */
function repeatedName(text: string): string | null {
  // The names of every open object; null for an open list.
  const open: (Set<string> | null)[] = [];
  let before = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      const names = open.at(-1);
      // In an object a text after `{` or `,` is a name.
      if (names != null && (before === '{' || before === ',')) {
        const name = JSON.parse(text.slice(start, i + 1)) as string;
        if (names.has(name)) return name;
        names.add(name);
      }
      before = '"';
      continue;
    }
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(null);
    else if (character === '}' || character === ']') open.pop();
    if (character > ' ') before = character;
  }
  return null;
}
