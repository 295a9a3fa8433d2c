import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { EngineReport } from '../../app/contract/types.ts';
import { formatBytes, formatCount, formatDuration, formatNumber } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { Section } from './rows.tsx';

/** Often enough to see an answer being written, rare enough to cost nothing. */
const refreshMs = 2000;

/** What is loaded now and how fast it is; nothing while nothing is loaded. */
export function EngineSection() {
  const { t } = useTranslation();
  const { client } = useQuoth();
  const [engines, setEngines] = useState<EngineReport[]>([]);
  useEffect(() => {
    const controller = new AbortController();
    // What cannot be told now is told the next time: nobody waits for these numbers.
    const ask = (): void =>
      void client
        .describeEngines({}, controller.signal)
        .then(({ engines: now }) => setEngines(now))
        .catch(() => undefined);
    ask();
    const timer = setInterval(ask, refreshMs);
    return () => {
      clearInterval(timer);
      controller.abort();
    };
  }, [client]);
  if (engines.length === 0) return null;
  return (
    <Section title={t('engine.title')} meaning={t('engine.meaning')}>
      <div className="mt-4 flex flex-col gap-4">
        {engines.map((engine) => (
          <EngineCard key={engine.role} engine={engine} />
        ))}
      </div>
    </Section>
  );
}

function EngineCard({ engine }: { engine: EngineReport }) {
  const { t } = useTranslation();
  const title = `engine-${engine.role}`;
  return (
    <section aria-labelledby={title} className="rounded-2xl border border-line bg-raised px-5 py-4 shadow-card">
      <header className="flex flex-wrap items-baseline justify-between gap-x-4">
        <h3 id={title} className="font-medium [overflow-wrap:anywhere]">
          {engine.model}
        </h3>
        <p className="text-[0.8125rem] text-soft">
          {t(`engine.roles.${engine.role}`)} · {t(`engine.devices.${engine.device}`)} ·{' '}
          {t(engine.numRunning > 0 ? 'engine.busy' : 'engine.idle')}
        </p>
      </header>
      <dl className="mt-3 grid grid-cols-[repeat(auto-fill,minmax(11rem,1fr))] gap-x-6 gap-y-3 text-sm">
        {useFacts(engine).map(([name, value, more]) => (
          <div key={name}>
            <dt className="text-[0.8125rem] text-soft">{name}</dt>
            <dd className="tabular-nums">
              {value}
              {more && <span className="block text-[0.8125rem] text-faint">{more}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** Names, values and what lies behind them: those that the engine can tell by now. */
function useFacts(engine: EngineReport): [name: string, value: string, more?: string][] {
  const { t } = useTranslation();
  const percent = (part: number): string => `${formatNumber(100 * part, 0)} %`;
  const memory = formatBytes(engine.weightBytes + engine.kvBytes + engine.activationBytes);
  const facts: [string, string, string?][] = [[t('engine.memory'), memory]];
  if (engine.role !== 'chat') return facts;
  if (engine.numFinished > 0) {
    facts.push(
      [
        t('engine.firstWord'),
        formatDuration(engine.ttftMs.p50),
        t('engine.worst', { time: formatDuration(engine.ttftMs.p95) }),
      ],
      [t('engine.nextWord'), `${formatNumber(engine.tokenMs.p50, 1)} ms`],
    );
  }
  if (engine.tokensPerSecond !== null) {
    const rate = t('engine.rate', {
      tokens: formatNumber(engine.tokensPerSecond, engine.tokensPerSecond < 100 ? 1 : 0),
    });
    facts.push([t('engine.speed'), rate]);
  }
  if (engine.bytesPerSecond !== null) {
    const read = t('engine.perSecond', { size: formatBytes(engine.bytesPerSecond) });
    if (engine.bandwidthFraction === null) facts.push([t('engine.reads'), read]);
    else facts.push([t('engine.bandwidth'), percent(engine.bandwidthFraction), read]);
  }
  facts.push([
    t('engine.pages'),
    t('engine.pagesUsed', {
      used: formatCount(engine.kvPagesTotal - engine.kvPagesFree - engine.kvPagesCached),
      total: formatCount(engine.kvPagesTotal),
    }),
    t('engine.pagesCached', { cached: formatCount(engine.kvPagesCached) }),
  ]);
  if (engine.promptTokens > 0) facts.push([t('engine.cache'), percent(engine.cachedTokens / engine.promptTokens)]);
  if (engine.draftedTokens > 0) facts.push([t('engine.drafts'), percent(engine.acceptedTokens / engine.draftedTokens)]);
  return facts;
}
