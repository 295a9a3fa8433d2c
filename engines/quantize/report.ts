/** What the quantizer says of its work. Errors are shares of energy: 0.01 is one part in a hundred of the squares. */
import type { PlanType } from '../plan/format.ts';

export type LinearReport = {
  readonly name: string;
  readonly type: PlanType;
  readonly rows: number;
  readonly columns: number;
  /** Of the weight itself, after its columns were scaled. */
  readonly weightError: number;
  /** Of its output on the calibration text; null without one. */
  readonly outputError: number | null;
  /** The share of its groups that were clipped. */
  readonly clipped: number;
};

/** Linears that read one value; one scale for all of them. */
export type GroupReport = {
  readonly linears: readonly LinearReport[];
  /** AWQ's exponent; null: no scale, since none helps or there is nowhere to put it. */
  readonly ratio: number | null;
  /** Sums of the output errors: as quantized, and by round to nearest. Null without a calibration text. */
  readonly loss: number | null;
  readonly plainLoss: number | null;
};

export type QuantizeReport = {
  readonly groups: readonly GroupReport[];
  readonly calibrationTokens: number;
  /** Null without a text. `heldOut`: over text that was not calibrated on; where there is little, it is the same. */
  readonly perplexity: {
    readonly before: number;
    readonly after: number;
    readonly tokens: number;
    readonly heldOut: boolean;
  } | null;
};

/** One line a group, for people. */
export function describeGroup({ linears, ratio, loss, plainLoss }: GroupReport): string {
  const names = linears.map(({ name }) => name.replace(/\.weight$/, ''));
  const shared = commonStart(names);
  const what =
    names.length === 1 ? names[0]! : `${shared}{${names.map((name) => name.slice(shared.length)).join(' ')}}`;
  const type = [...new Set(linears.map((linear) => linear.type))].join('+');
  if (loss === null || plainLoss === null) {
    const worst = Math.max(...linears.map(({ weightError }) => weightError));
    return `${what}  ${type}  weights ${percent(worst)}`;
  }
  const output = `${what}  ${type}  output ${percent(loss / linears.length)}`;
  if (loss === plainLoss) return output;
  const clipped = linears.reduce((sum, linear) => sum + linear.clipped, 0) / linears.length;
  const scaled = ratio === null ? 'not scaled' : `ratio ${ratio.toFixed(2)}`;
  const better = `${percent(1 - loss / plainLoss)} less than rounded to nearest`;
  return `${output}, ${better}  ${scaled}, ${percent(clipped)} clipped`;
}

function commonStart(names: readonly string[]): string {
  let length = 0;
  while (names.every((name) => length < name.length && name[length] === names[0]![length])) length++;
  return names[0]!.slice(0, names[0]!.lastIndexOf('.', length) + 1);
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(3)} %`;
}
