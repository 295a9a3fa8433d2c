/** The words of menus, tray and notices: what the system draws. Everything in the window itself has its words in renderer/common/text. */
import { type Settings, windowLanguages } from '../../app/contract/types.ts';

export type Language = (typeof windowLanguages)[number];

export type Texts = {
  file: string;
  edit: string;
  view: string;
  window: string;
  help: string;
  newChat: string;
  settings: string;
  close: string;
  quit: string;
  undo: string;
  redo: string;
  cut: string;
  copy: string;
  paste: string;
  selectAll: string;
  chat: string;
  library: string;
  models: string;
  reload: string;
  usualSize: string;
  larger: string;
  smaller: string;
  fullScreen: string;
  minimize: string;
  about: string;
  aboutWords: string;
  open: string;
  pauseWatching: string;
  resumeWatching: string;
  working: (count: number) => string;
  documentsTitle: string;
  documentsDone: (numReady: number, numFailed: number) => string;
  jobTitle: string;
  jobDone: string;
  jobFailed: string;
  openAddress: (host: string) => string;
  openButton: string;
  cancel: string;
  notWritten: (name: string) => string;
};

const en: Texts = {
  file: '&File',
  edit: '&Edit',
  view: '&View',
  window: '&Window',
  help: '&Help',
  newChat: 'New chat',
  settings: 'Settings',
  close: 'Close window',
  quit: 'Quit Quoth',
  undo: 'Undo',
  redo: 'Redo',
  cut: 'Cut',
  copy: 'Copy',
  paste: 'Paste',
  selectAll: 'Select all',
  chat: 'Chat',
  library: 'Library',
  models: 'Models',
  reload: 'Reload',
  usualSize: 'Usual size',
  larger: 'Larger',
  smaller: 'Smaller',
  fullScreen: 'Full screen',
  minimize: 'Minimise',
  about: 'About Quoth',
  aboutWords: 'Answers from your own documents, each sentence with its proof.',
  open: 'Open Quoth',
  pauseWatching: 'Pause watching folders',
  resumeWatching: 'Watch folders again',
  working: (count) => (count === 1 ? 'Quoth: 1 document or task on its way' : `Quoth: ${count} on their way`),
  documentsTitle: 'Your documents are read',
  documentsDone: (numReady, numFailed) =>
    numFailed === 0 ? `${numReady} ready.` : `${numReady} ready, ${numFailed} could not be read.`,
  jobTitle: 'Whole documents were read',
  jobDone: 'The result is there.',
  jobFailed: 'It could not be brought to its end. It can go on from where it was.',
  openAddress: (host) => `Open ${host} in your browser?`,
  openButton: 'Open',
  cancel: 'Cancel',
  notWritten: (name) => `“${name}” could not be written.`,
};

const fr: Texts = {
  file: '&Fichier',
  edit: '&Édition',
  view: '&Affichage',
  window: 'Fe&nêtre',
  help: 'A&ide',
  newChat: 'Nouvelle discussion',
  settings: 'Réglages',
  close: 'Fermer la fenêtre',
  quit: 'Quitter Quoth',
  undo: 'Annuler',
  redo: 'Rétablir',
  cut: 'Couper',
  copy: 'Copier',
  paste: 'Coller',
  selectAll: 'Tout sélectionner',
  chat: 'Discussion',
  library: 'Bibliothèque',
  models: 'Modèles',
  reload: 'Recharger',
  usualSize: 'Taille normale',
  larger: 'Plus grand',
  smaller: 'Plus petit',
  fullScreen: 'Plein écran',
  minimize: 'Réduire',
  about: 'À propos de Quoth',
  aboutWords: 'Des réponses tirées de vos propres documents, chaque phrase avec sa preuve.',
  open: 'Ouvrir Quoth',
  pauseWatching: 'Suspendre la surveillance des dossiers',
  resumeWatching: 'Reprendre la surveillance des dossiers',
  working: (count) => (count === 1 ? 'Quoth : 1 document ou tâche en cours' : `Quoth : ${count} en cours`),
  documentsTitle: 'Vos documents sont lus',
  documentsDone: (numReady, numFailed) =>
    numFailed === 0 ? `Prêts : ${numReady}.` : `Prêts : ${numReady} ; impossibles à lire : ${numFailed}.`,
  jobTitle: 'La lecture complète est terminée',
  jobDone: 'Le résultat est là.',
  jobFailed: 'Elle n’a pas pu aller jusqu’au bout. Elle peut reprendre là où elle en était.',
  openAddress: (host) => `Ouvrir ${host} dans votre navigateur ?`,
  openButton: 'Ouvrir',
  cancel: 'Annuler',
  notWritten: (name) => `« ${name} » n’a pas pu être enregistré.`,
};

const it: Texts = {
  file: '&File',
  edit: '&Modifica',
  view: '&Visualizza',
  window: 'Fi&nestra',
  help: '&Aiuto',
  newChat: 'Nuova conversazione',
  settings: 'Impostazioni',
  close: 'Chiudi finestra',
  quit: 'Esci da Quoth',
  undo: 'Annulla',
  redo: 'Ripeti',
  cut: 'Taglia',
  copy: 'Copia',
  paste: 'Incolla',
  selectAll: 'Seleziona tutto',
  chat: 'Conversazione',
  library: 'Biblioteca',
  models: 'Modelli',
  reload: 'Ricarica',
  usualSize: 'Dimensione normale',
  larger: 'Più grande',
  smaller: 'Più piccolo',
  fullScreen: 'Schermo intero',
  minimize: 'Riduci a icona',
  about: 'Informazioni su Quoth',
  aboutWords: 'Risposte dai tuoi documenti, ogni frase con la sua prova.',
  open: 'Apri Quoth',
  pauseWatching: 'Sospendi la sorveglianza delle cartelle',
  resumeWatching: 'Riprendi la sorveglianza delle cartelle',
  working: (count) => (count === 1 ? 'Quoth: 1 documento o lavoro in corso' : `Quoth: ${count} in corso`),
  documentsTitle: 'I tuoi documenti sono stati letti',
  documentsDone: (numReady, numFailed) =>
    numFailed === 0 ? `Pronti: ${numReady}.` : `Pronti: ${numReady}; impossibili da leggere: ${numFailed}.`,
  jobTitle: 'La lettura completa è finita',
  jobDone: 'Il risultato è pronto.',
  jobFailed: 'Non è arrivata alla fine. Può riprendere da dove si era fermata.',
  openAddress: (host) => `Aprire ${host} nel browser?`,
  openButton: 'Apri',
  cancel: 'Annulla',
  notWritten: (name) => `Impossibile salvare «${name}».`,
};

const ja: Texts = {
  file: 'ファイル(&F)',
  edit: '編集(&E)',
  view: '表示(&V)',
  window: 'ウィンドウ(&W)',
  help: 'ヘルプ(&H)',
  newChat: '新しいチャット',
  settings: '設定',
  close: 'ウィンドウを閉じる',
  quit: 'Quoth を終了',
  undo: '元に戻す',
  redo: 'やり直す',
  cut: '切り取り',
  copy: 'コピー',
  paste: '貼り付け',
  selectAll: 'すべて選択',
  chat: 'チャット',
  library: 'ライブラリ',
  models: 'モデル',
  reload: '再読み込み',
  usualSize: '標準のサイズ',
  larger: '拡大',
  smaller: '縮小',
  fullScreen: '全画面表示',
  minimize: '最小化',
  about: 'Quoth について',
  aboutWords: 'あなたの文書から、一文ごとに根拠を添えて答えます。',
  open: 'Quoth を開く',
  pauseWatching: 'フォルダーの監視を一時停止',
  resumeWatching: 'フォルダーの監視を再開',
  working: (count) => `Quoth：${count} 件を処理中`,
  documentsTitle: '文書の読み込みが終わりました',
  documentsDone: (numReady, numFailed) =>
    numFailed === 0
      ? `${numReady} 件の準備ができました。`
      : `${numReady} 件の準備ができ、${numFailed} 件は読めませんでした。`,
  jobTitle: '文書全体の読み取りが終わりました',
  jobDone: '結果をご覧いただけます。',
  jobFailed: '最後まで進めませんでした。続きから再開できます。',
  openAddress: (host) => `${host} をブラウザーで開きますか？`,
  openButton: '開く',
  cancel: 'キャンセル',
  notWritten: (name) => `「${name}」を保存できませんでした。`,
};

const zh: Texts = {
  file: '文件(&F)',
  edit: '编辑(&E)',
  view: '查看(&V)',
  window: '窗口(&W)',
  help: '帮助(&H)',
  newChat: '新对话',
  settings: '设置',
  close: '关闭窗口',
  quit: '退出 Quoth',
  undo: '撤销',
  redo: '重做',
  cut: '剪切',
  copy: '复制',
  paste: '粘贴',
  selectAll: '全选',
  chat: '对话',
  library: '资料库',
  models: '模型',
  reload: '重新加载',
  usualSize: '默认大小',
  larger: '放大',
  smaller: '缩小',
  fullScreen: '全屏',
  minimize: '最小化',
  about: '关于 Quoth',
  aboutWords: '从您自己的文档中作答，每句话都有出处。',
  open: '打开 Quoth',
  pauseWatching: '暂停监视文件夹',
  resumeWatching: '恢复监视文件夹',
  working: (count) => `Quoth：${count} 项正在处理`,
  documentsTitle: '文档已读取完毕',
  documentsDone: (numReady, numFailed) =>
    numFailed === 0 ? `${numReady} 份已就绪。` : `${numReady} 份已就绪，${numFailed} 份无法读取。`,
  jobTitle: '整篇文档已读完',
  jobDone: '结果已经可以查看。',
  jobFailed: '未能完成，可以从中断处继续。',
  openAddress: (host) => `要在浏览器中打开 ${host} 吗？`,
  openButton: '打开',
  cancel: '取消',
  notWritten: (name) => `无法保存“${name}”。`,
};

const texts: Record<Language, Texts> = { en, fr, it, ja, zh };

/** The texts in the window's language; `systemLanguages` decides where the person leaves it to the system. */
export function textsOf(language: Settings['language'], systemLanguages: readonly string[]): Texts {
  if (language !== 'system') return texts[language];
  const primary = systemLanguages.map((tag) => tag.toLowerCase().split(/[-_]/)[0]);
  const spoken = primary.find((tag) => windowLanguages.some((one) => one === tag));
  return texts[(spoken as Language | undefined) ?? 'en'];
}
