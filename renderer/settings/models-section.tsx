import { useTranslation } from 'react-i18next';
import type { Settings } from '../../app/contract/types.ts';
import { Choice } from '../common/field.tsx';
import { formatCount } from '../common/format.ts';
import { EngineSection } from './engine-section.tsx';
import { Row, Rows, Section } from './rows.tsx';
import { useSettings } from './use-settings.ts';

const contexts = [2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];
const precisions: Settings['kvPrecision'][] = ['auto', 'f16', 'i8'];

/** The chat model's memory, and the engine as it is now. */
export function ModelsSection() {
  const { t } = useTranslation();
  const [settings, change] = useSettings();
  if (!settings) return null;
  const { contextTokens, kvPrecision } = settings;
  const sizes = [...new Set([...contexts, ...(contextTokens === null ? [] : [contextTokens])])].sort((a, b) => a - b);
  return (
    <>
      <Section title={t('sections.models')} meaning={t('memory.nextLoad')}>
        <Rows>
          <Row label={t('memory.context')} meaning={t('memory.contextMeaning')}>
            <Choice<number | null>
              label={t('memory.context')}
              value={contextTokens}
              options={[
                { value: null, name: t('memory.auto') },
                ...sizes.map((size) => ({ value: size, name: t('settings.tokens', { tokens: formatCount(size) }) })),
              ]}
              onChange={(wanted) => change({ contextTokens: wanted })}
            />
          </Row>
          <Row label={t('memory.precision')} meaning={t('memory.precisionMeaning')}>
            <Choice
              label={t('memory.precision')}
              value={kvPrecision}
              options={precisions.map((precision) => ({
                value: precision,
                name: precision === 'auto' ? t('memory.auto') : t(`memory.precisions.${precision}`),
              }))}
              onChange={(wanted) => change({ kvPrecision: wanted })}
            />
          </Row>
        </Rows>
      </Section>
      <EngineSection />
    </>
  );
}
