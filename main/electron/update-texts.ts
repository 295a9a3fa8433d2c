/** What is said of updates, in the languages of the window. */
import { windowLanguages } from '../../app/contract/types.ts';
import type { UpdateFailure } from './update.ts';

export type UpdateTexts = {
  menu: string;
  current: string;
  available: (version: string) => string;
  download: string;
  byHand: string;
  ready: (version: string) => string;
  restart: string;
  later: string;
  close: string;
  failed: string;
  reasons: Record<UpdateFailure, string>;
};

const texts: Record<(typeof windowLanguages)[number], UpdateTexts> = {
  en: {
    menu: 'Check for updates…',
    current: 'You have the newest version of Quoth.',
    available: (version) => `Quoth ${version} is there.`,
    download: 'Download',
    byHand: 'On this system Quoth does not replace itself. Download the new version from where you got this one.',
    ready: (version) =>
      `Quoth ${version} is downloaded and its signature is right. Install it now? Quoth closes and opens again.`,
    restart: 'Install now',
    later: 'Later',
    close: 'Close',
    failed: 'The update did not work.',
    reasons: {
      offline: 'Quoth is set to stay offline, so nothing was asked. You can change that in the settings.',
      unreachable: 'The place where updates are kept does not answer. Please try again later.',
      signature:
        'What was downloaded is not signed by the maker of this Quoth, so it was thrown away. Nothing has changed.',
      other: 'Nothing has changed; you can go on with the version you have.',
    },
  },
  fr: {
    menu: 'Rechercher des mises à jour…',
    current: 'Vous avez la version la plus récente de Quoth.',
    available: (version) => `Quoth ${version} est disponible.`,
    download: 'Télécharger',
    byHand:
      'Sur ce système, Quoth ne se remplace pas lui-même. Téléchargez la nouvelle version là où vous avez obtenu celle-ci.',
    ready: (version) =>
      `Quoth ${version} est téléchargé et sa signature est valable. L’installer maintenant ? Quoth se ferme puis se rouvre.`,
    restart: 'Installer maintenant',
    later: 'Plus tard',
    close: 'Fermer',
    failed: 'La mise à jour n’a pas abouti.',
    reasons: {
      offline:
        'Quoth est réglé pour rester hors ligne : rien n’a été demandé. Vous pouvez changer cela dans les réglages.',
      unreachable: 'Le serveur des mises à jour ne répond pas. Réessayez plus tard.',
      signature: 'Le fichier téléchargé n’est pas signé par l’auteur de ce Quoth ; il a été supprimé. Rien n’a changé.',
      other: 'Rien n’a changé ; vous pouvez continuer avec votre version.',
    },
  },
  it: {
    menu: 'Cerca aggiornamenti…',
    current: 'Hai la versione più recente di Quoth.',
    available: (version) => `È disponibile Quoth ${version}.`,
    download: 'Scarica',
    byHand: 'Su questo sistema Quoth non si sostituisce da solo. Scarica la nuova versione da dove hai preso questa.',
    ready: (version) =>
      `Quoth ${version} è stato scaricato e la firma è valida. Installarlo adesso? Quoth si chiude e si riapre.`,
    restart: 'Installa adesso',
    later: 'Più tardi',
    close: 'Chiudi',
    failed: 'L’aggiornamento non è riuscito.',
    reasons: {
      offline: 'Quoth è impostato per restare offline: non è stato chiesto nulla. Puoi cambiarlo nelle impostazioni.',
      unreachable: 'Il server degli aggiornamenti non risponde. Riprova più tardi.',
      signature: 'Il file scaricato non è firmato dall’autore di questo Quoth ed è stato eliminato. Nulla è cambiato.',
      other: 'Nulla è cambiato; puoi continuare con la versione che hai.',
    },
  },
  ja: {
    menu: '更新を確認…',
    current: 'お使いの Quoth は最新です。',
    available: (version) => `Quoth ${version} があります。`,
    download: 'ダウンロード',
    byHand: 'このシステムでは Quoth は自動で置き換わりません。入手元から新しい版をダウンロードしてください。',
    ready: (version) =>
      `Quoth ${version} をダウンロードし、署名を確認しました。今すぐインストールしますか？ Quoth はいったん終了し、再び開きます。`,
    restart: '今すぐインストール',
    later: 'あとで',
    close: '閉じる',
    failed: '更新できませんでした。',
    reasons: {
      offline: 'Quoth はオフラインに設定されているため、問い合わせていません。設定で変更できます。',
      unreachable: '更新サーバーが応答しません。しばらくしてからもう一度お試しください。',
      signature: 'ダウンロードしたファイルにこの Quoth の作成者の署名がないため、破棄しました。何も変わっていません。',
      other: '何も変わっていません。今の版をそのままお使いいただけます。',
    },
  },
  zh: {
    menu: '检查更新…',
    current: '您使用的已是最新版 Quoth。',
    available: (version) => `有新版 Quoth ${version}。`,
    download: '下载',
    byHand: '在此系统上 Quoth 不会自行替换。请从获得本版本的地方下载新版。',
    ready: (version) => `Quoth ${version} 已下载，签名有效。现在安装吗？Quoth 会关闭并重新打开。`,
    restart: '立即安装',
    later: '以后',
    close: '关闭',
    failed: '更新没有成功。',
    reasons: {
      offline: 'Quoth 已设为离线，因此没有发出请求。您可以在设置中更改。',
      unreachable: '更新服务器没有响应。请稍后再试。',
      signature: '下载的文件没有本 Quoth 制作者的签名，已被丢弃。没有任何改动。',
      other: '没有任何改动；您可以继续使用现有版本。',
    },
  },
};

/** The texts in the first of the system's languages that there is; else English. */
export function updateTexts(languages: readonly string[]): UpdateTexts {
  const wanted = languages.map((tag) => tag.toLowerCase().split('-')[0]);
  const found = wanted.flatMap((tag) => windowLanguages.filter((language) => language === tag));
  return texts[found[0] ?? 'en'];
}
