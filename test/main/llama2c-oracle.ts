/**
 * A plain reference for models of llama2.c: the file read by its published layout, the formulas in float64, one token after
 * another. Nothing of the builder or the engine is in it.
 */
export function llama2cScores(file: Uint8Array, ids: readonly number[]): number[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const [dim, hidden, numLayers, numHeads, numKvHeads, vocabulary] = Array.from({ length: 6 }, (_, i) =>
    Math.abs(view.getInt32(4 * i, true)),
  ) as [number, number, number, number, number, number];
  const headSize = dim / numHeads;
  const kvDim = headSize * numKvHeads;
  let at = 28;
  const take = (count: number): Float64Array => {
    const numbers = Float64Array.from({ length: count }, (_, i) => view.getFloat32(at + 4 * i, true));
    at += 4 * count;
    return numbers;
  };
  const takeLayers = (count: number): Float64Array[] => Array.from({ length: numLayers }, () => take(count));
  const table = take(vocabulary * dim);
  const [attentionNorm, wq, wk, wv, wo] = [dim, dim * dim, kvDim * dim, kvDim * dim, dim * dim].map(takeLayers);
  const [feedNorm, w1, w2, w3] = [dim, hidden * dim, dim * hidden, hidden * dim].map(takeLayers);
  const lastNorm = take(dim);

  const times = (w: Float64Array, x: Float64Array): Float64Array =>
    Float64Array.from({ length: w.length / x.length }, (_, row) => {
      let sum = 0;
      for (let i = 0; i < x.length; i++) sum += w[row * x.length + i]! * x[i]!;
      return sum;
    });
  const norm = (x: Float64Array, weight: Float64Array): Float64Array => {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / dim + 1e-5);
    return x.map((value, i) => value * scale * weight[i]!);
  };
  /** Pairs stand side by side in the file. */
  const turn = (x: Float64Array, position: number): Float64Array => {
    const turned = Float64Array.from(x);
    for (let i = 0; i < x.length; i += 2) {
      const angle = position * 10_000 ** (-(i % headSize) / headSize);
      turned[i] = x[i]! * Math.cos(angle) - x[i + 1]! * Math.sin(angle);
      turned[i + 1] = x[i]! * Math.sin(angle) + x[i + 1]! * Math.cos(angle);
    }
    return turned;
  };

  const keys: Float64Array[][] = Array.from({ length: numLayers }, () => []);
  const values: Float64Array[][] = Array.from({ length: numLayers }, () => []);
  const logitsAfter = (id: number, position: number): Float64Array => {
    let x = table.slice(id * dim, (id + 1) * dim);
    for (let layer = 0; layer < numLayers; layer++) {
      const normed = norm(x, attentionNorm![layer]!);
      const q = turn(times(wq![layer]!, normed), position);
      keys[layer]!.push(turn(times(wk![layer]!, normed), position));
      values[layer]!.push(times(wv![layer]!, normed));
      const seen = new Float64Array(dim);
      for (let head = 0; head < numHeads; head++) {
        const kvAt = Math.floor((head * numKvHeads) / numHeads) * headSize;
        const scores = keys[layer]!.map((key) => {
          let sum = 0;
          for (let i = 0; i < headSize; i++) sum += q[head * headSize + i]! * key[kvAt + i]!;
          return sum / Math.sqrt(headSize);
        });
        const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        weights.forEach((weight, row) => {
          for (let i = 0; i < headSize; i++)
            seen[head * headSize + i]! += (weight / total) * values[layer]![row]![kvAt + i]!;
        });
      }
      const added = times(wo![layer]!, seen);
      x = x.map((value, i) => value + added[i]!);
      const fed = norm(x, feedNorm![layer]!);
      const [gate, up] = [times(w1![layer]!, fed), times(w3![layer]!, fed)];
      const down = times(
        w2![layer]!,
        gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!),
      );
      x = x.map((value, i) => value + down[i]!);
    }
    return times(table, norm(x, lastNorm));
  };

  const scores = [Number.NaN];
  for (let position = 0; position + 1 < ids.length; position++) {
    const logits = logitsAfter(ids[position]!, position);
    const most = Math.max(...logits);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
    scores.push(logits[ids[position + 1]!]! - most - Math.log(total));
  }
  return scores;
}
