/** Logistic regression with a ridge, by Newton's method: a few signs, a few thousand rows. And the measures of a score. */

export type Row = { signs: number[]; isPositive: boolean; weight: number };

/** Coefficients on the signs as they are; the bias comes first. The ridge acts on standardised signs. */
export function fitLogistic(rows: readonly Row[], ridge = 1e-3): number[] {
  const size = rows[0]!.signs.length;
  const total = sum(rows.map(({ weight }) => weight));
  const means = Array.from(
    { length: size },
    (_, i) => sum(rows.map(({ signs, weight }) => weight * signs[i]!)) / total,
  );
  const scales = means.map((mean, i) => {
    const variance = sum(rows.map(({ signs, weight }) => weight * (signs[i]! - mean) ** 2)) / total;
    return Math.sqrt(variance) || 1;
  });
  const inputs = rows.map(({ signs }) => [1, ...signs.map((sign, i) => (sign - means[i]!) / scales[i]!)]);
  let solution = new Array<number>(size + 1).fill(0);
  for (let round = 0; round < 50; round++) {
    const gradient = new Array<number>(size + 1).fill(0);
    const hessian = gradient.map(() => new Array<number>(size + 1).fill(0));
    rows.forEach(({ isPositive, weight }, row) => {
      const input = inputs[row]!;
      const chance = 1 / (1 + Math.exp(-sum(input.map((one, i) => one * solution[i]!))));
      for (let i = 0; i <= size; i++) {
        gradient[i]! += (weight / total) * (chance - (isPositive ? 1 : 0)) * input[i]!;
        for (let j = 0; j <= size; j++)
          hessian[i]![j]! += (weight / total) * chance * (1 - chance) * input[i]! * input[j]!;
      }
    });
    for (let i = 1; i <= size; i++) {
      gradient[i]! += 2 * ridge * solution[i]!;
      hessian[i]![i]! += 2 * ridge;
    }
    const step = solve(hessian, gradient);
    solution = solution.map((one, i) => one - step[i]!);
    if (Math.max(...step.map(Math.abs)) < 1e-9) break;
  }
  const weights = solution.slice(1).map((one, i) => one / scales[i]!);
  return [solution[0]! - sum(weights.map((one, i) => one * means[i]!)), ...weights];
}

/** Gauss with pivots. */
function solve(matrix: readonly number[][], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let i = 0; i < rows.length; i++) {
    let pivot = i;
    for (let j = i + 1; j < rows.length; j++) if (Math.abs(rows[j]![i]!) > Math.abs(rows[pivot]![i]!)) pivot = j;
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    for (let j = 0; j < rows.length; j++) {
      if (j === i) continue;
      const factor = rows[j]![i]! / rows[i]![i]!;
      for (let k = i; k <= rows.length; k++) rows[j]![k]! -= factor * rows[i]![k]!;
    }
  }
  return rows.map((row, i) => row[rows.length]! / row[i]!);
}

/** The chance that a positive scores above a negative; ties count half. */
export function auroc(positives: readonly number[], negatives: readonly number[]): number {
  const all = [...positives.map((score) => ({ score, up: 1 })), ...negatives.map((score) => ({ score, up: 0 }))];
  all.sort((one, other) => one.score - other.score);
  let below = 0;
  let wins = 0;
  for (let first = 0; first < all.length; ) {
    let end = first;
    while (end < all.length && all[end]!.score === all[first]!.score) end++;
    const ups = sum(all.slice(first, end).map(({ up }) => up));
    wins += ups * (below + (end - first - ups) / 2);
    below += end - first - ups;
    first = end;
  }
  return wins / (positives.length * negatives.length);
}

/** The score below which a share of them lies. */
export function quantile(scores: readonly number[], share: number): number {
  const sorted = scores.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

export function shareBelow(scores: readonly number[], least: number): number {
  return scores.filter((score) => score < least).length / Math.max(1, scores.length);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
