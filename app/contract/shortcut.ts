/**
 * Keys that bring the window from anywhere, in Electron's notation ("Alt+Shift+Q"): made of what is pressed, and judged.
 * Both sides use it: the picture records, the window process checks what it is told to register.
 */

/** What a browser tells of a pressed key. */
export type PressedKeys = {
  /** The key by its place, so that the same one is found whatever it writes: "KeyQ", "Digit1", "F5". */
  code: string;
  ctrlKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  metaKey: boolean;
};

export type Recorded =
  | { type: 'shortcut'; shortcut: string }
  /** A modifier alone: more is to come. */
  | { type: 'unfinished' }
  | { type: 'refused'; reason: RefusedShortcut };

/**
 * `unknown-key`: one that is not on every keyboard, or that cannot be named. `needs-modifier`: it would be taken from writing.
 * `writes`: with Shift, or AltGr, it still writes. `system`: the system or every program has it.
 */
export type RefusedShortcut = 'unknown-key' | 'needs-modifier' | 'writes' | 'system';

const named: Record<string, string> = {
  Space: 'Space',
  Tab: 'Tab',
  Enter: 'Enter',
  Backspace: 'Backspace',
  Delete: 'Delete',
  Insert: 'Insert',
  Home: 'Home',
  End: 'End',
  PageUp: 'PageUp',
  PageDown: 'PageDown',
  ArrowUp: 'Up',
  ArrowDown: 'Down',
  ArrowLeft: 'Left',
  ArrowRight: 'Right',
};
const modifiers = ['Control', 'Alt', 'Shift', 'Super'];

/** What systems and programs have everywhere: to take these would break more than it gives. */
const taken = new Set([
  'Alt+Tab',
  'Alt+F4',
  'Alt+Space',
  'Alt+Enter',
  'Alt+Left',
  'Alt+Right',
  'Control+Alt+Delete',
  'Control+Shift+Delete',
  ...'ACFNOPSTVWXYZ'.split('').map((letter) => `Control+${letter}`),
  'Control+Tab',
  'Control+Shift+Tab',
  'Control+Enter',
  'Control+Backspace',
  'Control+Delete',
  ...['Home', 'End', 'Up', 'Down', 'Left', 'Right'].flatMap((key) => [`Control+${key}`, `Control+Shift+${key}`]),
]);

function keyOf(code: string): string | null {
  const letter = /^Key([A-Z])$/.exec(code) ?? /^Digit([0-9])$/.exec(code) ?? /^(F(?:[1-9]|1[0-9]|2[0-4]))$/.exec(code);
  return letter?.[1] ?? named[code] ?? null;
}

/** The shortcut that was pressed, or why it is none. */
export function recordShortcut(pressed: PressedKeys): Recorded {
  if (/^(Control|Alt|Shift|Meta|OS)(Left|Right)?$/.test(pressed.code)) return { type: 'unfinished' };
  const key = keyOf(pressed.code);
  if (key === null) return { type: 'refused', reason: 'unknown-key' };
  const held = [pressed.ctrlKey, pressed.altKey, pressed.shiftKey, pressed.metaKey];
  const shortcut = [...modifiers.filter((_name, index) => held[index]), key].join('+');
  const reason = judge(shortcut);
  return reason ? { type: 'refused', reason } : { type: 'shortcut', shortcut };
}

/** Null for one that may be registered. Says nothing of other programs: only the system knows those. */
export function judge(shortcut: string): RefusedShortcut | null {
  const parts = shortcut.split('+');
  const key = parts.at(-1) ?? '';
  const held = parts.slice(0, -1);
  const isKnown = Object.values(named).includes(key) || /^([A-Z]|[0-9]|F([1-9]|1[0-9]|2[0-4]))$/.test(key);
  const inOrder = modifiers.filter((name) => held.includes(name));
  if (!isKnown || inOrder.length !== held.length || inOrder.join() !== held.join()) return 'unknown-key';
  const isFunction = /^F\d+$/.test(key);
  if (held.length === 0) return isFunction && Number(key.slice(1)) > 12 ? null : 'needs-modifier';
  if (held.join() === 'Shift') return isFunction ? null : 'writes';
  // The system's own key: Windows and desktops of Linux keep most of these.
  if (held.includes('Super') && held.length === 1) return 'system';
  return taken.has(shortcut) ? 'system' : null;
}
