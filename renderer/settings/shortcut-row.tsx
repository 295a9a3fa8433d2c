import { type KeyboardEvent, useEffect, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ShortcutState } from '../../app/contract/shell.ts';
import { type RefusedShortcut, recordShortcut } from '../../app/contract/shortcut.ts';
import { Button } from '../common/button.tsx';
import { Row } from './rows.tsx';

type ShortcutRowProps = {
  shortcut: string | null;
  check: (shortcut: string) => Promise<ShortcutState>;
  onChange: (shortcut: string | null) => void;
};

type Trouble = RefusedShortcut | 'taken';

/** Keys as they stand on a keyboard of this system. */
function namesOf(shortcut: string): string[] {
  const isMac = navigator.userAgent.includes('Mac OS');
  const isWindows = navigator.userAgent.includes('Windows');
  const names: Record<string, string> = {
    Control: 'Ctrl',
    Super: isMac ? '⌘' : isWindows ? 'Win' : 'Super',
    Alt: isMac ? '⌥' : 'Alt',
  };
  return shortcut.split('+').map((key) => names[key] ?? key);
}

/** Takes the keys that bring the window from anywhere as they are pressed, and says why some cannot be had. */
export function ShortcutRow({ shortcut, check, onChange }: ShortcutRowProps) {
  const { t } = useTranslation();
  const sayId = useId();
  const [recording, setRecording] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);

  // What was free when it was chosen can be another program's by now.
  useEffect(() => {
    if (shortcut === null) return;
    let isWanted = true;
    void check(shortcut).then((state) => isWanted && setTrouble(state === 'taken' ? 'taken' : null));
    return () => {
      isWanted = false;
    };
  }, [shortcut, check]);

  const take = async (event: KeyboardEvent): Promise<void> => {
    if (event.nativeEvent.isComposing) return;
    const { code, ctrlKey, altKey, shiftKey, metaKey } = event;
    const isPlain = !ctrlKey && !altKey && !metaKey;
    if (code === 'Tab' && isPlain) return setRecording(false); // The way on by keyboard stays open.
    event.preventDefault();
    event.stopPropagation();
    if (code === 'Escape' && isPlain) return setRecording(false);
    const recorded = recordShortcut({ code, ctrlKey, altKey, shiftKey, metaKey });
    if (recorded.type === 'unfinished') return;
    if (recorded.type === 'refused') return setTrouble(recorded.reason);
    const state = await check(recorded.shortcut);
    if (state === 'taken' || state === 'invalid') return setTrouble(state === 'taken' ? 'taken' : 'system');
    setRecording(false);
    setTrouble(null);
    if (recorded.shortcut !== shortcut) onChange(recorded.shortcut);
  };

  return (
    <Row
      label={t('shortcut.label')}
      meaning={t('shortcut.meaning')}
      below={
        <p id={sayId} role="status" className={trouble ? 'mt-2 text-[0.8125rem] text-danger' : 'sr-only'}>
          {trouble ? t(`shortcut.refused.${trouble}`) : recording ? t('shortcut.press') : ''}
        </p>
      }
    >
      <div className="flex items-center gap-2">
        {shortcut !== null && !recording && (
          <Button
            look="quiet"
            onClick={() => {
              setTrouble(null);
              onChange(null);
            }}
          >
            {t('shortcut.remove')}
          </Button>
        )}
        <Button
          aria-describedby={sayId}
          aria-pressed={recording}
          className={`min-w-36 ${recording ? 'border-accent text-accent' : ''}`}
          onClick={() => {
            setTrouble(null);
            setRecording(!recording);
          }}
          onBlur={() => setRecording(false)}
          onKeyDown={(event) => {
            if (recording) void take(event);
          }}
        >
          {recording ? (
            t('shortcut.press')
          ) : shortcut === null ? (
            t('shortcut.record')
          ) : (
            <>
              <span className="sr-only">{t('shortcut.change')}</span>
              {namesOf(shortcut).map((key) => (
                <kbd key={key} className="rounded border border-line-strong bg-panel px-1.5 font-sans text-xs">
                  {key}
                </kbd>
              ))}
            </>
          )}
        </Button>
      </div>
    </Row>
  );
}
