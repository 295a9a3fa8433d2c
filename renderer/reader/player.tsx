import { Pause, Play, RotateCcw, RotateCw } from 'lucide-react';
import { type RefObject, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '../common/button.tsx';
import { formatClock, formatNumber } from '../common/format.ts';

/** The player of one recording, as whoever stands around it steers it. */
export type PlayerHandle = { playFrom(seconds: number): void; toggle(): void; skip(seconds: number): void };

type PlayerProps = {
  title: string;
  address: string;
  startSeconds: number;
  /** Whether it begins by itself, as it does where the person chose a second. */
  plays: boolean;
  handle: RefObject<PlayerHandle | null>;
  onTime: (seconds: number) => void;
  /** It cannot be played, or its address is not answered any more. */
  onFail: () => void;
};

const speeds = [1, 1.25, 1.5, 2];
const buttonSkip = 10;

/** Sound or film with its controls. A sound file shows no picture. */
export function Player({ title, address, startSeconds, plays, handle, onTime, onFail }: PlayerProps) {
  const { t } = useTranslation();
  const media = useRef<HTMLVideoElement>(null);
  const wanted = useRef({ startSeconds, plays });
  const [isPlaying, setPlaying] = useState(false);
  const [at, setAt] = useState(startSeconds);
  const [total, setTotal] = useState<number | null>(null);
  const [hasPicture, setPicture] = useState(false);
  const [speed, setSpeed] = useState(1);

  useEffect(() => {
    // A browser may want a click of the person first: then it stands ready at its second.
    const play = (): void => void media.current?.play()?.catch(() => undefined);
    const seek = (seconds: number): void => {
      const element = media.current;
      if (!element) return;
      const end = Number.isFinite(element.duration) ? element.duration : seconds;
      element.currentTime = Math.min(Math.max(0, seconds), end);
    };
    handle.current = {
      playFrom(seconds) {
        wanted.current = { startSeconds: seconds, plays: true };
        if ((media.current?.readyState ?? 0) === 0) return; // it begins there as soon as it can
        seek(seconds);
        play();
      },
      toggle: () => (media.current?.paused ? play() : media.current?.pause()),
      skip: (seconds) => seek((media.current?.currentTime ?? 0) + seconds),
    };
    return () => {
      handle.current = null;
    };
  }, [handle]);

  const clock = formatClock(at);
  const end = total === null ? null : formatClock(total);
  return (
    <section aria-label={t('player.label')} className="shrink-0 border-b border-line bg-panel px-5 py-3">
      {/* biome-ignore lint/a11y/useMediaCaption: what is said stands beside it, with its seconds */}
      <video
        ref={media}
        src={address}
        preload="metadata"
        title={title}
        className={hasPicture ? 'mb-3 max-h-64 w-full rounded-lg bg-black' : 'hidden'}
        onLoadedMetadata={({ currentTarget }) => {
          setPicture(currentTarget.videoWidth > 0);
          setTotal(Number.isFinite(currentTarget.duration) ? currentTarget.duration : null);
          currentTarget.currentTime = wanted.current.startSeconds;
          if (wanted.current.plays) void currentTarget.play()?.catch(() => undefined);
        }}
        onDurationChange={({ currentTarget: { duration } }) => setTotal(Number.isFinite(duration) ? duration : null)}
        onTimeUpdate={({ currentTarget: { currentTime } }) => {
          setAt(currentTime);
          onTime(currentTime);
        }}
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => setPlaying(false)}
        onError={onFail}
      />
      <div className="flex items-center gap-1">
        <IconButton label={t('player.back')} onClick={() => handle.current?.skip(-buttonSkip)}>
          <RotateCcw className="size-4" />
        </IconButton>
        <button
          type="button"
          aria-label={t(isPlaying ? 'player.pause' : 'player.play')}
          title={t(isPlaying ? 'player.pause' : 'player.play')}
          className="grid size-9 shrink-0 place-items-center rounded-full bg-accent text-on-accent hover:bg-accent-strong"
          onClick={() => handle.current?.toggle()}
        >
          {isPlaying ? (
            <Pause className="size-4 fill-current" aria-hidden="true" />
          ) : (
            <Play className="size-4 translate-x-px fill-current" aria-hidden="true" />
          )}
        </button>
        <IconButton label={t('player.forward')} onClick={() => handle.current?.skip(buttonSkip)}>
          <RotateCw className="size-4" />
        </IconButton>
        <input
          type="range"
          min={0}
          max={Math.max(1, Math.floor(total ?? at))}
          step={1}
          value={Math.floor(at)}
          disabled={total === null}
          aria-label={t('player.position')}
          aria-valuetext={end === null ? clock : t('player.positionOf', { at: clock, total: end })}
          className="mx-2 h-5 min-w-16 flex-1 accent-accent"
          onChange={({ target: { value } }) => {
            if (media.current) media.current.currentTime = Number(value);
            setAt(Number(value));
          }}
        />
        <span className="text-xs whitespace-nowrap text-soft tabular-nums">
          {end === null ? clock : `${clock} / ${end}`}
        </span>
        <select
          value={speed}
          aria-label={t('player.speed')}
          className="ml-1 h-7 rounded-lg border border-line bg-raised px-1 text-xs tabular-nums"
          onChange={({ target: { value } }) => {
            setSpeed(Number(value));
            if (media.current) media.current.playbackRate = Number(value);
          }}
        >
          {speeds.map((one) => (
            <option key={one} value={one}>
              {formatNumber(one, one % 1 === 0 ? 0 : (one * 10) % 1 === 0 ? 1 : 2)}×
            </option>
          ))}
        </select>
      </div>
      <p className="sr-only">{t('player.keys')}</p>
    </section>
  );
}
