/** The discrete Fourier transform of any length whose prime factors are small: a window of Whisper's has 400 = 2⁴ · 5² samples. */

export type Transform = (real: Float64Array, imaginary: Float64Array) => void;

/** A transform of `length` complex numbers, in place (Cooley and Tukey 1965, mixed radix). */
export function createTransform(length: number): Transform {
  const factors = factorsOf(length);
  const cosines = new Float64Array(length);
  const sines = new Float64Array(length);
  for (let index = 0; index < length; index++) {
    cosines[index] = Math.cos((2 * Math.PI * index) / length);
    sines[index] = -Math.sin((2 * Math.PI * index) / length);
  }
  const inReal = new Float64Array(length);
  const inImaginary = new Float64Array(length);
  const mostRadix = Math.max(...factors);
  const legReal = new Float64Array(mostRadix);
  const legImaginary = new Float64Array(mostRadix);

  /** Transforms the inputs at `from`, `from + stride` … to `to`, `to + 1` … of the outputs. */
  function run(real: Float64Array, imaginary: Float64Array, to: number, from: number, stride: number, depth: number) {
    if (depth === factors.length) {
      real[to] = inReal[from]!;
      imaginary[to] = inImaginary[from]!;
      return;
    }
    const radix = factors[depth]!;
    const size = length / stride;
    const part = size / radix;
    for (let leg = 0; leg < radix; leg++)
      run(real, imaginary, to + leg * part, from + leg * stride, stride * radix, depth + 1);
    for (let index = 0; index < part; index++) {
      for (let leg = 0; leg < radix; leg++) {
        const at = to + leg * part + index;
        const turn = leg * index * stride;
        const [a, b, c, s] = [real[at]!, imaginary[at]!, cosines[turn]!, sines[turn]!];
        legReal[leg] = a * c - b * s;
        legImaginary[leg] = a * s + b * c;
      }
      for (let out = 0; out < radix; out++) {
        let sumReal = 0;
        let sumImaginary = 0;
        for (let leg = 0; leg < radix; leg++) {
          const turn = ((leg * out) % radix) * (length / radix);
          const [a, b, c, s] = [legReal[leg]!, legImaginary[leg]!, cosines[turn]!, sines[turn]!];
          sumReal += a * c - b * s;
          sumImaginary += a * s + b * c;
        }
        real[to + out * part + index] = sumReal;
        imaginary[to + out * part + index] = sumImaginary;
      }
    }
  }

  return (real, imaginary) => {
    inReal.set(real);
    inImaginary.set(imaginary);
    run(real, imaginary, 0, 0, 1, 0);
  };
}

function factorsOf(length: number): number[] {
  const factors: number[] = [];
  for (let rest = length, factor = 2; rest > 1; )
    if (rest % factor === 0) {
      factors.push(factor);
      rest /= factor;
    } else factor += 1;
  return factors;
}
