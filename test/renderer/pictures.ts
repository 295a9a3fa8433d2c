/**
 * Pictures of the window, for people to look at: in the folder that QUOTH_PICTURES names, else in a temporary one that is
 * named once. They are never compared: a font's update would change them all.
 */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';

let folder: string | undefined;

function picturesFolder(): string {
  if (folder !== undefined) return folder;
  const named = process.env.QUOTH_PICTURES;
  folder = named ? path.resolve(named) : mkdtempSync(path.join(tmpdir(), 'quoth-pictures-'));
  mkdirSync(folder, { recursive: true });
  console.info(`Pictures of the window are in ${folder}`);
  return folder;
}

/** Takes a picture of what is in sight. */
export async function picture(page: Page, name: string): Promise<void> {
  const file = `${name.replaceAll(/[^\p{L}\p{N}]+/gu, '-')}.png`;
  await page.screenshot({ path: path.join(picturesFolder(), file), animations: 'disabled' });
}
