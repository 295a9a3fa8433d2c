import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { Settings } from '../../app/contract/types.ts';

export type SettingsState = {
  settings: Settings | null;
  load(): Promise<void>;
  /** Shows the change at once and takes the core's word for what came of it. */
  change(part: Partial<Settings>): Promise<void>;
};

export function createSettings(client: Client<QuothContract>) {
  return createStore<SettingsState>((set, get) => ({
    settings: null,
    load: async () => set({ settings: await client.readSettings({}) }),
    change: async (part) => {
      const before = get().settings;
      if (before) set({ settings: { ...before, ...part } });
      try {
        set({ settings: await client.changeSettings(part) });
      } catch (thrown) {
        set({ settings: before });
        throw thrown;
      }
    },
  }));
}

const themeKey = 'quoth.theme';

/** Puts the theme on the page and keeps it for the next start; `system` leaves the choice to the system. */
export function applyTheme(theme: Settings['theme']): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  localStorage.setItem(themeKey, theme);
}

/** The theme of the last time, before the core has answered: a window must not start white and turn dark. */
export function applyLastTheme(): void {
  const theme = localStorage.getItem(themeKey);
  if (theme === 'light' || theme === 'dark' || theme === 'contrast') applyTheme(theme);
  const size = Number(localStorage.getItem(textSizeKey));
  if (size >= 75 && size <= 200) applyTextSize(size);
}

const textSizeKey = 'quoth.textSize';

/** Every size of the window is in `rem`, so this one number scales them all. */
export function applyTextSize(percent: number): void {
  document.documentElement.style.fontSize = percent === 100 ? '' : `${percent}%`;
  localStorage.setItem(textSizeKey, String(percent));
}
