/** The texts of the window, in the language that the person chose or the system has. */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { type Settings, windowLanguages } from '../../../app/contract/types.ts';
import english from './en.json' with { type: 'json' };

type Language = (typeof windowLanguages)[number];

const loaders: Readonly<Record<Exclude<Language, 'en'>, () => Promise<{ default: object }>>> = {
  fr: () => import('./fr.json'),
  it: () => import('./it.json'),
  ja: () => import('./ja.json'),
  zh: () => import('./zh.json'),
};

/** What each language calls itself, and its name in HTML: Chinese without a script would be drawn in any of two. */
export const languageNames: Readonly<Record<Language, { own: string; tag: string }>> = {
  en: { own: 'English', tag: 'en' },
  fr: { own: 'Français', tag: 'fr' },
  it: { own: 'Italiano', tag: 'it' },
  ja: { own: '日本語', tag: 'ja' },
  zh: { own: '中文（简体）', tag: 'zh-Hans' },
};

const languageKey = 'quoth.language';

/** Starts the texts, in English. */
export function startTexts(): void {
  if (i18next.isInitialized) return;
  void i18next.use(initReactI18next).init({
    resources: { en: { translation: english } },
    lng: 'en',
    fallbackLng: 'en',
    initAsync: false,
    interpolation: { escapeValue: false }, // React writes text, never markup.
  });
}

/** The language of the last time, before the core has answered: no window is drawn in one and then in another. */
export async function applyLastLanguage(): Promise<void> {
  const last = localStorage.getItem(languageKey);
  await applyLanguage(windowLanguages.find((language) => language === last) ?? 'system');
}

/** Changes the language of the window and keeps the choice for the next start. */
export async function applyLanguage(choice: Settings['language']): Promise<void> {
  localStorage.setItem(languageKey, choice);
  const language = choice === 'system' ? systemLanguage(navigator.languages) : choice;
  if (language !== 'en' && !i18next.hasResourceBundle(language, 'translation')) {
    i18next.addResourceBundle(language, 'translation', (await loaders[language]()).default);
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = languageNames[language].tag;
}

/** The first of the person's languages that the window speaks; else English. */
export function systemLanguage(wanted: readonly string[]): Language {
  const primary = wanted.map((tag) => tag.toLowerCase().split('-')[0]);
  return windowLanguages.find((language) => language === primary.find((tag) => isWindowLanguage(tag))) ?? 'en';
}

function isWindowLanguage(tag: string | undefined): boolean {
  return windowLanguages.some((language) => language === tag);
}

/** The language that numbers and sizes are written in. */
export function currentLanguage(): string {
  return i18next.language;
}

/** A text outside of a component. */
export function text(key: string, values: Record<string, unknown> = {}): string {
  return i18next.t(key, values);
}
