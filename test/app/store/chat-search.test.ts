import { describe, expect, test } from 'vitest';
import { withoutDocument } from '../../../app/chats/chats.ts';
import { createChatSearch } from '../../../app/store/chat-search.ts';
import { makeAnswer, makeCitation, makeDocument, makePassage } from '../../fakes/app-handlers.ts';
import { createProfile, openStore } from './profile.ts';

const lease = makeDocument(1, { title: 'Lease of the mill', source: 'bail.pdf', kind: 'pdf' });
const answer = makeAnswer('It ends with *notice* [1].', [
  makeCitation(1, makePassage(1, lease, ''), 'Trois mois de préavis sont nécessaires.'),
]);

function scene() {
  const store = openStore(createProfile());
  const { search } = createChatSearch(store.database);
  const ask = (title: string, question: string): { id: string; turn: string } => {
    const id = store.chats.create(title);
    const turn = store.chats.addTurn(id, question);
    store.chats.saveAnswer(turn, answer);
    return { id, turn };
  };
  const titles = (words: string): string[] => search(words, 20).map(({ chat }) => chat.title);
  return { ...store, search, ask, titles };
}

describe('the search in chats', () => {
  test.each([
    ['harvesting', 'question', 'How were the ', 'harvest', 's of 2024?'],
    ['Notice', 'answer', 'It ends with *', 'notice', '*.'],
    ['preavis', 'source', 'Trois mois de ', 'préavis', ' sont nécessaires.'],
    ['mill', 'source', 'Lease of the ', 'mill', ''],
    ['bail.pdf', 'source', '', 'bail', '.pdf'],
    ['not', 'answer', 'It ends with *', 'not', 'ice*.'],
  ])('finds %s in the %s and shows where', (words, field, before, match, after) => {
    const { search, ask } = scene();
    const { turn } = ask('One', 'How were the harvests of 2024?');
    expect(search(words, 20)[0]?.matches).toEqual([{ turnId: turn, field, before, match, after }]);
  });

  test('cuts what stands around at a word', () => {
    const { search, ask } = scene();
    ask(
      'One',
      `${'Considering everything that was said, '.repeat(3)}is the windmill sold? ${'And so on. '.repeat(20)}`,
    );
    const [match] = search('windmill', 20)[0]?.matches ?? [];
    expect(match?.before).toBe('…that was said, is the ');
    expect(match?.after).toMatch(/^ sold\? And so on\..*…$/);
  });

  test('wants all words in one turn, or in the title', () => {
    const { ask, titles } = scene();
    ask('The mill', 'What about the harvest?');
    ask('Other', 'What about the weather?');
    expect(titles('harvest weather')).toEqual([]);
    expect(titles('harvest notice')).toEqual(['The mill']);
    expect(titles('the mil')).toEqual(['Other', 'The mill']); // the lease's title is in both
    expect(titles('othe')).toEqual(['Other']);
  });

  test('finds scripts without spaces, and takes no sign for syntax', () => {
    const { ask, titles } = scene();
    ask('見積', '見積もりの有効期限はいつまでですか？');
    expect(titles('有効期限')).toEqual(['見積']);
    expect(titles('有効な期限')).toEqual([]);
    for (const words of ['"', '* OR', 'NEAR(', 'question:', '-', '^']) expect(() => titles(words)).not.toThrow();
  });

  test('finds every branch, and no deleted chat', () => {
    const { chats, ask, titles } = scene();
    const { id, turn } = ask('One', 'Where is the windmill?');
    chats.addTurn(id, 'Where is the watermill?', turn);
    expect(titles('windmill')).toEqual(['One']);
    expect(titles('watermill')).toEqual(['One']);
    chats.delete(id);
    expect(titles('windmill')).toEqual([]);
    chats.restore(id);
    expect(titles('windmill')).toEqual(['One']);
    chats.delete(id);
    chats.purge();
    expect(titles('windmill')).toEqual([]);
  });

  test('forgets the words of a removed document', () => {
    const { chats, database, ask, titles } = scene();
    ask('One', 'When?');
    chats.rewriteAnswersCiting(lease.id, (one) => withoutDocument(one, lease.id));
    expect(titles('préavis')).toEqual([]);
    expect(titles('notice')).toEqual(['One']);
    const blocks = database.sqlite.prepare<[], Buffer>('SELECT block FROM turn_words_data').pluck().all();
    expect(Buffer.concat(blocks).includes('preavi')).toBe(false);
  });

  test('is not stopped by an answer that was damaged on the disk', () => {
    const { chats, database, ask, titles } = scene();
    const { turn } = ask('One', 'When?');
    database.sqlite.prepare('UPDATE turns SET answer = substr(answer, 1, 20)').run();
    expect(titles('when')).toEqual(['One']);
    expect(titles('notice')).toEqual([]);
    chats.saveAnswer(turn, answer);
    expect(titles('notice')).toEqual(['One']);
    database.sqlite.prepare("INSERT INTO turn_words (turn_words) VALUES ('integrity-check')").run();
  });
});
