/** What the stories need of Playwright: its library, and assertions that wait. */
import type { Locator } from 'playwright-core';
import { expect as vitestExpect } from 'vitest';

export type { ElectronApplication, Locator, Page } from 'playwright-core';
export { _electron, chromium } from 'playwright-core';

/** Models read and write at the speed of two cores. */
const timeoutMs = 60_000;

/** Assertions about what the page shows; each waits until it holds or the time is over. */
export function expect(locator: Locator) {
  const poll = <T>(read: () => Promise<T>) => vitestExpect.poll(read, { timeout: timeoutMs, interval: 50 });
  return {
    toBeVisible: () => locator.waitFor({ state: 'visible', timeout: timeoutMs }),
    toBeHidden: () => locator.waitFor({ state: 'hidden', timeout: timeoutMs }),
    toHaveAttribute: (name: string, value: string) => poll(() => locator.getAttribute(name)).toBe(value),
    toContainText: (words: string | RegExp) => poll(() => locator.innerText()).toMatch(words),
  };
}
