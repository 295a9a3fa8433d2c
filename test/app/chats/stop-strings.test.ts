import { describe, expect, it } from 'vitest';
import { createStopFilter } from '../../../app/chats/stop-strings.ts';

const stops = ['</s>', '<|user|>', '\nQuestion:'];

function run(text: string, pieceLength: number): { shown: string; stopped: boolean } {
  const filter = createStopFilter(stops);
  let shown = '';
  for (let at = 0; at < text.length && !filter.stopped; at += pieceLength)
    shown += filter.push(text.slice(at, at + pieceLength));
  return { shown: shown + filter.flush(), stopped: filter.stopped };
}

describe('a stop string', () => {
  it('ends the text however it is cut into pieces', () => {
    for (let pieceLength = 1; pieceLength < 30; pieceLength++) {
      expect(run('In 1937.\nQuestion: and then?', pieceLength)).toEqual({ shown: 'In 1937.', stopped: true });
      expect(run('a < b </ c <|us\nQuest', pieceLength)).toEqual({ shown: 'a < b </ c <|us\nQuest', stopped: false });
      expect(run('<</s></s>', pieceLength)).toEqual({ shown: '<', stopped: true });
    }
  });

  it('holds nothing back that cannot become one', () => {
    expect(createStopFilter(stops).push('Hello there')).toBe('Hello there');
    expect(createStopFilter([]).push('</s>')).toBe('</s>');
  });
});
