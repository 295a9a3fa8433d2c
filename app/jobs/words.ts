/** What the result of a job says in its own words, in the languages of the window. */
import type { Coverage, Place } from '../contract/types.ts';
import type { JobLanguage } from '../store/job-table.ts';

export type JobWords = {
  summarise(of: string): string;
  mentions(words: string, of: string): string;
  compare(one: string, other: string): string;
  library: string;
  documents(count: number): string;
  /** Why there is no model's text. */
  noModel: string;
  modelFailed: string;
  nothing: string;
  /** The whole statement of what was read. */
  coverage(coverage: Coverage): string;
  notRead: string;
  andMore(count: number): string;
  page(page: number): string;
  mentionsFound(mentions: number, documents: number): string;
  noMentions(words: string): string;
  near: string;
  more(count: number, places: string): string;
  compared(counts: { same: number; changed: number; onlyFirst: number; onlySecond: number }): string;
  inShort: string;
  differs: string;
  onlyIn(title: string): string;
  alike: string;
};

const plural = (one: string, many: string) => (count: number, locale: string) =>
  `${count.toLocaleString(locale)} ${count === 1 ? one : many}`;

type Nouns = { locale: string; document: ReturnType<typeof plural>; passage: ReturnType<typeof plural> };

/** "Read 3 of 7 parts of 2 documents (31 passages)." and what there is to add to it. */
function coverageOf(
  { locale, document, passage }: Nouns,
  read: (done: string, all: string, documents: string, passages: string) => string,
  own: (count: string) => string,
  unread: (count: string) => string,
): JobWords['coverage'] {
  return (coverage) => {
    const { numParts, numRead, numDocuments, numPassages, numInOwnWords } = coverage;
    const number = (count: number): string => count.toLocaleString(locale);
    const numUnread = coverage.unread.length;
    const sentences = [
      read(number(numRead), number(numParts), document(numDocuments, locale), passage(numPassages, locale)),
      numInOwnWords > 0 ? own(number(numInOwnWords)) : '',
      numUnread > 0 ? unread(document(numUnread, locale)) : '',
    ];
    return sentences.filter((sentence) => sentence !== '').join(locale === 'ja' || locale === 'zh' ? '' : ' ');
  };
}

const english: Nouns = {
  locale: 'en',
  document: plural('document', 'documents'),
  passage: plural('passage', 'passages'),
};
const french: Nouns = {
  locale: 'fr',
  document: plural('document', 'documents'),
  passage: plural('passage', 'passages'),
};
const italian: Nouns = { locale: 'it', document: plural('documento', 'documenti'), passage: plural('passo', 'passi') };
const japanese: Nouns = {
  locale: 'ja',
  document: (count) => `${count.toLocaleString('ja')} 件の文書`,
  passage: (count) => `${count.toLocaleString('ja')} 個の箇所`,
};
const chinese: Nouns = {
  locale: 'zh',
  document: (count) => `${count.toLocaleString('zh')} 份文档`,
  passage: (count) => `${count.toLocaleString('zh')} 个段落`,
};

export const jobWords: Readonly<Record<JobLanguage, JobWords>> = {
  en: {
    summarise: (of) => `Summarise: ${of}`,
    mentions: (words, of) => `Every mention of “${words}”: ${of}`,
    compare: (one, other) => `Compare: ${one} / ${other}`,
    library: 'the whole library',
    documents: (count) => english.document(count, 'en'),
    noModel: 'No chat model is installed, so these are the key sentences of the documents themselves, word for word.',
    modelFailed: 'The chat model failed on the way; where it did, the documents’ own key sentences stand.',
    nothing: 'There is nothing to read here yet.',
    coverage: coverageOf(
      english,
      (done, all, documents, passages) => `Read ${done} of ${all} parts of ${documents} (${passages}).`,
      (count) => `For ${count} of them the document’s own words are given.`,
      (documents) => `Could not be read: ${documents}.`,
    ),
    notRead: 'Not read',
    andMore: (count) => `and ${count.toLocaleString('en')} more`,
    page: (page) => `p. ${page}`,
    mentionsFound: (mentions, documents) =>
      `${mentions.toLocaleString('en')} ${mentions === 1 ? 'place' : 'places'} in ${english.document(documents, 'en')}.`,
    noMentions: (words) => `“${words}” stands nowhere in what was read.`,
    near: 'Close in meaning, in other words',
    more: (count, places) => `and ${count.toLocaleString('en')} more (${places})`,
    compared: ({ same, changed, onlyFirst, onlySecond }) =>
      `Sentences that are the same in both: ${same}; that differ: ${changed}; only in the first: ${onlyFirst}; only in the second: ${onlySecond}.`,
    inShort: 'In short',
    differs: 'What differs',
    onlyIn: (title) => `Only in ${title}`,
    alike: 'Both say the same, sentence for sentence.',
  },
  fr: {
    summarise: (of) => `Résumer : ${of}`,
    mentions: (words, of) => `Toutes les mentions de « ${words} » : ${of}`,
    compare: (one, other) => `Comparer : ${one} / ${other}`,
    library: 'toute la bibliothèque',
    documents: (count) => french.document(count, 'fr'),
    noModel: 'Aucun modèle de discussion n’est installé : voici les phrases clés des documents, mot pour mot.',
    modelFailed: 'Le modèle de discussion a échoué en route ; là, ce sont les phrases clés des documents.',
    nothing: 'Il n’y a encore rien à lire ici.',
    coverage: coverageOf(
      french,
      (done, all, documents, passages) => `${done} parties lues sur ${all}, de ${documents} (${passages}).`,
      (count) => `Pour ${count} d’entre elles, ce sont les mots du document lui-même.`,
      (documents) => `N’ont pas pu être lus : ${documents}.`,
    ),
    notRead: 'Non lus',
    andMore: (count) => `et ${count.toLocaleString('fr')} autres`,
    page: (page) => `p. ${page}`,
    mentionsFound: (mentions, documents) =>
      `${mentions.toLocaleString('fr')} ${mentions === 1 ? 'endroit' : 'endroits'} dans ${french.document(documents, 'fr')}.`,
    noMentions: (words) => `« ${words} » ne figure nulle part dans ce qui a été lu.`,
    near: 'Proche par le sens, avec d’autres mots',
    more: (count, places) => `et ${count.toLocaleString('fr')} de plus (${places})`,
    compared: ({ same, changed, onlyFirst, onlySecond }) =>
      `Phrases identiques dans les deux : ${same} ; différentes : ${changed} ; seulement dans le premier : ${onlyFirst} ; seulement dans le second : ${onlySecond}.`,
    inShort: 'En bref',
    differs: 'Ce qui diffère',
    onlyIn: (title) => `Seulement dans ${title}`,
    alike: 'Les deux disent la même chose, phrase pour phrase.',
  },
  it: {
    summarise: (of) => `Riassumere: ${of}`,
    mentions: (words, of) => `Ogni menzione di «${words}»: ${of}`,
    compare: (one, other) => `Confrontare: ${one} / ${other}`,
    library: 'tutta la biblioteca',
    documents: (count) => italian.document(count, 'it'),
    noModel: 'Nessun modello di chat è installato: queste sono le frasi chiave dei documenti, parola per parola.',
    modelFailed: 'Il modello di chat non ce l’ha fatta dappertutto; lì stanno le frasi chiave dei documenti.',
    nothing: 'Qui non c’è ancora niente da leggere.',
    coverage: coverageOf(
      italian,
      (done, all, documents, passages) => `Lette ${done} parti su ${all} di ${documents} (${passages}).`,
      (count) => `Per ${count} di esse sono date le parole del documento stesso.`,
      (documents) => `Non leggibili: ${documents}.`,
    ),
    notRead: 'Non letti',
    andMore: (count) => `e altri ${count.toLocaleString('it')}`,
    page: (page) => `p. ${page}`,
    mentionsFound: (mentions, documents) =>
      `${mentions.toLocaleString('it')} ${mentions === 1 ? 'punto' : 'punti'} in ${italian.document(documents, 'it')}.`,
    noMentions: (words) => `«${words}» non compare in ciò che è stato letto.`,
    near: 'Vicino nel senso, con altre parole',
    more: (count, places) => `e altri ${count.toLocaleString('it')} (${places})`,
    compared: ({ same, changed, onlyFirst, onlySecond }) =>
      `Frasi uguali in entrambi: ${same}; diverse: ${changed}; solo nel primo: ${onlyFirst}; solo nel secondo: ${onlySecond}.`,
    inShort: 'In breve',
    differs: 'Che cosa è diverso',
    onlyIn: (title) => `Solo in ${title}`,
    alike: 'Entrambi dicono lo stesso, frase per frase.',
  },
  ja: {
    summarise: (of) => `要約：${of}`,
    mentions: (words, of) => `「${words}」のすべての言及：${of}`,
    compare: (one, other) => `比較：${one} / ${other}`,
    library: 'ライブラリ全体',
    documents: (count) => japanese.document(count, 'ja'),
    noModel: 'チャットモデルがないため、文書そのものの要となる文をそのまま示します。',
    modelFailed: '途中でチャットモデルが使えなくなりました。その部分は文書そのものの文です。',
    nothing: 'まだ読むものがありません。',
    coverage: coverageOf(
      japanese,
      (done, all, documents, passages) => `${documents}（${passages}）の ${all} 部分のうち ${done} 部分を読みました。`,
      (count) => `うち ${count} 部分は文書そのものの言葉です。`,
      (documents) => `読めなかったもの：${documents}。`,
    ),
    notRead: '読めなかったもの',
    andMore: (count) => `ほか ${count.toLocaleString('ja')} 件`,
    page: (page) => `${page} ページ`,
    mentionsFound: (mentions, documents) =>
      `${japanese.document(documents, 'ja')}に ${mentions.toLocaleString('ja')} か所あります。`,
    noMentions: (words) => `「${words}」は読んだ範囲のどこにもありません。`,
    near: '別の言葉で近い意味のもの',
    more: (count, places) => `ほか ${count.toLocaleString('ja')} か所（${places}）`,
    compared: ({ same, changed, onlyFirst, onlySecond }) =>
      `両方で同じ文：${same}、異なる文：${changed}、一つ目だけの文：${onlyFirst}、二つ目だけの文：${onlySecond}。`,
    inShort: '要点',
    differs: '異なる点',
    onlyIn: (title) => `${title} だけにあるもの`,
    alike: '両方とも、どの文も同じです。',
  },
  zh: {
    summarise: (of) => `摘要：${of}`,
    mentions: (words, of) => `“${words}”的所有提及：${of}`,
    compare: (one, other) => `比较：${one} / ${other}`,
    library: '整个资料库',
    documents: (count) => chinese.document(count, 'zh'),
    noModel: '没有安装聊天模型，以下是文档自身的关键句，逐字引用。',
    modelFailed: '聊天模型中途失败；那些部分给出文档自身的关键句。',
    nothing: '这里还没有可读的内容。',
    coverage: coverageOf(
      chinese,
      (done, all, documents, passages) => `已读 ${documents}（${passages}）的 ${all} 个部分中的 ${done} 个。`,
      (count) => `其中 ${count} 个部分使用文档自身的文字。`,
      (documents) => `无法读取：${documents}。`,
    ),
    notRead: '未读取',
    andMore: (count) => `另有 ${count.toLocaleString('zh')} 项`,
    page: (page) => `第 ${page} 页`,
    mentionsFound: (mentions, documents) =>
      `在 ${chinese.document(documents, 'zh')}中有 ${mentions.toLocaleString('zh')} 处。`,
    noMentions: (words) => `在已读的内容中没有“${words}”。`,
    near: '意思相近、用词不同',
    more: (count, places) => `另有 ${count.toLocaleString('zh')} 处（${places}）`,
    compared: ({ same, changed, onlyFirst, onlySecond }) =>
      `两者相同的句子：${same}；不同的：${changed}；只在第一个中的：${onlyFirst}；只在第二个中的：${onlySecond}。`,
    inShort: '要点',
    differs: '不同之处',
    onlyIn: (title) => `只在 ${title} 中`,
    alike: '两者逐句相同。',
  },
};

/** "p. 12", "1:03:20", "Slide 3", or nothing. */
export function placeWords(words: JobWords, { label, page, startSeconds }: Place): string {
  if (label !== null) return label;
  if (page !== null) return words.page(page);
  if (startSeconds === null) return '';
  const seconds = Math.floor(startSeconds);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0]! > 0 ? parts : parts.slice(1);
  return shown.map((part, index) => (index === 0 ? `${part}` : `${part}`.padStart(2, '0'))).join(':');
}
