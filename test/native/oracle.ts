import { extraNumbers, type TinyBert, type TinyLlama } from './tiny-models.ts';

/** The two tiny models' forward passes as a textbook has them, in float64, a row at a time: what the engine must agree with. */
type Vector = Float64Array;

const dot = (a: Vector, b: Vector) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const plus = (a: Vector, b: Vector) => a.map((value, i) => value + b[i]!);

function softmax(scores: number[]): number[] {
  const most = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** erf by its series: exact to 1e-14 for the small arguments here. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let sum = 0;
  let term = x;
  for (let n = 0; n < 120; n++) {
    sum += term / (2 * n + 1);
    term *= (-x * x) / (n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function reader(model: TinyLlama | TinyBert) {
  const tensor = (name: string) => model.tensors.get(name)!;
  const vector = (name: string) => tensor(name).values;
  return {
    vector,
    row(name: string, row: number): Vector {
      const { entry, values } = tensor(name);
      return values.slice(row * entry.columns, (row + 1) * entry.columns);
    },
    linear(name: string, x: Vector, bias = false): Vector {
      const { entry, values } = tensor(name);
      return Float64Array.from({ length: entry.rows }, (_, n) => {
        const product = dot(x, values.subarray(n * entry.columns, (n + 1) * entry.columns));
        return product + (bias ? vector(`${name}.bias`)[n]! : 0);
      });
    },
  };
}

/** The heads of one row's attention over earlier rows' keys and values ([rows][heads * headSize]). */
function attend(
  query: Vector,
  keys: Vector[],
  values: Vector[],
  numHeads: number,
  numKvHeads: number,
  headSize: number,
  bend: (score: number, head: number, row: number) => number = (score) => score,
): Vector {
  const out = new Float64Array(numHeads * headSize);
  for (let head = 0; head < numHeads; head++) {
    const kvAt = Math.floor(head / (numHeads / numKvHeads)) * headSize;
    const q = query.subarray(head * headSize, (head + 1) * headSize);
    const scores = keys.map((key) => dot(q, key.subarray(kvAt, kvAt + headSize)) / Math.sqrt(headSize));
    const weights = softmax(scores.map((score, row) => bend(score, head, row)));
    weights.forEach((weight, row) => {
      for (let i = 0; i < headSize; i++) out[head * headSize + i]! += weight * values[row]![kvAt + i]!;
    });
  }
  return out;
}

/** Logits of every row: [ids.length][vocabularySize]. */
export function llamaLogits(model: TinyLlama, ids: number[]): Vector[] {
  const { numLayers, numHeads, numKvHeads, headSize, innerSize, window, extras } = model.shape;
  const { vector, row, linear } = reader(model);
  const rmsNorm = (name: string, x: Vector) => {
    const scale = 1 / Math.sqrt(dot(x, x) / x.length + 1e-5);
    return x.map((value, i) => value * scale * vector(name)[i]!);
  };
  const turn = (x: Vector, position: number) => {
    const turned = Float64Array.from(x);
    for (let at = 0; at < x.length; at += headSize) {
      for (let i = 0; i < headSize / 2; i++) {
        const angle = position * vector('inverse_frequencies')[i]!;
        const [a, b] = [x[at + i]!, x[at + i + headSize / 2]!];
        turned[at + i] = a * Math.cos(angle) - b * Math.sin(angle);
        turned[at + i + headSize / 2] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
    return turned;
  };
  const { clampLimit, normEpsilon, softCap, logitCap } = extraNumbers;
  const capped = (x: number, cap: number) => cap * Math.tanh(x / cap);
  const clamped = (x: Vector) => (extras ? x.map((value) => Math.min(Math.max(value, -clampLimit), clampLimit)) : x);
  const normHeads = (name: string, x: Vector) =>
    !extras
      ? x
      : x.map((value, i) => {
          const head = x.slice(i - (i % headSize), i - (i % headSize) + headSize);
          return (value / Math.sqrt(dot(head, head) / headSize + normEpsilon)) * vector(name)[i % headSize]!;
        });
  const kept = (value: Vector) => (model.shape.kv === 'f16' ? value.map(Math.f16round) : value);
  const keys: Vector[][] = Array.from({ length: numLayers }, () => []);
  const values: Vector[][] = Array.from({ length: numLayers }, () => []);
  const [queries, kvSize] = [numHeads * headSize, numKvHeads * headSize];
  return ids.map((id, position) => {
    let x = row('embedding', id);
    let normed = rmsNorm('norm.0', x);
    for (let layer = 0; layer < numLayers; layer++) {
      const qkv = clamped(linear(`qkv.${layer}`, normed));
      const key = normHeads(`k_norm.${layer}`, qkv.slice(queries, queries + kvSize));
      keys[layer]!.push(kept(turn(key, position)));
      values[layer]!.push(kept(qkv.slice(queries + kvSize)));
      const first = window > 0 ? Math.max(0, position + 1 - window) : 0;
      const query = turn(normHeads(`q_norm.${layer}`, qkv.slice(0, queries)), position);
      const attended = attend(
        query,
        keys[layer]!.slice(first),
        values[layer]!.slice(first),
        numHeads,
        numKvHeads,
        headSize,
        extras
          ? (score, head, row) => capped(score, softCap) + vector('slopes')[head]! * (first + row - position)
          : undefined,
      );
      x = plus(x, linear(`out.${layer}`, attended));
      normed = rmsNorm(`norm.${2 * layer + 1}`, x);
      const gateUp = linear(`gate_up.${layer}`, normed);
      const inner = gateUp
        .slice(0, innerSize)
        .map((gate, i) => (gate / (1 + Math.exp(-gate))) * gateUp[innerSize + i]!);
      const permuted = extras ? inner.map((_, i) => inner[(i * 7 + layer) % innerSize]!) : inner;
      x = plus(x, linear(`down.${layer}`, permuted));
      normed = rmsNorm(`norm.${2 * layer + 2}`, x);
    }
    const logits = linear('head', normed);
    return extras ? logits.map((logit) => capped(logit, logitCap)) : logits;
  });
}

/** ln of the probability of each id after those before it; the first is NaN. */
export function llamaScores(model: TinyLlama, ids: number[]): number[] {
  const logits = llamaLogits(model, ids);
  return ids.map((id, i) => (i === 0 ? Number.NaN : Math.log(softmax([...logits[i - 1]!])[id]!)));
}

/** The ids that follow, greedily. */
export function llamaGreedy(model: TinyLlama, prompt: number[], numTokens: number): number[] {
  const ids = [...prompt];
  for (let i = 0; i < numTokens; i++) {
    const logits = llamaLogits(model, ids).at(-1)!;
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  return ids.slice(prompt.length);
}

/** The sequence's vector of unit length. */
export function bertEmbedding(model: TinyBert, ids: number[]): Vector {
  const pooled = bertPooled(model, ids, ids.length);
  const length = Math.sqrt(dot(pooled, pooled));
  return pooled.map((value) => value / length);
}

/** The number of a pair whose first part is `firstLength` ids. */
export function bertScore(model: TinyBert, ids: number[], firstLength: number): number {
  const { linear } = reader(model);
  const inner = linear('pooler', bertPooled(model, ids, firstLength), true).map(Math.tanh);
  return linear('classifier', inner, true)[0]!;
}

function bertPooled(model: TinyBert, ids: number[], firstLength: number): Vector {
  const { size, numLayers, numHeads, pool } = model.shape;
  const { vector, row, linear } = reader(model);
  const layerNorm = (name: string, x: Vector) => {
    const mean = x.reduce((a, b) => a + b, 0) / x.length;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
    const scale = 1 / Math.sqrt(variance + 1e-6);
    return x.map((value, i) => (value - mean) * scale * vector(`${name}.weight`)[i]! + vector(`${name}.bias`)[i]!);
  };
  const typeOf = (i: number) =>
    model.shape.role === 'reranker' ? row('types', i < firstLength ? 0 : 1) : vector('type');
  let rows = ids.map((id, i) => layerNorm('norm', plus(plus(row('words', id), row('positions', i + 2)), typeOf(i))));
  for (let layer = 0; layer < numLayers; layer++) {
    const qkv = rows.map((x) => linear(`qkv.${layer}`, x, true));
    const keys = qkv.map((x) => x.slice(size, 2 * size));
    const values = qkv.map((x) => x.slice(2 * size));
    rows = rows.map((x, i) => {
      const attended = attend(qkv[i]!.slice(0, size), keys, values, numHeads, numHeads, size / numHeads);
      const y = layerNorm(`norm.${layer}.1`, plus(x, linear(`out.${layer}`, attended, true)));
      const inner = linear(`up.${layer}`, y, true).map((value) => 0.5 * value * (1 + erf(value / Math.SQRT2)));
      return layerNorm(`norm.${layer}.2`, plus(y, linear(`down.${layer}`, inner, true)));
    });
  }
  return pool === 'pool_first' ? rows[0]! : rows.reduce(plus).map((value) => value / rows.length);
}
