import { describe, expect, it } from 'vitest';
import { leaningOf, namesIn, searchText } from '../../../app/chats/search-text.ts';

const asked = (question: string, answer: string | null = null, ...titles: string[]) => ({
  question,
  answer: answer === null ? null : { text: answer, refused: false, citations: titles.map((title) => ({ title })) },
});

describe('a question that stands alone is searched for as it is', () => {
  it.each([
    // en
    'When did the Golden Gate Bridge open?',
    'Who wrote "Hamlet" and when did he write it?'.replace('"Hamlet"', 'Hamlet'),
    'What did Tesla do with his patents?',
    'How many people died when the ship lost its mast?'.replace('the ship', 'the Titanic'),
    'Is it true that water boils at 80 degrees on the mountain?',
    'Are there any penalties for late payment?',
    'What is the warranty period of the pump?',
    'Which river flows through the city of Ghent?',
    'And when did the Eiffel Tower open to the public?',
    'What is photosynthesis?',
    'What happens to a patient when she refuses treatment?',
    // fr
    'Quand le pont de Normandie a-t-il été inauguré ?',
    'Quand le contrat prend-il fin ?',
    'Y a-t-il une pénalité de retard ?',
    'Quelle est la durée de la garantie ?',
    // it
    'Quando fu completata la torre di Pisa?',
    'Qual è la durata della garanzia?',
    'Quanto misura il ponte?',
    // ja
    '東京タワーはいつ完成しましたか。',
    '保証期間はどのくらいですか。',
    // zh
    '南京长江大桥什么时候建成？',
    '保修期是多久？',
    '租客应该什么时候付其他费用？',
    '因此产生的损失由谁承担？',
  ])('%s', (question) => {
    expect(searchText(question, [asked('What is the capital of Peru in 1999?', 'Lima.')])).toBe(question);
  });

  it('also the first one, whatever it says', () => {
    expect(searchText('And how long is it?', [])).toBe('And how long is it?');
  });
});

describe('a question that leans takes along what it leans on', () => {
  it.each([
    ['When did the Golden Gate Bridge open?', 'How long is it?', 'How long is it? (Golden Gate Bridge)'],
    [
      'When did the Golden Gate Bridge open?',
      'What are its towers made of?',
      'What are its towers made of? (Golden Gate Bridge)',
    ],
    ['Where was Nikola Tesla born?', 'What did he study?', 'What did he study? (Nikola Tesla)'],
    ['Who were the Huguenots?', 'Where did they flee to?', 'Where did they flee to? (Huguenots)'],
    ['What was the revenue of Acme in 2022?', 'And in 2023?', 'What was the revenue of Acme in 2023?'],
    ['How tall is the Eiffel Tower?', 'What about the Shard?', 'How tall is the Shard?'],
    ['How tall is the Eiffel Tower?', 'Why?', 'Why? (Eiffel Tower)'],
    ['what is the notice period?', 'and for tenants?', 'what is the notice period?\nand for tenants?'],
    ['what is the notice period of the lease', 'how long is it', 'how long is it (notice period)'],
    ['Quand la tour Eiffel a-t-elle été construite ?', 'Quelle est sa hauteur ?', 'Quelle est sa hauteur ? (Eiffel)'],
    ['Quand Napoléon est-il né ?', 'Où a-t-il étudié ?', 'Où a-t-il étudié ? (Napoléon)'],
    ['Quel était le chiffre d’affaires en 2022 ?', 'Et en 2023 ?', 'Quel était le chiffre d’affaires en 2023 ?'],
    ['Chi era Galileo Galilei?', 'Quando è nato?', 'Quando è nato? (Galileo Galilei)'],
    ['Dove si trova la Torre di Pisa?', 'Qual è la sua altezza?', 'Qual è la sua altezza? (Torre di Pisa)'],
    ['Quanto costava nel 2022?', 'E nel 2023?', 'Quanto costava nel 2023?'],
    ['東京タワーはいつ完成しましたか。', 'その高さは？', 'その高さは？ (東京タワー)'],
    ['2022年の売上はいくらですか。', '2023年は？', '2023年の売上はいくらですか。'],
    ['南京长江大桥是什么时候建成的？', '它有多长？', '它有多长？ (南京长江大桥)'],
    ['2022年的收入是多少？', '那2023年呢？', '2023年的收入是多少？'],
  ])('%s → %s', (first, second, wanted) => {
    expect(searchText(second, [asked(first)])).toBe(wanted);
  });

  it('over several questions', () => {
    const earlier = [asked('When did the Golden Gate Bridge open?'), asked('How long is it?')];
    expect(searchText('And who designed it?', earlier)).toMatch(/who designed it\?.*Golden Gate Bridge/is);
    expect(searchText('How tall are its towers?', earlier)).toBe('How tall are its towers? (Golden Gate Bridge)');
  });

  it('after a “who”, the person of the answer', () => {
    const earlier = [asked('Who designed the Golden Gate Bridge?', 'It was designed by Joseph Strauss [1].')];
    expect(searchText('Where was he born?', earlier)).toBe('Where was he born? (Joseph Strauss, Golden Gate Bridge)');
  });

  it('and of many things that which the cited document is about', () => {
    const earlier = [
      asked('Who had worked on the Saturn series before the Apollo program began?', 'x', 'Apollo_program.txt'),
    ];
    expect(searchText('When did it end?', earlier)).toBe('When did it end? (Apollo)');
    const plain = [asked('where did the black death originate in 1331', 'x', 'Black Death')];
    expect(searchText('how many people did it kill', plain)).toBe('how many people did it kill (black death)');
  });

  it('and what comes after a new topic leans on that', () => {
    const earlier = [asked('When did the Golden Gate Bridge open?'), asked('How tall is the Eiffel Tower?')];
    expect(searchText('Who built it?', earlier)).toBe('Who built it? (Eiffel Tower)');
  });
});

describe('names', () => {
  it.each([
    ['When did the Golden Gate Bridge open?', ['Golden Gate Bridge']],
    ['Tesla was born where?', ['Tesla']],
    ['What did the University of Warsaw teach?', ['University of Warsaw']],
    ['Is Paris in France?', ['Paris', 'France']],
    ['what is it?', []],
  ])('in %s', (text, names) => {
    expect(namesIn(text)).toEqual(names);
  });
  it('make a question stand alone', () => {
    expect(leaningOf('What did Luther say about his wife?')).toBe('no');
    expect(leaningOf('What did he say about Luther?')).toBe('points-back');
  });
});
