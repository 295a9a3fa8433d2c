/** The keys that bring the window from anywhere: one at most, registered with the system. */

import type { ShortcutState } from '../../app/contract/shell.ts';
import { judge } from '../../app/contract/shortcut.ts';

/** The part of Electron's `globalShortcut` that is used. `register` is false where another program has the keys. */
export type Keys = {
  register(accelerator: string, callback: () => void): boolean;
  unregister(accelerator: string): void;
};

export type GlobalShortcut = {
  /** Registers these keys in place of those before; null: none. True where that was done. */
  use(shortcut: string | null): boolean;
  /** Whether they could be used. Leaves everything as it was. */
  check(shortcut: string): ShortcutState;
  release(): void;
};

export function createShortcut(keys: Keys, onPressed: () => void): GlobalShortcut {
  let wanted: string | null = null;
  let held: string | null = null;

  /** Electron throws for what it cannot read, and says false for what is taken. */
  function take(shortcut: string, callback: () => void): boolean {
    try {
      return keys.register(shortcut, callback);
    } catch {
      return false;
    }
  }
  const release = (): void => {
    if (held !== null) keys.unregister(held);
    held = null;
  };
  return {
    use(shortcut) {
      if (shortcut === wanted && held === shortcut) return true;
      release();
      wanted = shortcut;
      if (shortcut === null) return true;
      if (judge(shortcut) !== null || !take(shortcut, onPressed)) return false;
      held = shortcut;
      return true;
    },
    check(shortcut) {
      if (judge(shortcut) !== null) return 'invalid';
      if (held === shortcut) return 'ours';
      if (!take(shortcut, () => undefined)) return 'taken';
      keys.unregister(shortcut);
      return 'free';
    },
    release,
  };
}
