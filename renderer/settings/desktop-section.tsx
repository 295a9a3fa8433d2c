import { useTranslation } from 'react-i18next';
import { useQuoth } from '../common/quoth.tsx';
import { Toggle } from '../common/switch.tsx';
import { Row, Rows, Section } from './rows.tsx';
import { ShortcutRow } from './shortcut-row.tsx';
import { useSettings } from './use-settings.ts';

/** How Quoth behaves among the other programs; a browser's tab has no say in that. */
export function DesktopSection() {
  const { t } = useTranslation();
  const { shell } = useQuoth();
  const [settings, change] = useSettings();
  const { desktop } = shell;
  if (!settings || !desktop) return null;
  return (
    <Section title={t('sections.desktop')}>
      <Rows>
        <ShortcutRow
          shortcut={settings.shortcut}
          check={desktop.checkShortcut}
          onChange={(shortcut) => change({ shortcut })}
        />
        <Row label={t('desktop.tray')} meaning={t('desktop.trayMeaning')}>
          <Toggle
            label={t('desktop.tray')}
            on={settings.keepInTray}
            onChange={(keepInTray) => change({ keepInTray })}
          />
        </Row>
        <Row label={t('desktop.notifications')} meaning={t('desktop.notificationsMeaning')}>
          <Toggle
            label={t('desktop.notifications')}
            on={settings.notifications}
            onChange={(notifications) => change({ notifications })}
          />
        </Row>
      </Rows>
    </Section>
  );
}
