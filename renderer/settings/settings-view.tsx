import { RadioGroup, Slider } from 'radix-ui';
import { type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { type Settings, windowLanguages } from '../../app/contract/types.ts';
import { formatCount, formatNumber } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { languageNames } from '../common/text/text.ts';
import { WelcomeAgain } from '../welcome/welcome.tsx';
import { ApiSection } from './api-section.tsx';

import { EngineSection } from './engine-section.tsx';
import { MachineSection } from './machine-section.tsx';

const themes: Settings['theme'][] = ['system', 'light', 'dark', 'contrast'];
const textSizes = [75, 90, 100, 110, 125, 150, 175, 200];
const answerLengths = [128, 256, 512, 1024, 2048, 4096];

/** What the person can choose, and what this machine is. */
export function SettingsView() {
  const { t } = useTranslation();
  const { settings: store, notices } = useQuoth();
  const settings = useStore(store, (state) => state.settings);
  const change = (part: Partial<Settings>): void =>
    void store.getState().change(part).catch(notices.getState().tellError);
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto w-full max-w-[46rem] px-6 pt-8 pb-10">
        <h1 className="font-serif text-2xl font-medium">{t('settings.title')}</h1>
        {settings && (
          <div className="mt-6 divide-y divide-line rounded-2xl border border-line bg-raised shadow-card">
            <Row label={t('settings.language')} meaning={t('settings.languageMeaning')}>
              <select
                value={settings.language}
                aria-label={t('settings.language')}
                className="h-8 rounded-lg border border-line-strong bg-raised px-2 text-sm"
                onChange={(event) =>
                  change({ language: windowLanguages.find((language) => language === event.target.value) ?? 'system' })
                }
              >
                <option value="system">{t('settings.languageSystem')}</option>
                {windowLanguages.map((language) => (
                  <option key={language} value={language} lang={languageNames[language].tag}>
                    {languageNames[language].own}
                  </option>
                ))}
              </select>
            </Row>
            <Row label={t('settings.theme')} meaning={t('settings.themeMeaning')}>
              <RadioGroup.Root
                value={settings.theme}
                aria-label={t('settings.theme')}
                className="flex rounded-lg border border-line bg-panel p-0.5"
                onValueChange={(value) => change({ theme: themes.find((theme) => theme === value) ?? 'system' })}
              >
                {themes.map((theme) => (
                  <RadioGroup.Item
                    key={theme}
                    value={theme}
                    className="h-7 rounded-md px-3 text-[0.8125rem] text-soft data-[state=checked]:bg-raised data-[state=checked]:font-medium data-[state=checked]:text-ink data-[state=checked]:shadow-card data-[state=checked]:ring-1 data-[state=checked]:ring-line-strong"
                  >
                    {t(`settings.themes.${theme}`)}
                  </RadioGroup.Item>
                ))}
              </RadioGroup.Root>
            </Row>
            <Row label={t('settings.textSize')} meaning={t('settings.textSizeMeaning')}>
              <select
                value={settings.textSize}
                aria-label={t('settings.textSize')}
                className="h-8 rounded-lg border border-line-strong bg-raised px-2 text-sm"
                onChange={(event) => change({ textSize: Number(event.target.value) })}
              >
                {[...new Set([...textSizes, settings.textSize])]
                  .sort((a, b) => a - b)
                  .map((size) => (
                    <option key={size} value={size}>
                      {size} %
                    </option>
                  ))}
              </select>
            </Row>
            <Row label={t('settings.answerTokens')} meaning={t('settings.answerTokensMeaning')}>
              <select
                value={settings.answerTokens}
                aria-label={t('settings.answerTokens')}
                className="h-8 rounded-lg border border-line-strong bg-raised px-2 text-sm"
                onChange={(event) => change({ answerTokens: Number(event.target.value) })}
              >
                {[...new Set([...answerLengths, settings.answerTokens])]
                  .sort((a, b) => a - b)
                  .map((length) => (
                    <option key={length} value={length}>
                      {t('settings.tokens', { tokens: formatCount(length) })}
                    </option>
                  ))}
              </select>
            </Row>
            <TemperatureRow temperature={settings.temperature} onChange={(temperature) => change({ temperature })} />
            <LanguagesRow
              languages={settings.captionLanguages}
              onChange={(captionLanguages) => change({ captionLanguages })}
            />
          </div>
        )}
        <ApiSection />
        <EngineSection />
        <MachineSection />
        <p className="mt-6">
          <WelcomeAgain />
        </p>
      </div>
    </div>
  );
}

function Row({ label, meaning, children }: { label: string; meaning: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-x-6 gap-y-3 px-5 py-4">
      <div className="min-w-56 flex-1">
        <p className="font-semibold">{label}</p>
        <p className="text-[0.8125rem] text-soft">{meaning}</p>
      </div>
      {children}
    </div>
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

function LanguagesRow({ languages, onChange }: { languages: string[]; onChange: (languages: string[]) => void }) {
  const { t } = useTranslation();
  const saved = languages.join(', ');
  const [typed, setTyped] = useState(saved);
  useEffect(() => setTyped(saved), [saved]);
  const commit = (): void => {
    const parsed = typed.split(/[\s,;]+/).filter((word) => /^[A-Za-z0-9-]{2,20}$/.test(word));
    const wanted = [...new Set(parsed)].slice(0, 20);
    if (wanted.join(', ') === saved) setTyped(saved);
    else onChange(wanted);
  };
  return (
    <Row label={t('settings.captionLanguages')} meaning={t('settings.captionLanguagesMeaning')}>
      <input
        type="text"
        value={typed}
        aria-label={t('settings.captionLanguages')}
        placeholder="en, de, ja"
        className="h-8 w-52 rounded-lg border border-line-strong bg-raised px-2.5 text-sm outline-none focus:border-accent"
        onChange={(event) => setTyped(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => event.key === 'Enter' && !event.nativeEvent.isComposing && commit()}
      />
    </Row>
  );
}
