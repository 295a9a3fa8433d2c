import { describe, expect, it } from 'vitest';
import { judge, type PressedKeys, recordShortcut } from '../../../app/contract/shortcut.ts';

const press = (code: string, held = ''): PressedKeys => ({
  code,
  ctrlKey: held.includes('c'),
  altKey: held.includes('a'),
  shiftKey: held.includes('s'),
  metaKey: held.includes('m'),
});

describe('recording a shortcut', () => {
  it.each([
    ['KeyQ', 'as', 'Alt+Shift+Q'],
    ['Space', 'ca', 'Control+Alt+Space'],
    ['Digit1', 'ca', 'Control+Alt+1'],
    ['F9', 'c', 'Control+F9'],
    ['F13', '', 'F13'],
    ['KeyK', 'ms', 'Shift+Super+K'],
    ['ArrowUp', 'ca', 'Control+Alt+Up'],
  ])('%s with "%s" is %s', (code, held, shortcut) => {
    expect(recordShortcut(press(code, held))).toEqual({ type: 'shortcut', shortcut });
    expect(judge(shortcut)).toBeNull();
  });

  it('waits while only modifiers are held', () => {
    for (const code of ['ControlLeft', 'AltRight', 'ShiftLeft', 'MetaLeft'])
      expect(recordShortcut(press(code, 'cas'))).toEqual({ type: 'unfinished' });
  });

  it.each([
    ['KeyQ', '', 'needs-modifier'],
    ['F5', '', 'needs-modifier'],
    ['KeyQ', 's', 'writes'],
    ['Digit1', 's', 'writes'],
    ['KeyC', 'c', 'system'],
    ['KeyV', 'c', 'system'],
    ['F4', 'a', 'system'],
    ['Tab', 'a', 'system'],
    ['Space', 'a', 'system'],
    ['Delete', 'ca', 'system'],
    ['KeyL', 'm', 'system'],
    ['IntlYen', 'ca', 'unknown-key'],
    ['Lang1', 'c', 'unknown-key'],
    ['', 'c', 'unknown-key'],
  ])('%s with "%s" is refused: %s', (code, held, reason) =>
    expect(recordShortcut(press(code, held))).toEqual({ type: 'refused', reason }),
  );
});

it.each(['', '+', 'Q', 'Alt+', 'Shift+Alt+Q', 'Alt+Alt+Q', 'CommandOrControl+Q', 'Alt+Shift+Ä', 'Alt+VolumeUp'])(
  '"%s" in the settings is not registered',
  (shortcut) => expect(judge(shortcut)).not.toBeNull(),
);
