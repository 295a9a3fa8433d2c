/** The activations that the hub's configs name, and those that a checkpoint changes. */
import type { Activation, GraphBuilder } from '../graph/graph.ts';
import type { ConfigReader } from './config-reader.ts';

const named: ReadonlyMap<string, Activation> = new Map([
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['gelu_new', 'gelu_tanh'],
  ['gelu_fast', 'gelu_tanh'],
  ['gelu_pytorch_tanh', 'gelu_tanh'],
  ['relu', 'relu'],
  ['silu', 'silu'],
  ['swish', 'silu'],
]);

/** The activation that a config names. Fails with `unsupported-model` for one that the engine does not have. */
export function activationOf(config: ConfigReader, key: string, otherwise: string): Activation {
  const name = config.text(key, otherwise);
  return named.get(name) ?? config.unsupported(`the activation ${name}`);
}

/** AutoAWQ divides what an activation yields where it can scale nothing before it; without that it is another model. */
export function refuseScales(g: GraphBuilder, activation: string): void {
  if (g.has(`${activation}.scales`)) g.refuse(`the activation ${activation} has scales, which are not read here`);
}
