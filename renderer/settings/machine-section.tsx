import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { MachineReport } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { formatBytes } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { WelcomeAgain } from '../welcome/welcome.tsx';
import { Row, Rows, Section } from './rows.tsx';

/** What this machine has and what Quoth uses of it, with the reasons. */
export function MachineSection() {
  const { t } = useTranslation();
  const { client, notices, shell } = useQuoth();
  const [report, setReport] = useState<MachineReport | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    client.describeMachine({}, controller.signal).then(setReport).catch(notices.getState().tellError);
    return () => controller.abort();
  }, [client, notices]);
  if (!report) return null;
  const facts: [string, string, string?][] = [
    [t('machine.device'), report.deviceName, report.deviceReason],
    [t('machine.threads'), String(report.numThreads)],
    [t('machine.memory'), formatBytes(report.memoryBytes)],
    [t('machine.disk'), formatBytes(report.freeDiskBytes)],
    [t('machine.chatModel'), report.chatModel ?? t('machine.none')],
    [t('machine.embedder'), report.embedder ?? t('machine.none')],
    [t('machine.reranker'), report.reranker ?? t('machine.none')],
    [t('machine.index'), t(`machine.indexes.${report.vectorIndex}`), report.vectorIndexReason],
    [t('machine.network'), t(report.offline ? 'machine.offline' : 'machine.online')],
    [t('machine.version'), report.version],
  ];
  return (
    <Section title={t('sections.machine')}>
      <dl className="mt-4 divide-y divide-line rounded-2xl border border-line bg-raised text-sm shadow-card">
        {facts.map(([name, value, reason]) => (
          <div key={name} className="flex gap-6 px-5 py-2.5">
            <dt className="w-36 shrink-0 text-soft">{name}</dt>
            <dd className="min-w-0 [overflow-wrap:anywhere]">
              {value}
              {reason && <span className="block text-[0.8125rem] text-faint">{reason}</span>}
            </dd>
          </div>
        ))}
      </dl>
      <Rows>
        <Row
          label={t('dataFolder.label')}
          meaning={
            <>
              <p dir="ltr" className="text-ink select-all [overflow-wrap:anywhere]">
                {report.profileFolder}
              </p>
              <p className="mt-1">{t('dataFolder.meaning')}</p>
            </>
          }
        >
          {shell.desktop && (
            <Button onClick={() => void shell.desktop?.openProfileFolder().catch(notices.getState().tellError)}>
              {t('dataFolder.open')}
            </Button>
          )}
        </Row>
      </Rows>
      <p className="mt-5">
        <WelcomeAgain />
      </p>
    </Section>
  );
}
