import { currentLanguage } from './text/text.ts';

/** "French" in the window's language, of a code of BCP 47. */
export function languageName(code: string): string {
  const name = new Intl.DisplayNames([currentLanguage()], { type: 'language' }).of(code) ?? code;
  return name.charAt(0).toLocaleUpperCase(currentLanguage()) + name.slice(1);
}

/** "French, German and English". */
export function languageList(codes: readonly string[]): string {
  return new Intl.ListFormat(currentLanguage(), { type: 'conjunction' }).format(codes.map(languageName));
}
