/** The lines of `quoth bench … --json` as one short table: node test/bench/gpu-table.ts bench.jsonl */
import { readFileSync } from 'node:fs';

type Fact = {
  bench: string;
  model: string | null;
  shape: Record<string, number | string | boolean | null>;
  median: number;
  unit: string;
  limit: number | null;
  fraction: number | null;
  stats?: Record<string, unknown>;
};

const lines = readFileSync(process.argv[2] ?? '/dev/stdin', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('{'));

function short(number: number): string {
  if (Math.abs(number) >= 100) return Math.round(number).toLocaleString('en');
  return number.toPrecision(3);
}

/** What beside the figure tells how it came about. */
const shown =
  'prompt tokens sequences context question texts kvTokens kvType tokensPerSecondOfDecodeSteps firstMs timesFaster tokensPerSecondWithout speedUp sameIds accepted drafted cached ttftMs weightBytes kvBytes embedderBytes leftBytes'.split(
    ' ',
  );

function details({ shape, stats }: Fact): string {
  const parts = shown.flatMap((name) => {
    const value = shape[name];
    if (value === undefined || value === null) return [];
    if (name.endsWith('Bytes')) return [`${name.slice(0, -5)} ${(Number(value) / 1e9).toFixed(2)} GB`];
    return [`${name} ${typeof value === 'number' ? short(value) : value}`];
  });
  if (typeof stats?.bandwidthFraction === 'number' && shape.texts === undefined)
    parts.push(
      `decode steps ${(100 * stats.bandwidthFraction).toFixed(0)} % of bandwidth, ${(Number(stats.bytesPerToken) / 1e9).toFixed(2)} GB a token`,
    );
  return parts.join(', ');
}

const rows = lines.map((line) => {
  const fact = JSON.parse(line) as Fact;
  const model = fact.model?.replace(/[ ,(].*random weights/, '') ?? '';
  const limit = fact.limit === null ? '' : short(fact.limit);
  const fraction = fact.fraction === null ? '' : `${(100 * fact.fraction).toFixed(0)} %`;
  return [fact.bench, model, `${short(fact.median)} ${fact.unit}`, limit, fraction, details(fact)];
});
process.stdout.write('| | model | measured | limit | of it | |\n|---|---|---|---|---|---|\n');
for (const row of rows) process.stdout.write(`| ${row.join(' | ')} |\n`);
