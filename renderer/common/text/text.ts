import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import english from './en.json' with { type: 'json' };

/** Starts the texts of the window. A further language is one more file beside `en.json`. */
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

/** A text outside of a component. */
export function text(key: string, values: Record<string, unknown> = {}): string {
  return i18next.t(key, values);
}
