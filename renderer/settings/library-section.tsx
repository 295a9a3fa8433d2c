import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isSendingKey } from '../chat/sending-key.ts';
import { Row, Rows, Section } from './rows.tsx';
import { ScansSection } from './scans-section.tsx';
import { useSettings } from './use-settings.ts';

/** How documents and videos are read. */
export function LibrarySection() {
  const { t } = useTranslation();
  const [settings, change] = useSettings();
  if (!settings) return null;
  return (
    <>
      <Section title={t('sections.library')}>
        <Rows>
          <LanguagesRow
            languages={settings.captionLanguages}
            onChange={(captionLanguages) => change({ captionLanguages })}
          />
        </Rows>
      </Section>
      <ScansSection />
    </>
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
        onKeyDown={(event) => isSendingKey(event) && commit()}
      />
    </Row>
  );
}
