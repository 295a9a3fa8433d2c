/** Rotary positions (RoFormer, arXiv 2104.09864): the frequency of each pair, and how longer contexts change it. */
import type { CheckpointFacts } from './architecture.ts';
import type { ConfigReader } from './config-reader.ts';

/** 1 / theta^(2i / size) for each pair i. */
export function ropeFrequencies(theta: number, size: number): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));
}

/**
 * The frequencies that a config asks for, [size / 2]. Llama 3.1 slows those below its first context and blends between
 * (`llama3`); `linear` slows all.
 */
export function frequenciesOf(config: ConfigReader, size: number, facts: CheckpointFacts): Float32Array {
  // The hub's newer configs hold all of it in `rope_parameters`.
  const parameters = config.section('rope_parameters');
  const theta = (parameters ?? config).real('rope_theta', 10_000);
  const frequencies = ropeFrequencies(theta, size);
  if (facts.ropeDivisors !== null) {
    const divisors = facts.ropeDivisors;
    if (divisors.length !== size / 2)
      return config.damaged(`it has ${divisors.length} rotary divisors for ${size / 2}`);
    return frequencies.map((frequency, i) => frequency / divisors[i]!);
  }
  const scaling = parameters ?? config.section('rope_scaling');
  const type = scaling === null ? 'default' : scaling.text('rope_type', scaling.text('type', 'default'));
  if (scaling === null || type === 'default') return frequencies;
  const factor = scaling.real('factor');
  if (type === 'linear') return frequencies.map((frequency) => frequency / factor);
  if (type !== 'llama3') return config.unsupported(`positions scaled by ${type}`);
  const [low, high] = [scaling.real('low_freq_factor'), scaling.real('high_freq_factor')];
  const context = scaling.real('original_max_position_embeddings');
  return frequencies.map((frequency) => {
    const turns = (context * frequency) / (2 * Math.PI);
    if (turns < low) return frequency / factor;
    if (turns > high) return frequency;
    const share = (turns - low) / (high - low);
    return ((1 - share) / factor + share) * frequency;
  });
}
