/**
 * What is searched for: the question as it is, or, where it cannot stand alone, with what it leans on in the chat.
 *
 * A question leans when, in the language it is in (English, French, Italian, Japanese, Chinese),
 *   1. it has a word that points back ("it", "son", その, 它) and no name before it that the word can mean;
 *   2. it goes on ("And in 2023?", "Et Paris ?", 2023年は？), with no name and verb of its own;
 *   3. it has next to no content words ("Why?"), or no subject where the language may leave it out ("Quando fu costruita?").
 * Then it takes along, of what was searched for before: for 2 the whole, its year or name put in the place of the old one; else
 * what it shares with the title of the document that was cited, or the names in it (after a "who", those of the answer first),
 * or what an article stands before; and the whole only where it has none of these. No model takes part.
 * test/eval/following.ts has the figures.
 */
import type { Answer } from '../contract/types.ts';
import { contentWords } from './sentences.ts';

export type AskedBefore = {
  question: string;
  answer: (Pick<Answer, 'text' | 'refused'> & { citations: readonly { title: string }[] }) | null;
};

/** What is searched for, with all that was asked before it, oldest first. */
export function searchText(question: string, earlier: readonly AskedBefore[]): string {
  let before: { about: string; turn: AskedBefore } | null = null;
  for (const turn of earlier) before = { about: rewritten(turn.question, before), turn };
  return rewritten(question, before);
}

type Language = 'en' | 'fr' | 'it' | 'ja' | 'zh';

const commonWords: Readonly<Record<'en' | 'fr' | 'it', RegExp>> = {
  en: /\b(?:the|of|and|is|was|were|are|what|who|when|where|how|why|did|does|do|which|to|in|it|about|his|her|their)\b/giu,
  fr: /(?<![\p{L}])(?:le|la|les|des|du|est|sont|qui|que|quand|où|comment|quel|quelle|quels|combien|pourquoi|dans|pour|et|un|une|a-t-il|a-t-elle|son|sa|ses|en|il|elle|ils|elles|été)(?![\p{L}])|\b(?:l|d|qu)['’]/giu,
  it: /(?<![\p{L}])(?:il|lo|gli|che|di|è|chi|qual|la|le|i|al|alla|si|sua|quando|dove|come|quale|quali|quanto|quanti|quante|perché|nel|nella|per|una|e|del|della|dei|fu|suo|sua|sono|ha)(?![\p{L}])|\b(?:dell|nell|cos|dov|com)['’]/giu,
};

function languageOf(text: string): Language {
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return 'ja';
  if (/\p{Script=Han}/u.test(text)) return 'zh';
  const scores = (['en', 'fr', 'it'] as const).map((language) => ({
    language,
    score: text.match(commonWords[language])?.length ?? 0,
  }));
  return scores.reduce((best, one) => (one.score > best.score ? one : best)).language;
}

/** Words that point at something said before; the longest of a place first. */
const pointers: Readonly<Record<Language, RegExp>> = {
  en: /\b(?:its?|itself|they|them(?:selves)?|theirs?|him(?:self)?|his|he|she|hers?(?:elf)?|th(?:is|ese|ose)|the (?:same|former|latter)|such an?|one of them)\b|\bthat(?=\s*[?.!]*$)|(?<!\b(?:is|are|was|were|be|been)\s)\bthere\b(?!\s+(?:is|are|was|were|any|be)\b)/giu,
  fr: /(?<!\p{L})(?:ils?|elles?|lui|leurs?|cel(?:ui|le)s?-ci|ceux-ci|cela|ça|son|sa|ses|ce(?:tte)? derni(?:er|ère)|ce(?:t|tte|s)?(?=\s+\p{Ll}{3,}\s*\??\s*$))(?!\p{L})/giu,
  it: /(?<!\p{L})(?:ess[oaie]|lui|lei|loro|su(?:o|a|oi|e)|quest[oaie]|quell[oaie]|ciò|lo stesso)(?!\p{L})/giu,
  ja: /それ|これ|あれ|その|この|あの|彼女|彼ら|彼|そこ|ここ|同氏|同社/gu,
  zh: /(?<!其)它们?|(?<![其吉])他们?|她们?|(?<![尤极与何])其(?!他|它|中|实|次|余)|(?<![应活])该|(?<![因如彼])此(?![外后时刻])|这(?:个|些|座|条|位|种|里|儿)?|那(?:个|些|座|条|位|种|里|儿)/gu,
};

/** Where such a word means nothing: "is it true", "il y a". */
const pointless: Readonly<Partial<Record<Language, RegExp>>> = {
  en: /\b(?:is|was|isn't)\s+it\s+(?:true|possible|correct|safe|legal|necessary|that)\b|\bit\s+(?:is|was)\s+(?:true|possible|said|known|called)\b|\b(?:who|what)\s+(?:is|was)\s+it\s+that\b|\b(?:does|did|would)\s+it\s+(?:mean|matter|seem|happen)\b|\bhow long (?:does|did) it take\b(?=.*\bto\b)|\b(?:make|made|makes|making) it\b(?= (?:to|into|past|through|easier|harder|possible|difficult|impossible|clear))/giu,
  fr: /\bil\s+(?:n['’])?y\s+a\w*|\by\s+a(?:vait|ura)?-t-il|\bil\s+fa\w+|\bs['’]agit-il|\best-il\s+(?:vrai|possible)|\bil\s+est\s+(?:vrai|possible)|est-ce/giu,
};

const continues: Readonly<Record<Language, RegExp>> = {
  en: /^(?:and|but|or|so|then|also|what about|how about|what if|since when|which ones?)\b/iu,
  fr: /^(?:et|mais|ou|donc|alors|qu['’]en est-il|depuis quand|lequel|laquelle)(?!\p{L})/iu,
  it: /^(?:ed?|ma|o|quindi|allora|che ne è|da quando)(?!\p{L})/iu,
  ja: /^(?:では|じゃあ?|それでは|そして|それで)|^[^、。]{1,16}(?:は|なら|だと)[？?]?$/u,
  zh: /^(?:那么?|还有|以及|然后|而)|呢\s*[？?]?$/u,
};

/** Words that ask, and those that go on: no matter of their own. */
const askingWords =
  /(?<![\p{L}])(?:what|who|whom|whose|which|when|where|why|how|many|much|long|tall|high|old|far|about|tell|me|please|qui|que|quoi|quand|où|comment|quel(?:le)?s?|combien|pourquoi|chi|che|cosa|quando|dove|come|quale?|quali|quant[oaie]|perché)(?![\p{L}])|なぜ|いつ|どこ|誰|だれ|何|どの|どれ|どう|いくつ|いくら|ですか|ますか|ましたか|什么时候|何时|什么|哪里|哪儿|哪|谁|多少|多高|多长|多大|为什么|怎么样?|几/giu;

const number = /\p{Nd}+(?:[.,]\p{Nd}+)*/gu;
const year = /(?<!\p{Nd})(?:1\d|20)\d\d(?!\p{Nd})/gu;

/** Names: words with capitals where no sentence begins; in Japanese and Chinese what stands before the first particle. */
export function namesIn(text: string): string[] {
  if (/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(text)) {
    const topic =
      /^(?:では|じゃあ?|そして|那么?)?([^、，,。？?はがをのにで的是在有了呢]{2,24})(?=[はがをのにで的是在有])/u.exec(
        text,
      )?.[1];
    const katakana = text.match(/[\p{Script=Katakana}ー・]{3,}/gu) ?? [];
    const found = [...new Set([...(topic && !pointersIn(topic) ? [topic] : []), ...katakana])];
    return found.filter((name) => !found.some((other) => other !== name && other.includes(name)));
  }
  const names: string[] = [];
  const pattern =
    /\p{Lu}[\p{L}\p{M}\p{N}'’.-]*(?:\s+(?:(?:of|the|de|du|des|de la|da|di|del|della|van|von|la|le)\s+)*\p{Lu}[\p{L}\p{M}\p{N}'’.-]*)*/gu;
  for (const match of text.matchAll(pattern)) {
    const isFirst = /(?:^|[.!?:])["'“«(¿\s]*$/u.test(text.slice(0, match.index));
    let name = match[0].replace(/['’]s$/u, '').replace(/[.'’-]+$/u, '');
    // A question begins with a capital: "When", or "Tesla".
    if (isFirst) {
      const [head = '', ...rest] = name.split(/\s+/);
      if (contentWords(head.toLowerCase()).length === 0 || askingAlone(head)) name = rest.join(' ');
      name = name.replace(/^(?:of|the|de|du|des|da|di|del|della|van|von|la|le)\s+/u, '');
    }
    if (name.length > 1 || /^\p{Lu}$/u.test(name)) names.push(name);
  }
  return [...new Set(names.filter((name) => name !== '' && name !== 'I'))];
}

const verbsThatAsk =
  /^(?:did|do|does|is|are|was|were|has|have|had|can|could|will|would|should|name|list|tell|give|show|explain|describe|compare|in|on|at|by|for|from|est|sont|dans|en|à|al|nel|nella|in|di|con)$/iu;

function askingAlone(word: string): boolean {
  return verbsThatAsk.test(word) || word.replace(askingWords, '').trim() === '';
}

function pointersIn(text: string): boolean {
  return Object.values(pointers).some((pattern) => text.search(pattern) >= 0);
}

/** The content words that are not about asking. */
function matterOf(text: string): string[] {
  const words = contentWords(text.replace(askingWords, ' '));
  return words.map(({ stem }) => stem).filter((stem) => !/^\p{Script=Hiragana}{1,4}$|^[那呢的了吗是年这]$/u.test(stem));
}

type Leaning = 'no' | 'goes-on' | 'points-back';

export function leaningOf(question: string): Leaning {
  const text = question.trim();
  const language = languageOf(text);
  const names = namesIn(text);
  const matter = matterOf(text);
  const plain = text.replace(pointless[language] ?? /(?!)/u, (found) => ' '.repeat(found.length));
  for (const match of plain.matchAll(pointers[language]))
    if (!hasAntecedent(plain.slice(0, match.index), match[0], language)) return 'points-back';
  const numNameWords = names.join(' ').split(/\s+/).filter(Boolean).length;
  if (continues[language].test(text)) return matter.length > Math.max(3, numNameWords + 1) ? 'no' : 'goes-on';
  if (names.length > 0) return 'no';
  if (matter.length === 0 || (matter.length === 1 && text.split(/\s+/).length === 2)) return 'points-back';
  return lacksSubject(text, language) ? 'points-back' : 'no';
}

/** What stands between the parts of a sentence: in another part, a name can be what a pronoun means. */
const clauseBegins =
  /[,;:]|\b(?:and|but|or|when|while|after|before|because|since|until|although|though|if|whether|that|which|who|whose|where|why|how|as|than|so)\b/iu;

/** What a word can mean that stands before it in the question itself. */
function hasAntecedent(before: string, pointer: string, language: Language): boolean {
  const [name] = namesIn(before).slice(-1);
  // "What did Luther say about his wife?"; but "When did Sophocles mention it?" speaks of something else.
  if (name !== undefined) {
    const between = before.slice(before.lastIndexOf(name) + name.length);
    if (language !== 'en' || !/^(?:it|they|them|he|him|she)$/iu.test(pointer) || clauseBegins.test(between))
      return true;
  }
  if (language === 'fr' && /^(?:ils?|elles?)$/iu.test(pointer) && /-(?:t-)?$/u.test(before))
    // "Quand le pont a-t-il été ouvert ?": the subject stands before its verb.
    return /(?<!\p{L})(?:le|la|les|un|une|ce|cette|ces|mon|notre|votre)\s+\p{L}{2,}|(?<!\p{L})l['’]\p{L}{2,}/iu.test(
      before,
    );
  if (language === 'en' && /^(?:he|she|his|hers?|him|they|their|theirs|them)/i.test(pointer))
    return /\b(?:the|an?|my|our|your|most|many|some|all|every|each|no)\s+\p{L}{3,}/iu.test(before);
  if (language === 'ja') return /[^、。]{2,}(?:は|が)/u.test(before);
  return false;
}

/** Languages that leave the subject out where it is known. */
function lacksSubject(text: string, language: Language): boolean {
  if (language === 'it')
    return (
      /^(?:quando|dove|come|quant[oaie]|perché|da chi|in che anno|di che)\s+(?:è|fu|era|sono|furono|ha|hanno|venne|vennero|si|misura|pesa|costa)(?!\p{L})/iu.test(
        text,
      ) &&
      !/(?<!\p{L})(?:il|lo|la|i|gli|le|un|uno|una|del|della|dei|degli|delle|nel|nella)\s+\p{L}|\p{L}['’]\p{L}/iu.test(
        text,
      )
    );
  if (language === 'ja') return !/[はがを]|の(?=\p{Script=Han}|\p{Script=Katakana})/u.test(text) && text.length <= 20;
  if (language === 'zh') return text.replace(askingWords, '').replace(/[的了吗呢是在有于\s\p{P}]/gu, '').length <= 3;
  return false;
}

const asksWho = /\b(?:who|whom|whose|chi)\b|(?<!\p{L})qui(?!\p{L})|誰|だれ|谁/iu;
const person = /\b(?:he|him|his|she|hers?|lui|lei|elle|il|suo|sua|son|sa|ses)\b|彼|他|她/iu;

function rewritten(question: string, before: { about: string; turn: AskedBefore } | null): string {
  if (!before) return question;
  const leaning = leaningOf(question);
  if (leaning === 'no') return question;
  if (leaning === 'goes-on') return withNew(before.about, question);
  const { about, turn } = before;
  const taken = topicOf(about, turn.answer?.citations.map(({ title }) => title) ?? []);
  if (asksWho.test(turn.question) && person.test(question) && turn.answer && !turn.answer.refused)
    taken.unshift(
      ...namesIn(turn.answer.text.replace(/\[\d+\]/g, ''))
        .filter((name) => !about.includes(name))
        .slice(0, 1),
    );
  const own = question.toLowerCase();
  const carried = taken.filter((name) => !own.includes(name.toLowerCase()));
  if (carried.length > 0) return `${question} (${carried.slice(0, 4).join(', ')})`;
  return `${about}\n${question}`;
}

/**
 * What a text is about: all of it that the title of its source has too; else its names; else what stands behind an article.
 * What it says of that ("originate", "in 1937") would only lead back to where it has been answered.
 */
function topicOf(about: string, titles: readonly string[]): string[] {
  const inTitles = new Set(
    titles.flatMap((title) => contentWords(title.replace(/[_.-]+/g, ' ')).map(({ stem }) => stem)),
  );
  const names = namesIn(about);
  const isNamed = names.filter((name) => contentWords(`x ${name}`).some(({ stem }) => inTitles.has(stem)));
  if (isNamed.length > 0) return isNamed;
  const shared: string[] = [];
  let open = false;
  for (const [word] of about.matchAll(/[\p{L}\p{M}\p{N}'’-]+/gu)) {
    const isShared = contentWords(`x ${word}`).some(({ stem }) => stem !== 'x' && inTitles.has(stem));
    if (isShared && open) shared.push(`${shared.pop()} ${word}`);
    else if (isShared) shared.push(word);
    open = isShared;
  }
  if (shared.length > 0) return [...new Set(shared)];
  return names.length > 0 ? names : behindArticles(about);
}

const article =
  /(?<!\p{L})(?:the|an?|my|our|le|la|les|un|une|du|des|mon|notre|il|lo|i|gli|una|uno|del|della|dei)\s+((?:\p{Ll}[\p{L}’'-]*\s+)?\p{Ll}[\p{L}’'-]*)/giu;

function behindArticles(about: string): string[] {
  const [first] = [...about.matchAll(article)].map(([, words = '']) => words);
  return first === undefined ? [] : [first];
}

/** "What was the revenue in 2022?" and "And in 2023?": the old question with the new year, or name; else both. */
function withNew(about: string, question: string): string {
  const [oldYears, newYears] = [about.match(year) ?? [], question.match(year) ?? []];
  if (newYears.length === 1 && oldYears.length === 1) return about.replace(oldYears[0], newYears[0]);
  const [oldNumbers, newNumbers] = [about.match(number) ?? [], question.match(number) ?? []];
  const [oldNames, newNames] = [namesIn(about), namesIn(question)];
  if (newNames.length === 1 && oldNames.length === 1 && newNumbers.length === 0)
    return about.replace(oldNames[0]!, newNames[0]!);
  if (newNames.length === 0 && newNumbers.length === 1 && oldNumbers.length === 1)
    return about.replace(oldNumbers[0], newNumbers[0]);
  return `${about}\n${question}`;
}
