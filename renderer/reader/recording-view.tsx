import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { toErrorMessage } from '../../app/contract/errors.ts';
import { useQuoth } from '../common/quoth.tsx';
import type { Reading } from '../common/view.ts';
import { Player, type PlayerHandle } from './player.tsx';
import { TextView } from './text-view.tsx';

const keySkipSeconds = 5;
/** An address stops being answered after some hours: then another one is asked for, but not over and over. */
const mostAddresses = 3;

/** A recording of the person's: played from the second that is cited, what is said in it below, the quote marked. */
export function RecordingView({ reading, onFail }: { reading: Reading; onFail: (text: string) => void }) {
  const { t } = useTranslation();
  const { shell } = useQuoth();
  const { documentId } = reading;
  const startSeconds = reading.place.startSeconds ?? 0;
  const player = useRef<PlayerHandle | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  const now = useRef(startSeconds);
  const [address, setAddress] = useState<string | null>(null);
  const [asked, setAsked] = useState(1);
  const [seconds, setSeconds] = useState<number | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again after an address has stopped being answered
  useEffect(() => {
    let left = false;
    shell.recordingAddress(documentId).then(
      (found) => !left && setAddress(found),
      (thrown: unknown) => {
        if (left) return;
        const { code, message } = toErrorMessage(thrown);
        onFail(code === 'not-found' ? t('player.missing') : message);
      },
    );
    return () => {
      left = true;
    };
  }, [shell, documentId, asked, onFail, t]);

  // Another citation of the same recording: it goes there, and plays.
  const shown = useRef(reading);
  useEffect(() => {
    if (shown.current === reading) return;
    shown.current = reading;
    if (reading.place.startSeconds !== null) player.current?.playFrom(reading.place.startSeconds);
  }, [reading]);

  const fail = useCallback((): void => {
    setAddress(null);
    if (asked < mostAddresses && now.current > startSeconds) setAsked(asked + 1);
    else onFail(t('player.cannotPlay'));
  }, [asked, onFail, startSeconds, t]);

  // On the panel around it: the focus is there after a citation was opened.
  useEffect(() => {
    const panel = frame.current?.closest('aside');
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const target = event.target as HTMLElement;
      const isControl = target.closest('button, input, select, textarea, a, [role=menu]') !== null;
      if (event.key === ' ' && !isControl) player.current?.toggle();
      else if (event.key === 'ArrowLeft' && !isControl) player.current?.skip(-keySkipSeconds);
      else if (event.key === 'ArrowRight' && !isControl) player.current?.skip(keySkipSeconds);
      else return;
      event.preventDefault();
    };
    panel?.addEventListener('keydown', press);
    return () => panel?.removeEventListener('keydown', press);
  }, []);

  return (
    <div ref={frame} className="flex min-h-0 flex-1 flex-col">
      {address !== null && (
        <Player
          key={address}
          title={reading.title}
          address={address}
          startSeconds={now.current}
          plays={reading.place.startSeconds !== null || asked > 1}
          handle={player}
          onTime={(at) => {
            now.current = at;
            setSeconds(Math.floor(at));
          }}
          onFail={fail}
        />
      )}
      <TextView reading={reading} seconds={seconds} onListen={(from) => player.current?.playFrom(from)} />
    </div>
  );
}
