/** Documents with scanned pages: how well they were read, and in which languages. */
import { kits } from '../../engines/catalogue.ts';
import type { DocumentDetails } from '../contract/types.ts';
import type { Scan } from '../store/passage-table.ts';

/** English scans are read with more than 90; below this a page is a bad copy, or in another language than it was read in. */
const sure = 80;

/** BCP 47 of Tesseract's names. */
const languageNames = new Map<string, string>([
  ['eng', 'en'],
  ...kits.flatMap(({ role, languages: [language], files: [file] }): [string, string][] =>
    role === 'scan' && language && file ? [[file.name.split('.')[0]!, language]] : [],
  ),
]);

const base = (language: string): string => language.split('-')[0]!;

/** `language`: what the text seems to be in, as far as that is clear. */
export function describeScans(scans: readonly Scan[], language: string | null): Pick<DocumentDetails, 'scans'> {
  if (scans.length === 0) return {};
  const known = scans.flatMap(({ confidence }) => confidence ?? []);
  const confidence = known.length === 0 ? null : Math.round(known.reduce((sum, one) => sum + one, 0) / known.length);
  const readIn = new Set(scans.flatMap(({ languages }) => languages.flatMap((name) => languageNames.get(name) ?? [])));
  const languages = [...readIn];
  // A page that tells nothing of it is from before there were other languages than English.
  const isForeign =
    language !== null &&
    ![...(languages.length > 0 ? languages : ['en'])].some((one) => base(one) === language) &&
    [...languageNames.values()].some((one) => base(one) === language);
  const seemsOther = isForeign || known.some((one) => one < sure);
  return { scans: { numPages: scans.length, confidence, languages, seemsOther } };
}
