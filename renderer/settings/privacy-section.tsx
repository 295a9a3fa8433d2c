import { useTranslation } from 'react-i18next';
import { Toggle } from '../common/switch.tsx';
import { ForgetRow } from './forget-row.tsx';
import { Ledger } from './ledger.tsx';
import { Row, Rows, Section } from './rows.tsx';
import { useSettings } from './use-settings.ts';

/** What leaves this computer, and what stays on it. */
export function PrivacySection() {
  const { t } = useTranslation();
  const [settings, change] = useSettings();
  if (!settings) return null;
  return (
    <>
      <Section title={t('sections.privacy')} meaning={t('privacy.meaning')}>
        <Rows>
          <Row label={t('privacy.offline')} meaning={t('privacy.offlineMeaning')}>
            <Toggle label={t('privacy.offline')} on={settings.offline} onChange={(offline) => change({ offline })} />
          </Row>
          <ForgetRow />
        </Rows>
      </Section>
      <Ledger />
    </>
  );
}
