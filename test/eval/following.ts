/**
 * Measures follow-up questions: SQuAD's questions of one article one after another, the article's subject replaced by a pronoun.
 *
 *     QUOTH_MODELS=<folder with the default embedder> node test/eval/following.ts [squad]
 *
 * Rows: the question as it was before the replacement (what can be reached), the replaced one alone, the replaced one behind the
 * question before it (as it once was), and as the app rewrites it. Then questions of another article in the same chat, and others
 * of the same article that stand alone: how many of them are rewritten, and what that costs.
 */
import { searchText } from '../../app/chats/search-text.ts';
import { namedSet } from './collections.ts';
import { openLibrary } from './library.ts';
import { openVectors } from './vectors.ts';

const persons = /tesla|luther|khan|newton/i;
const several = /huguenots|normans|amazon rainforests|broncos|panthers/i;

/** Where a subject stands for itself, and does not say of which kind something else is ("the Doctor Who series"). */
const before =
  '(?<=\\b(?:did|does|do|was|is|were|are|of|to|in|for|by|about|with|on|from|had|has|have|that|when|can|could|at|against|before|after|how)\\s)';
const behind =
  '(?=[?.,]|\\s(?:is|was|were|are|in|on|to|of|and|or|by|has|had|have|be|from|with|at|for|as|first|originally|begin|began|start|end|take|make|made|have|believe|think|use|live|die|kill|occur|happen|spread|affect|become|became|come|go|leave|meet|work|say|call|believe|different|different|justified|announced|located|known|called|born|name[ds]?|used|created|established|considered)\\b)';

/** The subject of an article as its questions name it, and the words that stand for it. */
function subjectOf(article: string) {
  const name = article.replaceAll('_', ' ').replace(/\s*\(.*\)$/, '');
  const last = name.split(' ').at(-1)!;
  const form = persons.test(name) ? `${name}|${last}` : name;
  const plural = several.test(`${name}s`) || name.endsWith('s');
  const words = persons.test(name)
    ? { subject: 'he', own: 'his' }
    : plural
      ? { subject: 'they', own: 'their' }
      : { subject: 'it', own: 'its' };
  return {
    pattern: new RegExp(`${before}(?:the |The )?(?:${form})(?:s\\b)?(?:(?<own>['’]s?)|${behind})(?![\\p{L}])`, 'giu'),
    words,
  };
}

const depth = 5;
const name = process.argv[2] ?? 'squad';
const { passages, queries } = namedSet(name);
const asked = queries.filter(({ gold }) => gold.length > 0);
const byArticle = Map.groupBy(asked, ({ article }) => article);

type Case = { article: string; before: string; original: string; replaced: string; gold: string[] };
const leaning: Case[] = [];
const whole: {
  kind: 'other article' | 'same article';
  article: string;
  before: string;
  question: string;
  gold: string[];
}[] = [];
const articles = [...byArticle.keys()];
for (const [index, article] of articles.entries()) {
  const { pattern, words } = subjectOf(article);
  const questions = byArticle.get(article)!;
  const others = byArticle.get(articles[(index + 1) % articles.length]!)!;
  let before: { text: string; gold: string[] } | null = null;
  for (const [n, { text, gold }] of questions.entries()) {
    const replaced = text.replace(pattern, (_found, ...rest) => {
      const { own } = rest.at(-1) as { own?: string };
      return own === undefined ? words.subject : words.own;
    });
    // The one before it is of another paragraph: else its words alone would lead to the right one.
    if (replaced !== text && before !== null && !before.gold.some((id) => gold.includes(id)))
      leaning.push({ article, before: before.text, original: text, replaced, gold });
    if (replaced !== text && (before === null || !before.gold.some((id) => gold.includes(id)))) before = { text, gold };
    const other = others[n % others.length]!;
    whole.push({ kind: 'other article', article, before: text, question: other.text, gold: other.gold });
    const next = questions[n + 1];
    if (next) whole.push({ kind: 'same article', article, before: text, question: next.text, gold: next.gold });
  }
}

const vectors = await openVectors();
const library = await openLibrary(passages, vectors, true);
/** The turn before, answered from its article. */
const chat = (before: string, article: string) => [
  { question: before, answer: { text: '', refused: false, citations: [{ title: article }] } },
];

async function recall(ones: readonly { text: string; gold: string[] }[]): Promise<string> {
  await vectors.of(
    ones.map(({ text }) => text),
    'query',
  );
  let [first, five] = [0, 0];
  for (const { text, gold } of ones) {
    const found = await library.find(text, depth);
    const ids = found.passages.map(({ passageId }) => passages[library.placeOf(passageId)]!.id);
    if (gold.includes(ids[0]!)) first += 1;
    if (ids.some((id) => gold.includes(id))) five += 1;
  }
  return `R@1 ${(first / ones.length).toFixed(3)}  R@5 ${(five / ones.length).toFixed(3)}  (${ones.length})`;
}

/** Evenly, and always the same. */
function some<Item>(items: readonly Item[], count: number): Item[] {
  const step = Math.max(1, items.length / count);
  return Array.from({ length: Math.min(count, items.length) }, (_, n) => items[Math.floor(n * step)]!);
}

try {
  const cases = some(leaning, Number(process.env.QUOTH_EVAL_COUNT ?? 400));
  const rows: [string, (one: Case) => string][] = [
    ['as it was, whole', ({ original }) => original],
    ['with a pronoun, alone', ({ replaced }) => replaced],
    ['behind the one before', ({ before, replaced }) => `${before}\n${replaced}`],
    ['as the app rewrites it', ({ article, before, replaced }) => searchText(replaced, chat(before, article))],
  ];
  for (const [way, textOf] of rows)
    console.log(way.padEnd(24), await recall(cases.map((one) => ({ text: textOf(one), gold: one.gold }))));
  const seen = leaning.filter(
    ({ article, before, replaced }) => searchText(replaced, chat(before, article)) !== replaced,
  ).length;
  console.log(`seen as leaning: ${seen} of ${leaning.length}`);
  for (const one of leaning
    .filter(({ article, before, replaced }) => searchText(replaced, chat(before, article)) === replaced)
    .slice(0, 12))
    console.log('  missed:', one.replaced);
  for (const kind of ['other article', 'same article'] as const) {
    const ones = whole.filter((one) => one.kind === kind);
    const changed = ones.filter(
      ({ article, before, question }) => searchText(question, chat(before, article)) !== question,
    );
    console.log(`${kind}: ${changed.length} of ${ones.length} rewritten though they stood in a chat only`);
    for (const { article, before, question } of changed.slice(0, 6))
      console.log('  ', question, '→', searchText(question, chat(before, article)));
    const asIs = some(ones, 400);
    console.log('  alone', await recall(asIs.map(({ question, gold }) => ({ text: question, gold }))));
    console.log(
      '  in the chat',
      await recall(
        asIs.map(({ article, before, question, gold }) => ({
          text: searchText(question, chat(before, article)),
          gold,
        })),
      ),
    );
  }
} finally {
  library.close();
  await vectors.close();
}
