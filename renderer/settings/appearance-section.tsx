import { RadioGroup } from 'radix-ui';
import { useTranslation } from 'react-i18next';
import { type Settings, windowLanguages } from '../../app/contract/types.ts';
import { Choice } from '../common/field.tsx';
import { languageNames } from '../common/text/text.ts';
import { Row, Rows, Section } from './rows.tsx';
import { useSettings } from './use-settings.ts';

const themes: Settings['theme'][] = ['system', 'light', 'dark', 'contrast'];
const textSizes = [75, 90, 100, 110, 125, 150, 175, 200];

/** How the window looks and which language it speaks. */
export function AppearanceSection() {
  const { t } = useTranslation();
  const [settings, change] = useSettings();
  if (!settings) return null;
  const sizes = [...new Set([...textSizes, settings.textSize])].sort((a, b) => a - b);
  return (
    <Section title={t('sections.appearance')}>
      <Rows>
        <Row label={t('settings.language')} meaning={t('settings.languageMeaning')}>
          <Choice<Settings['language']>
            label={t('settings.language')}
            value={settings.language}
            options={[
              { value: 'system', name: t('settings.languageSystem') },
              ...windowLanguages.map((language) => ({
                value: language,
                name: languageNames[language].own,
                lang: languageNames[language].tag,
              })),
            ]}
            onChange={(language) => change({ language })}
          />
        </Row>
        <Row label={t('settings.theme')} meaning={t('settings.themeMeaning')}>
          <RadioGroup.Root
            value={settings.theme}
            aria-label={t('settings.theme')}
            className="flex flex-wrap rounded-lg border border-line bg-panel p-0.5"
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
          <Choice
            label={t('settings.textSize')}
            value={settings.textSize}
            options={sizes.map((size) => ({ value: size, name: `${size} %` }))}
            onChange={(textSize) => change({ textSize })}
          />
        </Row>
      </Rows>
    </Section>
  );
}
