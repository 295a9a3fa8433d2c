import { Slider } from 'radix-ui';
import { useEffect, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Choice } from '../common/field.tsx';
import { formatCount, formatNumber } from '../common/format.ts';
import { Row, Rows, Section } from './rows.tsx';
import { useSettings } from './use-settings.ts';

const answerLengths = [128, 256, 512, 1024, 2048, 4096];
const maxWishLength = 2000; // The contract's limit.

/** How answers are written: their length, their freedom, and the person's own wish. */
export function AnswersSection() {
  const { t } = useTranslation();
  const [settings, change] = useSettings();
  if (!settings) return null;
  const lengths = [...new Set([...answerLengths, settings.answerTokens])].sort((a, b) => a - b);
  return (
    <Section title={t('sections.answers')}>
      <Rows>
        <Row label={t('settings.answerTokens')} meaning={t('settings.answerTokensMeaning')}>
          <Choice
            label={t('settings.answerTokens')}
            value={settings.answerTokens}
            options={lengths.map((length) => ({
              value: length,
              name: t('settings.tokens', { tokens: formatCount(length) }),
            }))}
            onChange={(answerTokens) => change({ answerTokens })}
          />
        </Row>
        <TemperatureRow temperature={settings.temperature} onChange={(temperature) => change({ temperature })} />
        <WishRow wish={settings.systemPrompt} onChange={(systemPrompt) => change({ systemPrompt })} />
      </Rows>
    </Section>
  );
}

function TemperatureRow({ temperature, onChange }: { temperature: number; onChange: (value: number) => void }) {
  const { t } = useTranslation();
  const [moved, setMoved] = useState<number | null>(null);
  const shown = moved ?? temperature;
  return (
    <Row label={t('settings.temperature')} meaning={t('settings.temperatureMeaning')}>
      <div className="flex w-52 items-center gap-3">
        <Slider.Root
          min={0}
          max={2}
          step={0.1}
          value={[shown]}
          className="relative flex h-5 flex-1 touch-none items-center"
          onValueChange={([value]) => setMoved(value ?? null)}
          onValueCommit={([value]) => {
            if (value !== undefined) onChange(Math.round(value * 10) / 10);
            setMoved(null);
          }}
        >
          <Slider.Track className="relative h-1.5 flex-1 rounded-full bg-hover">
            <Slider.Range className="absolute h-full rounded-full bg-accent" />
          </Slider.Track>
          <Slider.Thumb
            aria-label={t('settings.temperature')}
            className="block size-4 rounded-full border border-line-strong bg-raised shadow-card"
          />
        </Slider.Root>
        <span className="w-8 text-right text-sm tabular-nums">{formatNumber(shown, 1)}</span>
      </div>
    </Row>
  );
}

/** Saved when the field is left: each letter would be a write to the disk. */
function WishRow({ wish, onChange }: { wish: string; onChange: (wish: string) => void }) {
  const { t } = useTranslation();
  const countId = useId();
  const [typed, setTyped] = useState(wish);
  useEffect(() => setTyped(wish), [wish]);
  return (
    <Row
      label={t('wish.label')}
      meaning={t('wish.meaning')}
      below={
        <>
          <textarea
            value={typed}
            rows={4}
            maxLength={maxWishLength}
            aria-label={t('wish.label')}
            aria-describedby={countId}
            placeholder={t('wish.placeholder')}
            dir="auto"
            className="mt-3 block w-full resize-y rounded-lg border border-line-strong bg-raised px-3 py-2 text-sm outline-none placeholder:text-faint focus:border-accent"
            onChange={(event) => setTyped(event.target.value)}
            onBlur={() => typed.trim() !== wish && onChange(typed.trim())}
          />
          <p id={countId} className="mt-1 text-right text-xs text-faint tabular-nums">
            {t('wish.count', { length: formatCount(typed.length), most: formatCount(maxWishLength) })}
          </p>
        </>
      }
    />
  );
}
