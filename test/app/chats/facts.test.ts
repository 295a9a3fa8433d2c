import { describe, expect, it } from 'vitest';
import { cite } from '../../../app/chats/citations.ts';
import { bearsOut, factsIn } from '../../../app/chats/facts.ts';
import type { Writing } from '../../../ingest/writing.ts';
import { passageOf } from './fixtures.ts';

const holds = (stated: string, text: string, writing: Writing = 'english'): boolean => {
  const there = factsIn(text, writing);
  const facts = factsIn(stated, writing);
  expect(facts.length).toBeGreaterThan(0);
  return facts.every((fact) => bearsOut(fact, there));
};

describe('what is the same however it is written', () => {
  it.each([
    ['3 million people', '3,000,000 people'],
    ['$3.5 billion', '3,500,000,000 dollars'],
    ['12 March 2020', 'on 2020-03-12'],
    ['March 12, 2020', '12th of March 2020'],
    ['12 March 2020', '2020年3月12日'],
    ['March 2020', '12 March 2020'],
    ['2020', '12 March 2020'],
    ['12 March 2020', 'In 2020, on 12 March'],
    ['30 percent', '30%'],
    ['30 per cent', '30 %'],
    ['330 m', '330 metres'],
    ['the 3rd', 'the third'],
    ['twenty-one years', '21 years'],
    ['one hundred and ninety-three', '193'],
    ['two', '2'],
    ['1,234.50', '1234.5'],
    ['10 000 km', '10,000 km'],
    ['−5 °C', '-5 °C'],
    ['１２３', '123'],
    ['20000', '2万人'],
  ])('“%s” stands in “%s”', (stated, text) => {
    expect(holds(stated, text)).toBe(true);
  });

  it.each([
    ['1.000', '1,000'],
    ['1,000', '1.000'],
    ['12800', '1,280'],
    ['2.0', '20'],
    ['3 million', '3 billion'],
    ['3 million', '3,000'],
    ['12 March 2020', '3 December 2020'],
    ['12 March 2020', 'March 2020'],
    ['12 March 2020', '12 March 2021'],
    ['13 March', 'March 2013'],
    ['30%', '30 km'],
    ['30 percent', '30 people and 31 percent'],
    ['330 m', '330 km'],
    ['5 kg', '5 g'],
    ['$5', '€5'],
    ['the 3rd', '3'],
    ['3', 'the third'],
    ['-5 °C', '5 °C'],
    ['5 °C', '-5 °C'],
    ['1887', '18870'],
    ['seven', 'seventeen'],
    ['193', 'one hundred and ninety-two'],
  ])('“%s” does not stand in “%s”', (stated, text) => {
    const facts = factsIn(stated, 'english');
    const there = factsIn(text, 'english');
    const unit = facts.every((fact) => bearsOut(fact, there));
    expect(unit).toBe(false);
  });

  it('reads marks of thousands as the documents do', () => {
    expect(holds('1.000 Einwohner', '1000 Einwohner', 'latin')).toBe(true);
    expect(holds('1.000 inhabitants', '1000 inhabitants', 'english')).toBe(false);
    expect(holds('12. März 2020', '12.03.2020', 'latin')).toBe(true);
    expect(holds('1.234,5', '1234,5', 'latin')).toBe(true);
    expect(holds('1.000.000', '1000000', 'english')).toBe(true);
  });

  it('ends on any text', () => {
    for (const text of [
      '',
      '1,,2..3',
      '1'.repeat(5_000),
      `${'1 '.repeat(3_000)}`,
      'one and '.repeat(2_000),
      '\ud800 1',
      '-'.repeat(9_000),
    ])
      expect(Array.isArray(factsIn(text, 'english'))).toBe(true);
  });
});

describe('a sentence whose details the passage does not bear out', () => {
  const text =
    'In the final on 12 March 2020, Brazil defeated Germany before 1,000 spectators. ' +
    'The bridge was never painted red. Prices rose by 3.5 percent, to 2 million euros. ' +
    'José Núñez, not his brother Øystein Łukasz, designed the third tower. 山田太郎は2019年に会社を設立した。';
  const passages = [passageOf(1, text)];
  const supported = (sentence: string, question = 'What is known?'): boolean =>
    cite(sentence, question, passages).numSupported === 1;

  it.each([
    'Brazil defeated Germany on 2020-03-12.',
    'Brazil defeated Germany before 1000 spectators.',
    'Germany was defeated by Brazil.',
    'Prices rose by 3.5% to 2,000,000 euros.',
    'Jose Nunez designed the third tower.',
    'Jose Nunez designed the 3rd tower.',
    'The bridge was never painted red.',
  ])('is supported when they stand there: %s', (sentence) => {
    expect(supported(sentence)).toBe(true);
  });

  it.each([
    'Brazil defeated Germany on 12 March 2021.',
    'Brazil defeated Germany on 3 December 2020.',
    'Brazil defeated Germany before 1.000 spectators.',
    'Brazil defeated Germany before 10,000 spectators.',
    'Germany defeated Brazil before 1,000 spectators.',
    'Brazil defeated Italy before 1,000 spectators.',
    'The bridge was painted red.',
    'Prices rose by 35 percent.',
    'Prices rose by 3.5 euros.',
    'Prices rose by 3.5 percent, to 2 billion euros.',
    'José Núñez designed the fourth tower.',
    'José Muñoz designed the third tower.',
    'Pedro Núñez designed the third tower.',
    'Brunel designed the third tower.',
  ])('is unsupported: %s', (sentence) => {
    expect(supported(sentence)).toBe(false);
  });
});
