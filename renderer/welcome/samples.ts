/** The documents of ours that the core can add, and questions that they answer, by the language of both. */
import { windowLanguages } from '../../app/contract/types.ts';
import { currentLanguage } from '../common/text/text.ts';

type Language = (typeof windowLanguages)[number];

/** As the library calls their files. */
export const sampleSources: ReadonlySet<string> = new Set([
  'Lease, 12 Harbour Street.pdf',
  'Team meeting, 14 March.vtt',
  'Lave-linge Sirocco 7.html',
  'Regolamento del condominio.txt',
  '加湿器の取扱説明書.txt',
  '社区图书馆借阅须知.txt',
]);

/** In the words of the documents, so that they are found by words alone, before any model is there. */
const questions: Readonly<Record<Language, readonly string[]>> = {
  en: ['When is the rent due?', 'When does the new web shop go live?', 'How much is the deposit?'],
  fr: ['Quand faut-il nettoyer le filtre de la pompe ?', 'Combien de temps dure la garantie ?'],
  it: ['Entro quando si pagano le spese comuni?', 'Quando si porta fuori la carta?'],
  ja: ['タンクの容量はどれくらいですか。', 'フィルターの交換の目安はいつですか。'],
  zh: ['图书的借期是多少天？', '借书证遗失补办收费多少？'],
};

/** A few questions: those of the window's language first, then one of the others' each. */
export function sampleQuestions(): { language: Language; question: string }[] {
  const mine = windowLanguages.find((language) => language === currentLanguage()) ?? 'en';
  const others = windowLanguages.filter((language) => language !== mine);
  return [
    ...questions[mine].map((question) => ({ language: mine, question })),
    ...others.flatMap((language) => questions[language].slice(0, 1).map((question) => ({ language, question }))),
  ].slice(0, 4);
}
