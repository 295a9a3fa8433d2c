/** A program for people: one line a buffer, one line a step. */
import type { PlanView, Program } from '../plan/format.ts';

export function printProgram(program: Program, tensors: readonly { name: string; type: string }[]): string {
  const view = ([buffer, first, width]: PlanView): string => {
    const whole = first === 0 && width === program.buffers[buffer]!.width;
    return whole ? `b${buffer}` : `b${buffer}[${first}..${first + width}]`;
  };
  const buffers = program.buffers.map(({ rows, width }, index) => `b${index}  ${rows} × ${width}`);
  const steps = program.steps.map((step, index) => {
    const { op, in: inputs, out, weights, ...attributes } = step;
    const bound = weights.map((weight) =>
      weight === null ? '-' : `${tensors[weight]!.name}:${tensors[weight]!.type}`,
    );
    const named = Object.entries(attributes).map(([name, value]) => `${name}=${value}`);
    const operands = [...inputs.map(view), ...bound, ...named].join(', ');
    return `${String(index).padStart(3)}  ${out.map(view).join(', ') || '·'} = ${op}(${operands})`;
  });
  return [...buffers, ...steps, `output b${program.output}`].join('\n');
}
