/**
 * Scans in other languages than English, in a reader of their own: with the language installed, and without. It needs the
 * languages (`quoth models install scan-fra scan-jpn scan-chi_sim`) and, for Japanese and Chinese, fonts of the system.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GlobalFonts } from '@napi-rs/canvas';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNodeSpawner } from '../../ingest/readers/node-spawner.ts';
import { createReadFile } from '../../ingest/run-reader.ts';
import type { ReadResult } from '../../ingest/source.ts';
import { modelsFolder } from '../../main/folders.ts';
import { drawScan, makeMixedPdf } from '../fakes/scanned-pdf.ts';
import { sourceOf } from './data.ts';

const pages = {
  fra: [
    'L’assemblée générale s’est réunie à la mairie le vingt-trois février',
    'pour examiner les dépenses engagées depuis l’été précédent. Après',
    'avoir entendu le rapport du trésorier, les adhérents ont décidé à',
    'l’unanimité de rénover la façade de l’école et d’élargir l’entrée. Les',
    'travaux commenceront dès le mois d’août, sous réserve de l’arrêté',
    'préfectoral. Une réunion supplémentaire aura lieu à Noël.',
  ],
  jpn: [
    '町内会は三月四日に公民館で総会を開き、昨年度の',
    '決算報告を承認した。会計担当者によると、集会所の',
    '暖房費が二倍近くに増えたため、古いボイラーを新しい',
    'ものに交換し、市役所に補助金を申請することになった。',
    '次の会議は図書館で午後七時から行われる予定である。',
  ],
  chi_sim: [
    '居民委员会于三月四日在图书馆召开了年度大会，',
    '听取了财务负责人的工作报告。由于供暖费用比去年',
    '增加了将近一倍，会议决定更换旧锅炉，并向市政府',
    '申请补助。下一次会议将于七月九日晚上七点举行，',
    '请各位居民准时参加，并带好有关的证明文件。',
  ],
  eng: [
    'The committee met on the fourth of March and agreed that the annual',
    'report should be sent to every member before the end of the month.',
    'The treasurer explained that the income from rents had risen by nine',
    'per cent, while the cost of heating the hall had nearly doubled.',
  ],
};
type Language = keyof typeof pages;
const fonts: Record<Language, string | undefined> = {
  ...{ eng: 'Scan Sans', fra: 'Scan Sans' },
  jpn: ['Noto Sans CJK JP', 'Yu Gothic', 'Hiragino Sans'].find((font) => GlobalFonts.has(font)),
  chi_sim: ['Noto Sans CJK SC', 'Microsoft YaHei', 'PingFang SC', 'Noto Sans CJK JP'].find((font) =>
    GlobalFonts.has(font),
  ),
};
const kitOf = (language: string): string => join(modelsFolder(), `scan-${language}`, 'kit');
const installed = ['fra', 'jpn', 'chi_sim', 'deu'].filter((language) => existsSync(kitOf(language)));

const readFile = createReadFile(createNodeSpawner());
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quoth 山田 太郎 '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(languages: readonly Language[], kits: readonly string[]): Promise<ReadResult> {
  const path = join(folder, `${languages.join(' ')}.pdf`);
  const scans = languages.map((language) => drawScan(pages[language], { font: fonts[language]! }));
  writeFileSync(path, makeMixedPdf(scans));
  const { signal } = new AbortController();
  return readFile(sourceOf(path), { signal, scanFolders: kits.map(kitOf) });
}

const textOf = (result: ReadResult, page = 1): string =>
  result.type === 'read'
    ? result.sections
        .filter(({ locator }) => locator.type === 'page' && locator.page === page)
        .map(({ text }) => text)
        .join('\n')
    : '';

/** The share of its words that were read, or of its letters' pairs where it has no words. */
function shareRead(language: Language, text: string): number {
  const isSpaced = language === 'fra' || language === 'eng';
  const unitsOf = (all: string): string[] => {
    if (isSpaced) return all.replaceAll('’', "'").split(/\s+/);
    const letters = [...all.replace(/\s+/g, '')];
    return letters.slice(1).map((letter, at) => `${letters[at]}${letter}`);
  };
  const left = unitsOf(text.replaceAll('’', "'"));
  const wanted = unitsOf(pages[language].join(isSpaced ? ' ' : ''));
  const numRead = wanted.filter((unit) => {
    const at = left.indexOf(unit);
    if (at !== -1) left.splice(at, 1);
    return at !== -1;
  }).length;
  return numRead / wanted.length;
}

const wanted: [Language, number, number][] = [
  ['fra', 0.9, 0.8],
  ['jpn', 0.95, 0.05],
  ['chi_sim', 0.9, 0.05],
];
for (const [language, least, mostWithout] of wanted)
  describe.skipIf(!installed.includes(language) || !fonts[language])(
    `A scan in ${language}`,
    { timeout: 120_000 },
    () => {
      test('is read with its language, also where others are installed too', async () => {
        const alone = shareRead(language, textOf(await read([language], [language])));
        const among = await read([language], installed);
        const share = shareRead(language, textOf(among));
        console.info(
          `${language}: ${(100 * alone).toFixed(1)} % of it read, ${(100 * share).toFixed(1)} % among ${installed.length}`,
        );
        expect(alone).toBeGreaterThanOrEqual(least);
        expect(share).toBeGreaterThanOrEqual(least);
        const [page] = (among as Extract<ReadResult, { type: 'read' }>).scannedPages!;
        expect(page!.languages).toContain(language);
        expect(page!.confidence).toBeGreaterThan(80);
      });

      test('is not, or badly, without it', async () => {
        const share = shareRead(language, textOf(await read([language], [])));
        console.info(`${language}: ${(100 * share).toFixed(1)} % of it read without its language`);
        expect(share).toBeLessThanOrEqual(mostWithout);
      });
    },
  );

describe.skipIf(installed.length < 4 || !fonts.jpn || !fonts.chi_sim)('A file of scans', { timeout: 240_000 }, () => {
  test('may be in another language on every page', async () => {
    const languages: Language[] = ['eng', 'jpn', 'fra', 'chi_sim'];
    const result = await read(languages, installed);
    for (const [at, language] of languages.entries())
      expect(shareRead(language, textOf(result, at + 1)), language).toBeGreaterThanOrEqual(0.9);
  });
});
