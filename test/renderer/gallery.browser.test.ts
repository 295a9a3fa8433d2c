/** The design system's page, in the browser that draws it. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { colourNames, leastContrast, textPairs, themes } from '../../renderer/common/gallery/colours.ts';
import { findingsOf } from './axe.ts';
import { type BuiltWindow, chromiumPath, startBuiltWindow } from './built-window.ts';
import { picture } from './pictures.ts';

const names = { system: 'System', light: 'Light', dark: 'Dark', contrast: 'High contrast' };

describe.skipIf(!chromiumPath)('The gallery', () => {
  let window: BuiltWindow;
  let page: Page;

  beforeAll(async () => {
    window = await startBuiltWindow();
  });
  afterAll(() => window?.close());
  afterEach(() => page?.context().close());

  async function open(colorScheme: 'light' | 'dark' = 'light'): Promise<string[]> {
    const context = await window.browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme });
    page = await context.newPage();
    const faults: string[] = [];
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.goto(`${window.origin}/#gallery`);
    await page.getByRole('heading', { name: 'The design of Quoth' }).waitFor();
    return faults;
  }

  it('opens without a connection, breaks no rule of the page, and is no part of what every window loads', async () => {
    const faults = await open();
    expect(faults).toEqual([]);
    const first = await page.evaluate(async () => {
      const html = await (await fetch('/')).text();
      const scripts = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.js)"/g)].map(([, name]) => `/${name}`);
      return (await Promise.all(scripts.map(async (name) => (await fetch(name)).text()))).join('\n');
    });
    expect(first.length).toBeGreaterThan(10_000);
    expect(first).not.toContain('The design of Quoth');
  });

  it('names every colour that the style sheet has', () => {
    const css = readFileSync(new URL('../../renderer/common/theme.css', import.meta.url), 'utf8');
    const theme = css.slice(css.indexOf('@theme'), css.indexOf('@layer base'));
    const defined = new Set([...theme.matchAll(/--color-([\w-]+):/g)].map(([, name]) => name));
    expect(colourNames.filter((name) => !defined.has(name))).toEqual([]);
    // Of families for something special (code, for one) the gallery shows none; the few of the window itself it shows all.
    expect([...defined].filter((name) => !/^code-/.test(name ?? '') && !colourNames.includes(name as never))).toEqual(
      [],
    );
  });

  it.each(['light', 'dark'] as const)(
    'computes every contrast from what is drawn, and all suffice: system %s',
    async (scheme) => {
      await open(scheme);
      const table = page.getByRole('region', { name: 'Text on ground, by theme' });
      const cells = await table.locator('[data-enough]').evaluateAll((all) =>
        all.map((one) => ({
          ratio: Number(/[\d.]+$/.exec(one.textContent?.replace('too low', '') ?? '')?.[0]),
          isEnough: one.getAttribute('data-enough'),
        })),
      );
      expect(cells).toHaveLength(textPairs.length * themes.length);
      cells.forEach(({ ratio, isEnough }, index) => {
        const theme = themes[index % themes.length] ?? 'system';
        const pair = textPairs[Math.floor(index / themes.length)]?.join(' on ');
        // What is shown is rounded to one digit.
        expect(ratio, `${pair}, ${theme}`).toBeGreaterThanOrEqual(leastContrast(theme) - 0.05);
        expect(isEnough, `${pair}, ${theme}`).toBe('true');
      });
    },
  );

  it.each(themes)('has nothing that axe finds, in the theme %s', async (theme) => {
    await open(theme === 'system' ? 'dark' : 'light');
    await page.getByRole('button', { name: names[theme], exact: true }).click();
    expect(await findingsOf(page, ['minor', 'moderate', 'serious', 'critical'])).toEqual([]);
    await page.setViewportSize({ width: 1280, height: 4000 });
    await picture(page, `gallery ${theme}`);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.getByRole('button', { name: 'Open a dialog' }).click();
    await page.getByRole('dialog').waitFor();
    expect(await findingsOf(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Open a menu' }).click();
    await page.getByRole('menuitem', { name: 'Rename' }).waitFor();
    expect(await findingsOf(page)).toEqual([]);
  });

  it('shows a hint to the keyboard, and loses nothing with the largest text', async () => {
    await open();
    await page.getByRole('button', { name: 'Rest here' }).focus();
    await page.getByRole('tooltip').waitFor();
    await page.getByRole('button', { name: '200 %' }).click();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
});
